"""What an account's settings and status may become."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.contracts.account import Account, AccountStatus, UpdateAccount

Cause = Literal["payment_method", "paid_tier", "dunning_exhausted", "debts_paid"]

# Who may move an account to which status; what is not here changes nothing.
MOVES: Mapping[tuple[AccountStatus, Cause], AccountStatus] = {
    ("pending", "payment_method"): "active",
    ("pending", "paid_tier"): "active",
    ("pending", "dunning_exhausted"): "suspended",
    ("active", "dunning_exhausted"): "suspended",
    ("suspended", "debts_paid"): "active",
}

# Told as changed, but not to what: the audit log can never forget a person again.
PERSONAL = frozenset({"billing_email", "buyer"})


def status_after(status: AccountStatus, cause: Cause) -> AccountStatus:
    """The status that follows, the same when the cause moves nothing."""
    return MOVES.get((status, cause), status)


def changed_settings(account: Account, wanted: UpdateAccount) -> dict[str, Any]:
    """The settings that are given and differ, by name."""
    names = set(UpdateAccount.__struct_fields__) - {"organization_id", "requested_by"}
    given = {name: getattr(wanted, name) for name in sorted(names)}
    return {
        name: value
        for name, value in given.items()
        if value is not msgspec.UNSET and value != getattr(account, name)
    }


def told_changes(account: Account, changes: Mapping[str, Any]) -> dict[str, str]:
    """Changes as the audit log keeps them: before and after, or that there was one."""
    return {
        name: "changed" if name in PERSONAL else f"{getattr(account, name)} → {value}"
        for name, value in changes.items()
    }

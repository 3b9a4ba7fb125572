"""Faults that a test orders: each lies on disk until it has happened as often as asked."""

import json
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.store import Store

# `target` is a method and path, such as `POST /v1/payment_intents*`.
RequestFault = Literal[
    "lock_timeout",  # 429, nothing done
    "slow",  # waits `seconds` with the idempotency key in use, then does it
    "error_before",  # 500, nothing done
    "refuse",  # 400 with `code`, nothing done
    "error_after",  # done, but 500 is answered, and replayed under the same key
    "reset_before",  # connection reset, nothing done
    "reset_after",  # done, connection reset
    "timeout_after",  # done, no answer ever
]
# `target` is the id of a payment method or customer.
PaymentFault = Literal[
    "decline",  # the next charge is declined with `code`
    "three_d_secure",  # the next payment or setup has to be authenticated
]
# `target` is an event's type.
WebhookFault = Literal[
    "webhook_duplicate",  # `copies` more of it
    "webhook_lose",  # never sent; only the list of events knows it
    "webhook_drop",  # this attempt is lost; a retry follows
    "webhook_delay",  # sent `seconds` later
    "webhook_reorder",  # held until as many as ordered came, then sent last first
]
KINDS = get_args(RequestFault) + get_args(PaymentFault) + get_args(WebhookFault)


def order_fault(store: Store, kind: str, target: str, count: int, options: Body) -> None:
    """Have a fault happen `count` times to what matches `target` (a pattern such as `*`)."""
    store.run(
        "INSERT INTO faults (kind, target, remaining, options) VALUES (?, ?, ?, ?)",
        kind,
        target,
        count,
        json.dumps(options),
    )


def take_fault(store: Store, kind: str, *targets: str) -> Body | None:
    """The options of the oldest fault of a kind that matches, counted down; None without one.

    The options carry `remaining`: how often it will happen again.
    """
    for row in store.query("SELECT * FROM faults WHERE kind = ? ORDER BY seq", kind):
        if any(fnmatchcase(target, row["target"]) for target in targets):
            left = row["remaining"] - 1
            if left:
                store.run("UPDATE faults SET remaining = ? WHERE seq = ?", left, row["seq"])
            else:
                store.run("DELETE FROM faults WHERE seq = ?", row["seq"])
            options: dict[str, Any] = json.loads(row["options"])
            return {**options, "remaining": left}
    return None

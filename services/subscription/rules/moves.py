"""How a subscription moves: one table of statuses, and what a fact of Stripe makes of a row."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from services.subscription.rules.periods import Period, Tiling, tile
from services.subscription.tables.rows import PurchaseRow, SubscriptionRow
from services.subscription.tiers import Catalogue
from shared.contracts.stripe_gateway import StripeSubscription
from shared.contracts.subscription import PlanStatus, TierName

# Stripe's statuses (as stripe_gateway tells them) in ours; `unpaid` is suspended at once, too.
STATUS_OF: Final = MappingProxyType[str, PlanStatus](
    {
        "active": "active",
        "trialing": "trialing",
        "past_due": "past_due",
        "unpaid": "past_due",
        "paused": "paused",
        "incomplete": "incomplete",
        "canceled": "canceled",
    }
)
RUNNING: Final = frozenset[PlanStatus]({"active", "trialing", "past_due", "paused"})
# Who may move to which. Nothing becomes incomplete again, and what has ended stays ended.
MOVES: Final = MappingProxyType[PlanStatus, frozenset[PlanStatus]](
    {
        "incomplete": RUNNING | {"canceled"},
        "active": RUNNING - {"active"} | {"canceled"},
        "trialing": RUNNING - {"trialing"} | {"canceled"},
        "past_due": RUNNING - {"past_due"} | {"canceled"},
        "paused": RUNNING - {"paused"} | {"canceled"},
        "canceled": frozenset(),
    }
)
# Of several plans of one organization the first kind counts, then the one that serves, then the
# newest: whatever the order in which they were heard of.
_RANK: Final = MappingProxyType({"operator": 2, "lifetime": 1, "stripe": 0})


def may_move(before: PlanStatus, after: PlanStatus) -> bool:
    """Whether a subscription may go from one status to another, or stay."""
    return before == after or after in MOVES[before]


def choose_live(rows: Iterable[SubscriptionRow]) -> SubscriptionRow | None:
    """Which of an organization's subscriptions counts; None means the free tier."""
    running = [row for row in rows if row.status != "canceled"]
    return max(running, key=_weight, default=None)


def _weight(row: SubscriptionRow) -> tuple[int, bool, datetime, str]:
    begun = row.status != "incomplete"
    return _RANK[row.source], begun, row.began_at, row.subscription_id


def rows_replaced(
    live: SubscriptionRow, rows: Iterable[SubscriptionRow]
) -> Sequence[SubscriptionRow]:
    """What runs at Stripe beside the one that counts. A page that was opened and not paid yet is
    none of it, unless nothing can follow from it any more.
    """
    ended = {"canceled", "incomplete"} if live.source == "stripe" else {"canceled"}
    return [
        row
        for row in rows
        if row.stripe_subscription_id is not None
        and row.subscription_id != live.subscription_id
        and row.status not in ended
    ]


def is_paid_back(live: SubscriptionRow, row: SubscriptionRow) -> bool:
    """Whether the money for the running period of a plan that was replaced goes back.

    Of two plans that were bought side by side, in two tabs say, the older one's does. Who chose a
    lifetime instead of a plan, or was given a tier, has had the plan so far, but not one that was
    paid for when that had begun already.
    """
    if live.source == "stripe" or row.runs_since is None:
        return True
    return max(row.runs_since, row.current_period_start or row.began_at) >= _replaces_since(live)


def paid_back_from(live: SubscriptionRow, row: SubscriptionRow) -> datetime:
    """From when on the periods of a plan that was replaced are paid back, also those that begin
    before Stripe hears of it: what runs there then may not be the one that was decided on here.
    """
    since, period = _replaces_since(live), known_period(row)
    if period is None or not is_paid_back(live, row):
        return since
    return period.start if period.start <= since < period.end else since


def _replaces_since(live: SubscriptionRow) -> datetime:
    """From when on nothing else is to be paid for: of a lifetime that was taken away and came back,
    since it did.
    """
    returned = live.runs_since if live.source == "lifetime" else None
    return returned or live.began_at


def on_tier(row: SubscriptionRow, tier: TierName) -> SubscriptionRow:
    """The row on a tier; limits that an operator gave were given for the one before."""
    if tier == row.tier:
        return row
    return msgspec.structs.replace(
        row, tier=tier, workflows_limit=None, agents_limit=None, storage_limit_gb=None
    )


def stand_as_at_stripe(
    row: SubscriptionRow, told: StripeSubscription, version: int, at: datetime, catalogue: Catalogue
) -> SubscriptionRow:
    """The row as Stripe has it at `version`, all but its period; what has ended stays ended."""
    if row.status == "canceled":
        return msgspec.structs.replace(row, stripe_version=version)
    after = STATUS_OF[told.status]
    status = after if may_move(row.status, after) else row.status
    plan = catalogue.get(told.tier or "")
    tier = plan.tier if plan is not None else row.tier
    ended = status == "canceled"
    # What is to follow is pointless when all has ended.
    coming = None if ended else catalogue.get(told.pending_tier or "")
    return msgspec.structs.replace(
        on_tier(row, tier),
        stripe_version=version,
        status_at_stripe=told.status_at_stripe,
        status=status,
        runs_since=row.runs_since or (at if status in RUNNING else None),
        price_cents=row.price_cents if told.price_cents is None else told.price_cents,
        cancel_at_period_end=told.cancel_at_period_end and not ended,
        canceled_at=told.canceled_at or (at if ended else None),
        ended_at=at if ended else None,
        trial_start=told.trial_start,
        trial_end=told.trial_end,
        pending_tier=coming.tier if coming else None,
        pending_change_at=told.pending_change_at if coming else None,
        past_due_since=(row.past_due_since or at) if status == "past_due" else None,
        suspended_at=_suspended_since(row, told.status, at),
        updated_at=at,
    )


def told_tiling(
    row: SubscriptionRow, told: StripeSubscription, *, renewal_paid: bool
) -> Tiling | None:
    """How the row's periods go on by what is told; None when no period is."""
    start, end = told.current_period_start, told.current_period_end
    if row.status == "canceled" or start is None or end is None or end <= start:
        return None
    return tile(known_period(row), Period(start, end), renewal_paid=renewal_paid)


def known_period(row: SubscriptionRow) -> Period | None:
    """The last period of a subscription that we were told of."""
    start, end = row.current_period_start, row.current_period_end
    return None if start is None or end is None else Period(start, end)


def _suspended_since(row: SubscriptionRow, status: str, at: datetime) -> datetime | None:
    if status == "unpaid":
        return row.suspended_at or at
    # Paying lifts a suspension at once; only what is still unpaid keeps it.
    return row.suspended_at if STATUS_OF[status] == "past_due" else None


def is_suspended(row: SubscriptionRow | None, at: datetime, grace: timedelta) -> bool:
    """Whether a plan's payment has failed for longer than its grace, or was given up."""
    if row is None or row.status != "past_due":
        return False
    since = row.past_due_since
    return row.suspended_at is not None or (since is not None and since + grace <= at)


def is_standing(purchase: PurchaseRow) -> bool:
    """Whether a lifetime is paid for and not given back in whole."""
    paid = purchase.paid_at is not None and purchase.amount_cents is not None
    return paid and purchase.reversed_cents < (purchase.amount_cents or 1)


def choose_purchase(
    purchases: Iterable[PurchaseRow], current_session: str | None
) -> PurchaseRow | None:
    """The one lifetime purchase that counts: the one that does already, else the first paid."""
    standing = [each for each in purchases if is_standing(each)]
    for each in standing:
        if each.session_id == current_session:
            return each
    return min(standing, key=lambda each: (each.paid_at, each.session_id), default=None)

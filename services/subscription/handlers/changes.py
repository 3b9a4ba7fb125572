"""Changes of plan that Stripe is told first: previewed, changed, canceled, taken back."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.handlers.settling import settle
from services.subscription.handlers.views import subscription_of
from services.subscription.rules import offers
from services.subscription.rules.entitlements import Standing
from services.subscription.rules.moves import on_tier
from services.subscription.store.subscriptions import save_subscription
from services.subscription.tables import SubscriptionRow
from shared.contracts.base import Event, Refusal, Reply, Request
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    StripeSubscription,
)
from shared.contracts.subscription import (
    CancelSubscription,
    ChangeKind,
    ChangePlan,
    ReactivateSubscription,
    TierName,
)
from shared.database import Db
from shared.steps import AnsweringStep

Action = Literal["upgrade", "downgrade", "cancel", "cancel_now", "resume"]
ACTION_OF: dict[ChangeKind, Action] = {
    "upgrade": "upgrade",
    "downgrade": "downgrade",
    "cancel": "cancel",
    "keep": "resume",
}
BY_CHECKOUT = Refusal(
    code="checkout_required", detail="This plan begins with a checkout, not with a change."
)


class Change(msgspec.Struct, frozen=True):
    """What Stripe is to be told; `version` is what we knew then."""

    organization_id: str
    subscription_id: str
    stripe_subscription_id: str
    version: int
    action: Action
    tier: TierName | None
    price_cents: int | None
    proration_date: datetime | None
    requested_by: str
    keeps_downgrade: bool = False

    def request(self) -> ChangeStripeSubscription:
        """What Stripe is told."""
        return ChangeStripeSubscription(
            organization_id=self.organization_id,
            stripe_subscription_id=self.stripe_subscription_id,
            action=self.action,
            tier=self.tier,
            price_cents=self.price_cents,
            proration_date=self.proration_date,
            keeps_downgrade=self.keeps_downgrade,
            requested_by=self.requested_by,
        )


Told = StripeSubscription | Refusal
Q = TypeVar("Q", bound=Request[Any])


class _TellsStripe(AnsweringStep[Q, Change, Told], Generic[Q]):
    """Stripe first; a "no" of Stripe's, such as a declined card, changes nothing here."""

    state = Change

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Change) -> Told:
        """Tell Stripe, once for this step."""
        return await self._means.ask(state.request(), step_id)

    async def answer(
        self, step_id: str, state: Change, outcome: Told, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Stand as Stripe now has it; facts that came meanwhile know better what they tell of."""
        if isinstance(outcome, Refusal):
            return outcome, ()
        standing = await self._means.locked_standing(db, state.organization_id)
        live = standing.live
        events: Sequence[Event] = ()
        same = live is not None and live.subscription_id == state.subscription_id
        if live is not None and same:
            if live.stripe_version == state.version:
                await save_subscription(db, self._after(live, state, outcome, db.now))
            events = await settle(self._means, db, standing.organization)
        return await subscription_of(self._means, db, state.organization_id), events

    def _after(
        self, row: SubscriptionRow, change: Change, told: StripeSubscription, at: datetime
    ) -> SubscriptionRow:
        """The row as the change has left it by the answer, which may not be what was asked for, if
        somebody has undone it at Stripe meanwhile; the rest comes as facts of Stripe.
        """
        if change.action == "cancel_now":
            return _ended(row, told, at)
        catalogue = self._means.terms.catalogue
        coming = catalogue.get(told.pending_tier or "")
        row = msgspec.structs.replace(
            row,
            pending_tier=coming.tier if coming else None,
            pending_change_at=told.pending_change_at if coming else None,
            updated_at=at,
        )
        if change.action == "upgrade":
            plan = catalogue.get(told.tier or "")
            return msgspec.structs.replace(
                on_tier(row, plan.tier if plan else row.tier),
                price_cents=row.price_cents if told.price_cents is None else told.price_cents,
                cancel_at_period_end=told.cancel_at_period_end,
            )
        if change.action in {"cancel", "resume"}:
            ends = told.cancel_at_period_end
            canceled_at = (told.canceled_at or at) if ends else None
            return msgspec.structs.replace(row, cancel_at_period_end=ends, canceled_at=canceled_at)
        return row


def _ended(row: SubscriptionRow, told: StripeSubscription, at: datetime) -> SubscriptionRow:
    return msgspec.structs.replace(
        row,
        status="canceled",
        canceled_at=told.canceled_at or at,
        ended_at=at,
        cancel_at_period_end=False,
        pending_tier=None,
        pending_change_at=None,
        past_due_since=None,
        suspended_at=None,
        updated_at=at,
    )


def _change(
    standing: Standing,
    action: Action,
    requested_by: str,
    tier: TierName | None = None,
    proration_date: datetime | None = None,
) -> Change:
    live = standing.shown
    plan = standing.terms.catalogue[tier] if tier else None
    return Change(
        organization_id=live.organization_id,
        subscription_id=live.subscription_id,
        stripe_subscription_id=live.stripe_subscription_id or "",
        version=live.stripe_version,
        action=action,
        tier=tier,
        price_cents=plan.price_cents if plan else None,
        proration_date=proration_date,
        requested_by=requested_by,
    )


class ChangesPlan(_TellsStripe[ChangePlan]):
    """Answers `ChangePlan`."""

    kind: ClassVar[str] = "change_plan"
    request = ChangePlan

    async def prepare(self, request: ChangePlan, db: Db) -> Change | Reply:
        """Decide what the chosen tier means."""
        standing = await self._means.locked_standing(db, request.organization_id)
        kind = offers.change_kind(standing, request.tier)
        if isinstance(kind, Refusal):
            return kind
        if kind == "checkout":
            return BY_CHECKOUT
        date = request.proration_date if kind == "upgrade" else None
        outdated = offers.preview_refusal(standing, date)
        if outdated is not None:
            return outdated
        priced = kind in {"upgrade", "downgrade"}
        return _change(
            standing,
            ACTION_OF[kind],
            request.requested_by,
            request.tier if priced else None,
            date,
        )


class Cancels(_TellsStripe[CancelSubscription]):
    """Answers `CancelSubscription`."""

    kind: ClassVar[str] = "cancel_subscription"
    request = CancelSubscription

    async def prepare(self, request: CancelSubscription, db: Db) -> Change | Reply:
        """A paid plan ends with its period, or at once."""
        standing = await self._means.locked_standing(db, request.organization_id)
        refusal = offers.cancel_refusal(standing.live, at_period_end=request.at_period_end)
        if refusal is not None:
            return refusal
        action: Action = "cancel" if request.at_period_end else "cancel_now"
        return _change(standing, action, request.requested_by)


class Reactivates(_TellsStripe[ReactivateSubscription]):
    """Answers `ReactivateSubscription`."""

    kind: ClassVar[str] = "reactivate_subscription"
    request = ReactivateSubscription

    async def prepare(self, request: ReactivateSubscription, db: Db) -> Change | Reply:
        """Take a cancellation back; a cheaper plan that was to follow still does."""
        standing = await self._means.locked_standing(db, request.organization_id)
        refusal = offers.reactivate_refusal(standing.live)
        if refusal is not None:
            return refusal
        resumed = _change(standing, "resume", request.requested_by)
        return msgspec.structs.replace(resumed, keeps_downgrade=True)

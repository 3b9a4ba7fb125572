"""Subscriptions: previewed, upgraded, lowered, canceled, resumed. Stripe is told first."""

from datetime import UTC, datetime

from services.stripe_gateway.handlers import plan_changes
from services.stripe_gateway.handlers.ending import End, end_now
from services.stripe_gateway.handlers.looks.subscriptions import keep_subscription
from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.lowering import main_item
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.rules.refusals import BUSY, ENDED, NO_SUBSCRIPTION, PLAN_MISSING
from services.stripe_gateway.rules.subscriptions import Quote
from services.stripe_gateway.store import subscriptions
from services.stripe_gateway.stripe_api import OutcomeUnknown
from services.stripe_gateway.stripe_api import subscriptions as at_stripe
from services.stripe_gateway.stripe_api.prices import ensure_price
from shared.contracts.base import Refusal, Reply
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    PlanChangePreview,
    PreviewPlanChange,
)
from shared.database import Db


class PreviewState(Begun, frozen=True, kw_only=True):
    """Which change to look at."""

    stripe_subscription_id: str
    tier: str
    price_cents: int
    proration_date: datetime


class PreviewChange(StripeStep[PreviewPlanChange, PreviewState, Quote | Refusal]):
    """What another plan would cost now."""

    kind = "preview_plan_change"
    state = PreviewState
    request = PreviewPlanChange

    async def plan(self, request: PreviewPlanChange, begun: Begun, db: Db) -> PreviewState | Reply:
        """See StripeStep."""
        running = await subscriptions.find_running(db, request.organization_id)
        if running is None:
            return NO_SUBSCRIPTION
        return PreviewState(
            who=begun.who,
            mark=begun.mark,
            stripe_subscription_id=running.stripe_subscription_id,
            tier=request.tier,
            price_cents=request.price_cents,
            proration_date=request.proration_date,
        )

    async def do(self, state: PreviewState, customer_id: str) -> Quote | Refusal:  # noqa: ARG002
        """See StripeStep."""
        return await plan_changes.preview_upgrade(
            self.workshop.api,
            state.mark,
            state.stripe_subscription_id,
            state.tier,
            state.price_cents,
            int(state.proration_date.timestamp()),
        )

    async def done(self, state: PreviewState, value: Quote | Refusal, db: Db) -> Told:  # noqa: ARG002
        """See StripeStep."""
        if isinstance(value, Refusal):
            return value, ()
        moment = datetime.fromtimestamp(int(state.proration_date.timestamp()), UTC)
        reply = PlanChangePreview(
            due_now_cents=value.due_now_cents,
            proration_cents=value.proration_cents,
            unused_cents=value.proration_cents - value.rest_cents,
            rest_cents=value.rest_cents,
            next_period_cents=state.price_cents,
            proration_date=moment,
        )
        return reply, ()


class ChangeState(Begun, frozen=True, kw_only=True):
    """What to change."""

    stripe_subscription_id: str
    action: str
    tier: str | None
    price_cents: int | None
    proration_date: int | None
    refund: bool = False
    refund_from: datetime | None = None
    keeps_downgrade: bool = False
    may_be_called_off: bool = False


Changed = Subscription | Refusal


class Change(StripeStep[ChangeStripeSubscription, ChangeState, Changed]):
    """Change a subscription at Stripe, and take what came of it as the truth."""

    kind = "change_stripe_subscription"
    state = ChangeState
    request = ChangeStripeSubscription
    laned = True

    async def plan(
        self, request: ChangeStripeSubscription, begun: Begun, db: Db
    ) -> ChangeState | Reply:
        """See StripeStep."""
        # What is not paid yet can only be ended, so that it is not paid any more.
        named = request.stripe_subscription_id
        ends = named is not None and request.action == "cancel_now"
        # It may have renewed before somebody else has ended it.
        gone = ends and request.refund_from is not None
        running = await subscriptions.find_running(
            db, request.organization_id, named, unpaid=ends, ended=gone
        )
        if running is None:
            return NO_SUBSCRIPTION
        needs_plan = request.action in {"upgrade", "downgrade"}
        if needs_plan and (request.tier is None or request.price_cents is None):
            return PLAN_MISSING
        date = request.proration_date
        return ChangeState(
            who=begun.who,
            mark=begun.mark,
            stripe_subscription_id=running.stripe_subscription_id,
            action=request.action,
            tier=request.tier,
            price_cents=request.price_cents,
            proration_date=None if date is None else int(date.timestamp()),
            refund=request.refund,
            refund_from=request.refund_from,
            keeps_downgrade=request.keeps_downgrade,
            may_be_called_off=request.may_be_called_off,
        )

    async def do(self, state: ChangeState, customer_id: str) -> Changed:  # noqa: ARG002
        """See StripeStep."""
        refusal = await self._change(state)
        # What a call answers is how it stood when that was made first; this may be made again.
        subscription_id = state.stripe_subscription_id
        return refusal or await at_stripe.fetch_subscription(self.workshop.api, subscription_id)

    async def _change(self, state: ChangeState) -> Refusal | None:
        api, mark = self.workshop.api, state.mark
        try:
            current = await at_stripe.fetch_subscription(api, state.stripe_subscription_id)
        except OutcomeUnknown:
            if state.may_be_called_off:
                return BUSY
            raise
        item = main_item(current)
        if state.action == "cancel_now":
            who = state.who.organization_id
            end = End(who, mark, current, state.refund, state.refund_from)
            await end_now(self.workshop, end)
        elif current.status in at_stripe.ENDED or item is None:
            return ENDED
        elif state.action in {"upgrade", "downgrade"}:
            price = await ensure_price(api, mark, state.tier or "", state.price_cents or 0)
            if state.action == "upgrade":
                date = state.proration_date
                return await plan_changes.upgrade(api, mark, current, item, price, date)
            await plan_changes.lower(api, mark, current, item, price)
        elif state.action == "resume":
            keeps = state.keeps_downgrade
            await plan_changes.resume(api, mark, current, item, keeps_downgrade=keeps)
        else:
            await at_stripe.set_cancel_at_period_end(api, mark, current.id, cancel=True)
        return None

    async def done(self, state: ChangeState, value: Changed, db: Db) -> Told:
        """See StripeStep."""
        if isinstance(value, Refusal):
            return value, ()
        events = await keep_subscription(db, state.who.organization_id, value)
        row = await subscriptions.lock_subscription(db, value.id)
        if row is None:
            return NO_SUBSCRIPTION, events
        return subscriptions.subscription_of(row), events

"""Facts that move a plan: what stands at Stripe, lifetimes paid for or given back, grace over."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.subscription.handlers.at_stripe import refund_purchase
from services.subscription.handlers.means import Means
from services.subscription.handlers.settling import settle
from services.subscription.rules.moves import (
    choose_purchase,
    is_standing,
    known_period,
    stand_as_at_stripe,
    told_tiling,
)
from services.subscription.store import quotas
from services.subscription.store.subscriptions import (
    list_overdue,
    list_purchases,
    list_subscriptions,
    next_overdue,
    save_purchase,
    save_subscription,
)
from services.subscription.tables import PurchaseRow, SubscriptionRow
from shared.clock import new_id
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import PurchasePaid, PurchaseReversed, SubscriptionChanged
from shared.database import Db

OVERDUE_AT_ONCE = 200


class Plans:
    """Handlers of facts that move an organization's plan."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def follow_stripe(self, event: SubscriptionChanged, db: Db) -> Sequence[Event]:
        """Stand as the subscription stands at Stripe; out of date facts change nothing."""
        standing = await self._means.locked_standing(db, event.organization_id)
        told_id = event.subscription.stripe_subscription_id
        rows = await list_subscriptions(db, event.organization_id)
        known = next((row for row in rows if row.stripe_subscription_id == told_id), None)
        if known is not None and event.version <= known.stripe_version:
            return ()
        row = known or self._first_seen(event)
        if row is None:
            return ()
        moved = stand_as_at_stripe(
            row, event.subscription, event.version, event.changed_at, self._means.terms.catalogue
        )
        await save_subscription(db, await _with_periods(db, row, moved, event))
        return await settle(self._means, db, standing.organization)

    def _first_seen(self, event: SubscriptionChanged) -> SubscriptionRow | None:
        """A subscription that we did not know; without a tier of ours it is not one of ours."""
        told = event.subscription
        plan = self._means.terms.catalogue.get(told.tier or "")
        if plan is None:
            return None
        began_at = told.trial_start or told.current_period_start or event.changed_at
        return SubscriptionRow(
            subscription_id=new_id(),
            organization_id=event.organization_id,
            source="stripe",
            tier=plan.tier,
            status="incomplete",
            stripe_subscription_id=told.stripe_subscription_id,
            began_at=min(began_at, told.current_period_start or began_at),
            created_at=event.changed_at,
            updated_at=event.changed_at,
        )

    async def begin_lifetime(self, event: PurchasePaid, db: Db) -> Sequence[Event]:
        """A lifetime is paid for; what else was bought is not ours."""
        if event.kind != "lifetime":
            return ()
        await self._means.locked_standing(db, event.organization_id)
        purchase = await _purchase(db, event.organization_id, event.session_id)
        if purchase.paid_at is not None:
            return ()
        paid = msgspec.structs.replace(
            purchase, paid_at=event.paid_at, amount_cents=event.amount_cents
        )
        return await self._settle_lifetime(db, paid)

    async def reverse_lifetime(self, event: PurchaseReversed, db: Db) -> Sequence[Event]:
        """A lifetime is refunded or disputed away, or reinstated."""
        if event.kind != "lifetime":
            return ()
        await self._means.locked_standing(db, event.organization_id)
        purchase = await _purchase(db, event.organization_id, event.session_id)
        if event.version <= purchase.reversal_version:
            return ()
        changed = msgspec.structs.replace(
            purchase, reversed_cents=event.reversed_cents, reversal_version=event.version
        )
        return await self._settle_lifetime(db, changed)

    async def _settle_lifetime(self, db: Db, changed: PurchaseRow) -> Sequence[Event]:
        await save_purchase(db, changed)
        organization_id = changed.organization_id
        standing = await self._means.locked_standing(db, organization_id)
        rows = await list_subscriptions(db, organization_id)
        row = next((each for each in rows if each.source == "lifetime"), None)
        current = row.session_id if row and row.status != "canceled" else None
        purchases = await list_purchases(db, organization_id)
        chosen = choose_purchase(purchases, current)
        if chosen is None and row is None:
            return ()
        for each in purchases:
            # Two tabs, two payments: one lifetime, and the other money goes back.
            if is_standing(each) and chosen and each.session_id != chosen.session_id:
                await refund_purchase(db, each)
        if chosen is not None:
            await save_subscription(db, _lifetime(row, chosen, db))
        elif row is not None:
            await save_subscription(db, ended(row, db))
        return await settle(self._means, db, standing.organization)

    async def suspend_overdue(self, db: Db) -> Sequence[Event]:
        """Suspend plans whose grace is over."""
        since = db.now - self._means.terms.grace
        events: list[Event] = []
        for organization_id in sorted(await list_overdue(db, since, OVERDUE_AT_ONCE)):
            standing = await self._means.locked_standing(db, organization_id)
            live = standing.live
            if live is None or live.suspended_at or not standing.plan_suspended:
                continue
            suspended = msgspec.structs.replace(live, suspended_at=db.now, updated_at=db.now)
            await save_subscription(db, suspended)
            events += await settle(self._means, db, standing.organization)
        return events

    async def next_suspension(self, db: Db) -> datetime | None:
        """When the next grace is over."""
        since = await next_overdue(db)
        return None if since is None else since + self._means.terms.grace


async def _purchase(db: Db, organization_id: str, session_id: str) -> PurchaseRow:
    known = await list_purchases(db, organization_id)
    found = next((each for each in known if each.session_id == session_id), None)
    return found or PurchaseRow(organization_id=organization_id, session_id=session_id)


def _lifetime(row: SubscriptionRow | None, purchase: PurchaseRow, db: Db) -> SubscriptionRow:
    """The lifetime of a purchase, begun or begun again; an old row keeps its own limits."""
    bought_at = purchase.paid_at or db.now
    same = row is not None and row.session_id == purchase.session_id
    runs_since = row.runs_since if row and same else bought_at
    if row and same and row.status == "canceled":
        # What was paid for while it was taken away was had.
        runs_since = db.now
    begun = row or SubscriptionRow(
        subscription_id=new_id(),
        organization_id=purchase.organization_id,
        source="lifetime",
        tier="lifetime",
        status="active",
        began_at=bought_at,
        created_at=db.now,
        updated_at=db.now,
    )
    return msgspec.structs.replace(
        begun,
        status="active",
        session_id=purchase.session_id,
        price_cents=purchase.amount_cents,
        began_at=bought_at,
        runs_since=runs_since,
        canceled_at=None,
        ended_at=None,
        updated_at=db.now,
    )


def ended(row: SubscriptionRow, db: Db) -> SubscriptionRow:
    """A plan that is taken back now."""
    return msgspec.structs.replace(
        row, status="canceled", canceled_at=db.now, ended_at=db.now, updated_at=db.now
    )


async def _with_periods(
    db: Db, before: SubscriptionRow, moved: SubscriptionRow, event: SubscriptionChanged
) -> SubscriptionRow:
    """Let the periods go on as they are told, and end with the subscription."""
    organization_id, subscription_id = moved.organization_id, moved.subscription_id
    last = known_period(before)
    tiling = told_tiling(before, event.subscription, renewal_paid=event.renewal_paid)
    current = tiling.current if tiling else last
    if tiling is not None:
        if last is not None and tiling.last_end is not None:
            await quotas.set_period(
                db, organization_id, subscription_id, last.start, tiling.last_end
            )
        if tiling.missed is not None:
            await quotas.set_period(db, organization_id, subscription_id, *tiling.missed)
    if current is None:
        return moved
    if moved.ended_at is not None and current.start < moved.ended_at < current.end:
        current = current._replace(end=moved.ended_at)
    await quotas.set_period(db, organization_id, subscription_id, *current)
    return msgspec.structs.replace(
        moved, current_period_start=current.start, current_period_end=current.end
    )

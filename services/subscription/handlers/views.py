"""What is answered to readers: plans, subscription, usage, whether a workflow may run."""

from typing import Any, NamedTuple

from services.subscription.handlers.means import Means
from services.subscription.rules import offers
from services.subscription.rules.coverage import (
    Source,
    auto_billing,
    included,
    suspended_refusal,
    uncovered_refusal,
)
from services.subscription.rules.entitlements import Standing, remaining
from services.subscription.store.quotas import Key, get_quotas
from services.subscription.store.subscriptions import list_subscriptions
from services.subscription.store.usage import get_gauges
from services.subscription.tables import QuotaRow, SubscriptionRow
from shared.contracts.base import Refusal
from shared.contracts.subscription import (
    CheckExecution,
    CoveredBy,
    ExecutionCheck,
    GetPlans,
    GetSubscription,
    GetUsageSummary,
    LimitWarning,
    Offer,
    OfferTier,
    Plans,
    Subscription,
    TierName,
    UsageSummary,
)
from shared.database import Db

Counters = dict[Key, QuotaRow]


class Ahead(NamedTuple):
    """What would cover one more workflow, in the order in which a reservation looks."""

    standing: Standing
    before_credits: CoveredBy | None
    after_credits: CoveredBy | None


class Views:
    """Handlers of requests that change nothing."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def plans(self, _request: GetPlans, _db: Db) -> Plans:
        """The catalogue, cheapest first as it is written."""
        terms = self._means.terms
        return Plans(
            plans=tuple(terms.catalogue.values()),
            workflow_price_cents=terms.workflow_price_cents,
            free_workflows_per_month=terms.catalogue["free"].workflows_limit,
        )

    async def offer(self, request: OfferTier, db: Db) -> Offer | Refusal:
        """What a tier costs by checkout."""
        return await offer_of(self._means, db, request.organization_id, request.tier)

    async def subscription(self, request: GetSubscription, db: Db) -> Subscription:
        """What an organization has."""
        return await subscription_of(self._means, db, request.organization_id)

    async def usage_summary(self, request: GetUsageSummary, db: Db) -> UsageSummary:
        """The counters of an organization."""
        standing = await self._means.standing(db, request.organization_id)
        counters = await counters_of(db, standing)
        month, limits = standing.month, standing.plan
        plan = counters.get(standing.counter_key)
        free = counters.get(("free", "", month.start))
        billed = counters.get(("auto_billing", "", month.start))
        return UsageSummary(
            organization_id=request.organization_id,
            tier=standing.shown.tier,
            status=standing.shown.status,
            suspended=standing.suspended,
            period_start=standing.counted.start,
            period_end=standing.counted.end,
            workflows_limit=limits.workflows_limit,
            workflows_used=plan.used if plan else 0,
            workflows_reserved=plan.reserved if plan else 0,
            workflows_remaining=remaining(limits.workflows_limit, plan),
            free_workflows_limit=standing.free_limit,
            free_workflows_used=free.used if free else 0,
            free_workflows_reserved=free.reserved if free else 0,
            free_workflows_remaining=remaining(standing.free_limit, free),
            free_workflows_reset_at=month.end,
            auto_billed_workflows=billed.used + billed.reserved if billed else 0,
            workflow_price_cents=standing.terms.workflow_price_cents,
            agents_limit=limits.agents_limit,
            storage_limit_gb=limits.storage_limit_gb,
            **await gauges_in_use(db, request.organization_id),
        )

    async def look_ahead(self, request: CheckExecution, db: Db) -> Ahead:
        """What would cover a workflow before credits, and after them."""
        standing = await self._means.standing(db, request.organization_id)
        counters = await counters_of(db, standing)
        included_in = (each.source for each in included(standing) if _has_room(each, counters))
        last = auto_billing(standing)
        billed = last is not None and _has_room(last, counters)
        return Ahead(standing, next(included_in, None), "auto_billing" if billed else None)

    async def check_execution(self, request: CheckExecution, ahead: Ahead) -> ExecutionCheck:
        """Whether a workflow would be let through. Account is asked only when it is up to credits,
        for what reservations hold is known there and nowhere else.
        """
        standing, covered_by = ahead.standing, ahead.before_credits
        price = standing.terms.workflow_price_cents
        if covered_by is None and not standing.suspended:
            spendable = await self._means.spendable_cents(request.organization_id)
            covered_by = "credits" if spendable >= price else ahead.after_credits
        if standing.suspended or covered_by is None:
            refusal = suspended_refusal() if standing.suspended else uncovered_refusal(standing)
            return ExecutionCheck(
                can_execute=False,
                covered_by="none",
                code=refusal.code,
                detail=refusal.detail,
                unit_price_cents=price,
            )
        return ExecutionCheck(
            can_execute=True,
            covered_by=covered_by,
            code=f"covered_by_{covered_by}",
            detail="The workflow may run.",
            unit_price_cents=price,
        )


async def offer_of(means: Means, db: Db, organization_id: str, tier: TierName) -> Offer | Refusal:
    """What a tier costs an organization by checkout."""
    is_first = offers.has_had_none(await list_subscriptions(db, organization_id))
    return offers.offer(await means.standing(db, organization_id), tier, is_first=is_first)


def _has_room(source: Source, counters: Counters) -> bool:
    key = (source.source, source.subject, source.period.start)
    return remaining(source.limit, counters.get(key)) != 0


async def counters_of(db: Db, standing: Standing) -> Counters:
    """The counters of an organization's present periods."""
    month = standing.month.start
    keys: list[Key] = [("free", "", month), ("auto_billing", "", month), standing.counter_key]
    return await get_quotas(db, standing.organization.organization_id, list(dict.fromkeys(keys)))


async def gauges_in_use(db: Db, organization_id: str) -> dict[str, Any]:
    """Agents and bytes in use, by the names that replies give them."""
    gauges = await get_gauges(db, organization_id)
    agents, storage = gauges.get("agents_in_use"), gauges.get("storage_bytes")
    return {
        "agents_used": agents.value if agents else 0,
        "storage_used_bytes": storage.value if storage else 0,
    }


async def coming_warnings(db: Db, standing: Standing, tier: TierName) -> tuple[LimitWarning, ...]:
    """What is in use beyond the limits of a tier that is to come."""
    counter = (await counters_of(db, standing)).get(standing.counter_key)
    gauges = await gauges_in_use(db, standing.organization.organization_id)
    taken = counter.used + counter.reserved if counter else 0
    return offers.limit_warnings(standing.terms.catalogue[tier], taken, **gauges)


# Fields that a reply has from the row as it is.
AS_IT_IS = (
    "subscription_id",
    "organization_id",
    "tier",
    "price_cents",
    "status",
    "cancel_at_period_end",
    "canceled_at",
    "trial_start",
    "trial_end",
    "pending_tier",
    "pending_change_at",
    "created_at",
    "updated_at",
)


async def subscription_of(means: Means, db: Db, organization_id: str) -> Subscription:
    """The subscription that counts, in the words of the client's document."""
    standing = await means.standing(db, organization_id)
    shown, limits, period = standing.shown, standing.plan, standing.period
    counter = (await counters_of(db, standing)).get(standing.counter_key)
    lifetime = shown.source == "lifetime"
    coming: TierName | None = "free" if shown.cancel_at_period_end else shown.pending_tier
    since = shown.past_due_since
    return Subscription(
        billing_account_id=standing.organization.billing_account_id,
        current_period_start=period.start,
        current_period_end=None if lifetime else period.end,
        workflows_limit=limits.workflows_limit,
        workflows_used=counter.used if counter else 0,
        workflows_reserved=counter.reserved if counter else 0,
        workflows_remaining=remaining(limits.workflows_limit, counter),
        workflows_reset_at=standing.counted.end,
        agents_limit=limits.agents_limit,
        storage_limit_gb=limits.storage_limit_gb,
        is_lifetime=lifetime,
        lifetime_purchase_date=shown.began_at if lifetime else None,
        lifetime_purchase_cents=shown.price_cents if lifetime else None,
        is_byo=shown.tier == "byo",
        byo_providers_configured=_providers(shown),
        suspended=standing.suspended,
        grace_ends_at=since + standing.terms.grace if since else None,
        warnings=await coming_warnings(db, standing, coming) if coming else (),
        **{name: getattr(shown, name) for name in AS_IT_IS},
        **await gauges_in_use(db, organization_id),
    )


def _providers(shown: SubscriptionRow) -> tuple[str, ...] | None:
    return None if shown.byo_providers is None else tuple(shown.byo_providers)

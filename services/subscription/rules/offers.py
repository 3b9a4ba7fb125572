"""What an organization may buy or change to, and what stands in its way."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.subscription.rules.entitlements import Standing
from services.subscription.tables.rows import SubscriptionRow
from shared.contracts.base import Refusal
from shared.contracts.subscription import (
    UNLIMITED,
    ChangeKind,
    LimitWarning,
    Offer,
    Plan,
    TierName,
)

NOT_FOUND = 404
BYTES_PER_GB = 1024**3
# The web page keeps a preview open, and what was agreed to there shall cost what it said.
PREVIEW_HOLDS = timedelta(hours=1)
PREVIEW_OUTDATED = Refusal(
    code="preview_outdated",
    detail="The price of this change has moved on. Please ask for a new preview and confirm it.",
)
CONTACT_US = Refusal(
    code="contact_us", detail="The enterprise tier is agreed upon in person. Please contact us."
)
MANAGED = Refusal(
    code="managed_by_operator", detail="This plan was set up by us. Please contact us to change it."
)
LIFETIME = Refusal(code="already_lifetime", detail="This organization has a lifetime plan already.")
NO_PAID_PLAN = Refusal(
    code="no_paid_subscription", detail="There is no paid subscription.", status=NOT_FOUND
)


def offer(standing: Standing, tier: TierName, *, is_first: bool) -> Offer | Refusal:
    """What a tier costs by checkout, or why it cannot be bought so; only a first plan is tried."""
    plan = standing.terms.catalogue[tier]
    refusal = _not_for_sale(plan) or _blocked(standing.live, tier)
    if refusal is not None:
        return refusal
    return Offer(
        tier=tier,
        name=plan.name,
        price_cents=plan.price_cents or 0,
        interval="once" if plan.interval == "once" else "month",
        trial_days=plan.trial_days if is_first else 0,
    )


def has_had_none(rows: Iterable[SubscriptionRow]) -> bool:
    """Whether an organization has never subscribed at Stripe."""
    return all(row.source != "stripe" for row in rows)


def _not_for_sale(plan: Plan) -> Refusal | None:
    if plan.tier == "enterprise":
        return CONTACT_US
    if plan.interval is None or not plan.price_cents:
        return Refusal(code="not_for_sale", detail=f"The {plan.name} tier is not bought.")
    return None


def _blocked(live: SubscriptionRow | None, tier: TierName) -> Refusal | None:
    if live is None or live.status == "incomplete" or _is_paused(live):
        return None
    if live.source == "lifetime":
        return LIFETIME
    if live.source == "operator":
        return MANAGED
    if tier == "lifetime":
        return None
    if live.tier == tier:
        return Refusal(code="already_on_tier", detail="The organization is on this plan already.")
    return Refusal(
        code="change_instead", detail="A plan is running: change it instead of buying another one."
    )


def change_kind(standing: Standing, tier: TierName) -> ChangeKind | Refusal:
    """What choosing a tier means: upgrade now, downgrade at period end, keep, end, or buy."""
    live = standing.live
    if live is None or live.status == "incomplete" or _is_paused(live):
        return _bought(standing, tier)
    if live.source != "stripe":
        return LIFETIME if live.source == "lifetime" else MANAGED
    if tier in {"enterprise", "lifetime"}:
        return CONTACT_US if tier == "enterprise" else "checkout"
    if tier == live.tier:
        if live.pending_tier is not None or live.cancel_at_period_end:
            return "keep"
        return Refusal(code="already_on_tier", detail="The organization is on this plan already.")
    return _direction(standing, live, tier)


def _is_paused(live: SubscriptionRow) -> bool:
    """Whether a plan stands still at Stripe: it serves nothing and nothing is due, so that there is
    nothing to pay or to change. Another one, or the same, is bought anew and takes its place.
    """
    return live.source == "stripe" and live.status == "paused"


def _bought(standing: Standing, tier: TierName) -> ChangeKind | Refusal:
    if tier == "free" and standing.live is not None and _is_paused(standing.live):
        return "cancel"
    if tier == "free":
        return Refusal(code="already_on_tier", detail="The organization is on the free tier.")
    bought = offer(standing, tier, is_first=False)
    return bought if isinstance(bought, Refusal) else "checkout"


def _direction(standing: Standing, live: SubscriptionRow, tier: TierName) -> ChangeKind | Refusal:
    if live.status not in {"active", "trialing"}:
        return Refusal(
            code="payment_outstanding", detail="Pay what is due before you change the plan."
        )
    if tier == "free":
        return "cancel"
    now = live.price_cents or standing.terms.catalogue[live.tier].price_cents or 0
    then = standing.terms.catalogue[tier].price_cents or 0
    return "upgrade" if then > now else "downgrade"


def preview_refusal(standing: Standing, proration_date: datetime | None) -> Refusal | None:
    """Why an upgrade may not be charged as of a moment that the customer names, if so.

    What is left of the period from that moment on is what an upgrade costs, so one that lies ahead
    would make it cheaper, down to nothing at the period's end; one of long ago is of no preview.
    """
    if proration_date is None:
        return None
    age = standing.at - proration_date
    if timedelta() <= age <= PREVIEW_HOLDS and proration_date >= standing.period.start:
        return None
    return PREVIEW_OUTDATED


def cancel_refusal(live: SubscriptionRow | None, *, at_period_end: bool) -> Refusal | None:
    """Why a subscription cannot be ended, if so."""
    if live is None or live.status == "incomplete":
        return NO_PAID_PLAN
    if live.source == "lifetime":
        return Refusal(
            code="lifetime_has_no_renewal", detail="A lifetime plan has nothing to cancel."
        )
    if live.source == "operator":
        return MANAGED
    if at_period_end and live.cancel_at_period_end:
        return Refusal(
            code="already_canceled", detail="The subscription ends with its period already."
        )
    return None


def reactivate_refusal(live: SubscriptionRow | None) -> Refusal | None:
    """Why there is no cancellation to take back, if so."""
    if live is not None and live.source == "stripe" and live.cancel_at_period_end:
        return None
    return Refusal(code="not_canceled", detail="No cancellation is pending.")


def limit_warnings(
    plan: Plan, workflows_used: int, agents_used: int, storage_used_bytes: int
) -> tuple[LimitWarning, ...]:
    """What is in use beyond a plan's limits; it is not taken away, but nothing is added."""
    storage_gb = -(-storage_used_bytes // BYTES_PER_GB)
    found = []
    if _exceeds(workflows_used, plan.workflows_limit):
        detail = f"{workflows_used} workflows were used; {plan.name} includes"
        found.append(("workflows", workflows_used, plan.workflows_limit, detail))
    if _exceeds(agents_used, plan.agents_limit):
        detail = f"{agents_used} agents are in use; {plan.name} includes"
        found.append(("agents", agents_used, plan.agents_limit, detail))
    if _exceeds(storage_gb, plan.storage_limit_gb):
        detail = f"{storage_gb} GB are stored; {plan.name} includes"
        found.append(("storage", storage_gb, plan.storage_limit_gb, detail))
    return tuple(
        LimitWarning(
            resource=resource,  # type: ignore[arg-type]  # one of the three above
            used=used,
            limit=limit,
            detail=f"{detail} {limit}.",
        )
        for resource, used, limit, detail in found
    )


def _exceeds(used: int, limit: int) -> bool:
    return limit != UNLIMITED and used > limit

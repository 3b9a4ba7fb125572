"""What covers a workflow: plan, free ones, credits, auto-billing; else it is refused (402)."""

from typing import NamedTuple

from services.subscription.rules.entitlements import Standing
from services.subscription.rules.periods import Period
from services.subscription.tables.rows import QuotaSource
from shared.contracts.base import Refusal
from shared.contracts.subscription import UNLIMITED, Resource

PAYMENT_REQUIRED = 402
# Said once per period each: so much of a limit is taken.
THRESHOLDS = (80, 100)


class Source(NamedTuple):
    """A counter that may cover workflows, with its limit now (-1 unlimited)."""

    source: QuotaSource
    subject: str
    period: Period
    limit: int


def included(standing: Standing) -> tuple[Source, ...]:
    """What costs nothing beyond the plan, in order: the plan's quota, then free workflows."""
    free = Source("free", "", standing.month, standing.free_limit)
    if not standing.serves or standing.live is None:
        return (free,)
    subject = standing.live.subscription_id
    plan = Source("plan", subject, standing.period, standing.plan.workflows_limit)
    return (plan, free)


def auto_billing(standing: Standing) -> Source | None:
    """The last resort, if it is switched on and there is something to charge."""
    organization, price = standing.organization, standing.terms.workflow_price_cents
    if not (organization.auto_billing_enabled and organization.has_payment_method):
        return None
    limit = organization.auto_billing_monthly_limit_cents
    workflows = UNLIMITED if limit is None or price == 0 else limit // price
    return Source("auto_billing", "", standing.month, workflows)


def resource_of(source: QuotaSource) -> Resource | None:
    """What a counter is called when it is nearly used up; auto-billing warns elsewhere."""
    names: dict[QuotaSource, Resource] = {"plan": "workflows", "free": "free_workflows"}
    return names.get(source)


def suspended_refusal() -> Refusal:
    """Why a suspended account runs nothing."""
    return Refusal(
        code="account_suspended",
        detail="The account is suspended due to payment issues. Update your payment method.",
        status=PAYMENT_REQUIRED,
    )


def uncovered_refusal(standing: Standing) -> Refusal:
    """Why nothing covers another workflow."""
    last = auto_billing(standing)
    if last is not None:
        return Refusal(
            code="auto_billing_limit_reached",
            detail="The monthly limit of auto-billing is reached. Raise it or add credits.",
            status=PAYMENT_REQUIRED,
        )
    if standing.serves:
        limit = standing.plan.workflows_limit
        return Refusal(
            code="workflow_limit_reached",
            detail=f"Monthly workflow limit ({limit}) reached. Add credits or upgrade your plan.",
            status=PAYMENT_REQUIRED,
        )
    return Refusal(
        code="free_workflows_used",
        detail="No free workflows remaining. Please add credits or subscribe to a plan.",
        status=PAYMENT_REQUIRED,
    )


class Warned(NamedTuple):
    """Up to which threshold of which limit a period was told of."""

    percent: int
    limit: int | None


def thresholds_crossed(taken: int, limit: int, warned: Warned) -> tuple[int, ...]:
    """The thresholds that `taken` of `limit` has reached and that were not told of yet: all of a
    limit that is new.
    """
    if limit <= 0:
        return ()
    # Of what was told before the limit was written down beside it, we know no other.
    told = warned.percent if warned.limit in {None, limit} else 0
    return tuple(percent for percent in THRESHOLDS if told < percent <= taken * 100 // limit)

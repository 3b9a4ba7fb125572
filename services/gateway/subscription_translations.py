"""Contracts of subscription become responses; cents turn into dollars, bytes into GB. Pure."""

from collections.abc import Iterable

from services.gateway.dollars import dollars_of_cents
from services.gateway.subscription_responses import (
    ChangePreviewResponse,
    ExecutionCheckResponse,
    LimitWarningResponse,
    PlanResponse,
    PlansResponse,
    ReservationResponse,
    SubscriptionResponse,
    UsageSummaryResponse,
)
from shared.contracts.subscription import (
    ChangePreview,
    ExecutionCheck,
    LimitWarning,
    Plans,
    Reservation,
    Subscription,
    UsageSummary,
)

# As the subscription service counts.
BYTES_PER_GB = 1024**3


def _dollars(cents: int | None) -> float | None:
    return None if cents is None else dollars_of_cents(cents)


def _gigabytes(size_bytes: int) -> float:
    return size_bytes / BYTES_PER_GB


def plans(found: Plans) -> PlansResponse:
    """The catalogue."""
    return PlansResponse(
        plans=[
            PlanResponse(
                tier=plan.tier,
                name=plan.name,
                price=_dollars(plan.price_cents),
                interval=plan.interval,
                workflows_limit=plan.workflows_limit,
                agents_limit=plan.agents_limit,
                storage_limit_gb=plan.storage_limit_gb,
                trial_days=plan.trial_days,
                notes=list(plan.notes),
            )
            for plan in found.plans
        ],
        workflow_price=dollars_of_cents(found.workflow_price_cents),
        free_workflows_per_month=found.free_workflows_per_month,
    )


def _warnings(found: Iterable[LimitWarning]) -> list[LimitWarningResponse]:
    return [
        LimitWarningResponse(
            resource=each.resource, used=each.used, limit=each.limit, detail=each.detail
        )
        for each in found
    ]


def subscription(found: Subscription, billing_account_id: str) -> SubscriptionResponse:
    """A subscription, with the account that it belongs to."""
    providers = found.byo_providers_configured
    return SubscriptionResponse(
        id=found.subscription_id,
        organization_id=found.organization_id,
        billing_account_id=billing_account_id,
        tier=found.tier,
        status=found.status,
        current_period_start=found.current_period_start,
        current_period_end=found.current_period_end,
        cancel_at_period_end=found.cancel_at_period_end,
        canceled_at=found.canceled_at,
        trial_start=found.trial_start,
        trial_end=found.trial_end,
        workflows_limit=found.workflows_limit,
        workflows_used=found.workflows_used,
        workflows_remaining=found.workflows_remaining,
        agents_limit=found.agents_limit,
        storage_limit_gb=found.storage_limit_gb,
        storage_used_gb=_gigabytes(found.storage_used_bytes),
        is_lifetime=found.is_lifetime,
        lifetime_purchase_date=found.lifetime_purchase_date,
        lifetime_purchase_amount=_dollars(found.lifetime_purchase_cents),
        is_byo=found.is_byo,
        byo_providers_configured=None if providers is None else list(providers),
        created_at=found.created_at,
        updated_at=found.updated_at,
        pending_tier=found.pending_tier,
        pending_change_at=found.pending_change_at,
        agents_used=found.agents_used,
        workflows_reserved=found.workflows_reserved,
        workflows_reset_at=found.workflows_reset_at,
        price=_dollars(found.price_cents),
        suspended=found.suspended,
        grace_ends_at=found.grace_ends_at,
        warnings=_warnings(found.warnings),
    )


def change_preview(found: ChangePreview) -> ChangePreviewResponse:
    """What a change of plan would be."""
    return ChangePreviewResponse(
        kind=found.kind,
        from_tier=found.from_tier,
        to_tier=found.to_tier,
        due_now=dollars_of_cents(found.due_now_cents),
        proration=dollars_of_cents(found.proration_cents),
        unused_time=dollars_of_cents(found.unused_cents),
        rest_of_period=dollars_of_cents(found.rest_cents),
        next_period=dollars_of_cents(found.next_period_cents),
        proration_date=found.proration_date,
        takes_effect_at=found.takes_effect_at,
        warnings=_warnings(found.warnings),
    )


def reservation(found: Reservation) -> ReservationResponse:
    """A workflow that may run, or has ended."""
    return ReservationResponse(
        id=found.reservation_id,
        organization_id=found.organization_id,
        workflow_id=found.workflow_id,
        state=found.state,
        covered_by=found.covered_by,
        unit_price=dollars_of_cents(found.unit_price_cents),
        expires_at=found.expires_at,
        charged_at=found.charged_at,
    )


def execution_check(found: ExecutionCheck) -> ExecutionCheckResponse:
    """Whether a workflow would be let through."""
    return ExecutionCheckResponse(
        can_execute=found.can_execute,
        reason=None if found.can_execute else found.detail,
        code=found.code,
        covered_by=found.covered_by,
        unit_price=dollars_of_cents(found.unit_price_cents),
    )


def usage_summary(
    usage: UsageSummary, check: ExecutionCheck, credit_balance_cents: int
) -> UsageSummaryResponse:
    """The counters of an organization, beside its credits."""
    return UsageSummaryResponse(
        organization_id=usage.organization_id,
        subscription_tier=usage.tier,
        status=usage.status,
        suspended=usage.suspended,
        period_start=usage.period_start,
        period_end=usage.period_end,
        workflows_limit=usage.workflows_limit,
        workflows_used=usage.workflows_used,
        workflows_reserved=usage.workflows_reserved,
        workflows_remaining=usage.workflows_remaining,
        free_workflows_limit=usage.free_workflows_limit,
        free_workflows_used=usage.free_workflows_used,
        free_workflows_remaining=usage.free_workflows_remaining,
        free_workflows_reset_at=usage.free_workflows_reset_at,
        auto_billed_workflows=usage.auto_billed_workflows,
        workflow_price=dollars_of_cents(usage.workflow_price_cents),
        agents_limit=usage.agents_limit,
        agents_used=usage.agents_used,
        storage_limit_gb=usage.storage_limit_gb,
        storage_used_gb=_gigabytes(usage.storage_used_bytes),
        credit_balance=dollars_of_cents(credit_balance_cents),
        can_execute=check.can_execute,
        reason=None if check.can_execute else check.detail,
    )

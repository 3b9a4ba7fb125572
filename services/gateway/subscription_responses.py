"""What clients get of plans, subscriptions and workflows; -1 is unlimited."""

from datetime import datetime
from typing import Literal

from services.gateway.responses import ApiResponse
from shared.contracts.subscription import (
    ChangeKind,
    CoveredBy,
    PlanStatus,
    Resource,
    TierName,
    WorkflowState,
)


class PlanResponse(ApiResponse, frozen=True, kw_only=True):
    """A tier as it is offered; without a price one has to ask for it. `trial_days` are free for
    an organization that has had no plan yet.
    """

    tier: TierName
    name: str
    price: float | None
    interval: Literal["month", "once"] | None
    workflows_limit: int
    agents_limit: int
    storage_limit_gb: int
    trial_days: int
    notes: list[str]


class PlansResponse(ApiResponse, frozen=True, kw_only=True):
    """The catalogue, and what a workflow costs beyond quota and free ones."""

    plans: list[PlanResponse]
    workflow_price: float
    free_workflows_per_month: int


class LimitWarningResponse(ApiResponse, frozen=True, kw_only=True):
    """What is in use exceeds what a coming plan allows."""

    resource: Resource
    used: int
    limit: int
    detail: str


class SubscriptionResponse(ApiResponse, frozen=True, kw_only=True):
    """What an organization has; the free tier is a subscription, too.

    `workflows_used` are charged, `workflows_reserved` still run, neither is in
    `workflows_remaining`. A change that waits stands in `pending_tier`.
    """

    id: str
    organization_id: str
    billing_account_id: str
    tier: TierName
    status: PlanStatus
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    trial_start: datetime | None
    trial_end: datetime | None
    workflows_limit: int
    workflows_used: int
    workflows_remaining: int
    agents_limit: int
    storage_limit_gb: float
    storage_used_gb: float
    is_lifetime: bool
    lifetime_purchase_date: datetime | None
    lifetime_purchase_amount: float | None
    is_byo: bool
    byo_providers_configured: list[str] | None
    created_at: datetime | None
    updated_at: datetime | None
    pending_tier: TierName | None
    pending_change_at: datetime | None
    agents_used: int
    workflows_reserved: int
    workflows_reset_at: datetime | None
    price: float | None
    suspended: bool
    grace_ends_at: datetime | None
    warnings: list[LimitWarningResponse]


class ChangePreviewResponse(ApiResponse, frozen=True, kw_only=True):
    """What choosing a tier would do, when, and what is charged now and each period after.

    The `proration_date`, given with the change, makes it cost the same. `proration` is the sum of
    what is given back for unused time (never above 0) and what the rest of the period costs.
    """

    kind: ChangeKind
    from_tier: TierName
    to_tier: TierName
    due_now: float
    proration: float
    unused_time: float
    rest_of_period: float
    next_period: float
    proration_date: datetime | None
    takes_effect_at: datetime | None
    warnings: list[LimitWarningResponse]


class ReservationResponse(ApiResponse, frozen=True, kw_only=True):
    """A workflow that may run, and what covers it; `unit_price` is the list price."""

    id: str
    organization_id: str
    workflow_id: str
    state: WorkflowState
    covered_by: CoveredBy | None
    unit_price: float
    expires_at: datetime | None
    charged_at: datetime | None


class ExecutionCheckResponse(ApiResponse, frozen=True, kw_only=True):
    """Whether a workflow would be let through now; nothing is reserved."""

    can_execute: bool
    reason: str | None
    code: str
    covered_by: CoveredBy
    unit_price: float


class UsageSummaryResponse(ApiResponse, frozen=True, kw_only=True):
    """What is used and left, and whether a workflow would be let through now."""

    organization_id: str
    subscription_tier: TierName
    status: PlanStatus
    suspended: bool
    period_start: datetime
    period_end: datetime | None
    workflows_limit: int
    workflows_used: int
    workflows_reserved: int
    workflows_remaining: int
    free_workflows_limit: int
    free_workflows_used: int
    free_workflows_remaining: int
    free_workflows_reset_at: datetime
    auto_billed_workflows: int
    workflow_price: float
    agents_limit: int
    agents_used: int
    storage_limit_gb: float
    storage_used_gb: float
    credit_balance: float
    can_execute: bool
    reason: str | None

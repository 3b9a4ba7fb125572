"""What subscription says and answers: plans, quotas, workflows. Integer cents; -1 is unlimited."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import (
    AwareTime,
    Contract,
    Count,
    Done,
    Event,
    Organization,
    Refusal,
    Reply,
    Request,
    Text,
)

TierName = Literal["free", "starter", "pro", "team", "enterprise", "lifetime", "byo"]
PlanStatus = Literal["active", "trialing", "past_due", "canceled", "paused", "incomplete"]
CoveredBy = Literal["plan", "free", "credits", "auto_billing", "none"]
WorkflowState = Literal["pending", "reserved", "charged", "released", "expired", "refused"]
ReleaseReason = Literal["failed", "canceled", "released", "expired"]
Resource = Literal["workflows", "free_workflows", "agents", "storage"]
GaugeName = Literal["agents_in_use", "storage_bytes"]
ChangeKind = Literal["checkout", "upgrade", "downgrade", "cancel", "keep"]

UNLIMITED = -1
Limit = Annotated[int, Meta(ge=-1, le=10**9)]
Provider = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
ReservationSeconds = Annotated[int, Meta(ge=1, le=7 * 86_400)]
DAY_SECONDS = 86_400


class Plan(Contract, frozen=True, kw_only=True):
    """A tier as it is offered; `price_cents` is null when it is agreed upon in person, and
    `trial_days` are free for who has had no plan yet. LLM costs are passed on with
    `llm_markup_basis_points` upon them (10,000 are 100%), or (null) never charged. A GB of storage
    beyond the limit costs `storage_overage_cents_per_gb` a month, or (0) nothing.
    """

    tier: TierName
    name: str
    price_cents: int | None
    interval: Literal["month", "once"] | None
    workflows_limit: int
    agents_limit: int
    storage_limit_gb: int
    trial_days: int = 0
    notes: tuple[str, ...] = ()
    llm_markup_basis_points: int | None = None
    storage_overage_cents_per_gb: int = 0


class Plans(Reply, frozen=True, kw_only=True):
    """The catalogue, and what a workflow costs beyond quota and free ones."""

    plans: tuple[Plan, ...]
    workflow_price_cents: int
    free_workflows_per_month: int


class GetPlans(Request[Plans], frozen=True, kw_only=True):
    """The catalogue as this installation offers it."""


class Offer(Reply, frozen=True, kw_only=True):
    """What an organization would pay for a tier in a checkout, after so many days for nothing."""

    tier: TierName
    name: str
    price_cents: int
    interval: Literal["month", "once"]
    trial_days: int = 0


class OfferTier(Request[Offer], frozen=True, kw_only=True):
    """May it buy this tier by checkout? Refused (409) when it has it, has a lifetime, must change
    its running plan instead, or must contact us.
    """

    organization_id: Organization
    tier: TierName


class LimitWarning(Contract, frozen=True, kw_only=True):
    """What is in use exceeds what a coming plan allows."""

    resource: Resource
    used: int
    limit: int
    detail: str


class Subscription(Reply, frozen=True, kw_only=True):
    """What an organization has; the free tier is a subscription, too. `storage_used_bytes` exact.

    `workflows_used` counts charged workflows of the period; reserved ones are beside it, and
    `workflows_remaining` is what neither has taken (-1 unlimited).
    """

    subscription_id: str
    organization_id: str
    billing_account_id: str | None
    tier: TierName
    price_cents: int | None
    status: PlanStatus
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    trial_start: datetime | None
    trial_end: datetime | None
    pending_tier: TierName | None
    pending_change_at: datetime | None
    workflows_limit: int
    workflows_used: int
    workflows_reserved: int
    workflows_remaining: int
    workflows_reset_at: datetime | None
    agents_limit: int
    agents_used: int
    storage_limit_gb: int
    storage_used_bytes: int
    is_lifetime: bool
    lifetime_purchase_date: datetime | None
    lifetime_purchase_cents: int | None
    is_byo: bool
    byo_providers_configured: tuple[str, ...] | None
    suspended: bool
    grace_ends_at: datetime | None
    warnings: tuple[LimitWarning, ...] = ()
    created_at: datetime | None
    updated_at: datetime | None


class GetSubscription(Request[Subscription], frozen=True, kw_only=True):
    """What an organization has now; never null."""

    organization_id: Organization


class ChangePreview(Reply, frozen=True, kw_only=True):
    """What choosing a tier would do: how, when, and what is charged. Null cost: contact Stripe's
    page. `proration_date` makes a later `ChangePlan` cost the same.
    """

    kind: ChangeKind
    from_tier: TierName
    to_tier: TierName
    due_now_cents: int
    proration_cents: int
    # The two that proration is the sum of.
    unused_cents: int = 0
    rest_cents: int = 0
    next_period_cents: int
    proration_date: datetime | None
    takes_effect_at: datetime | None
    warnings: tuple[LimitWarning, ...] = ()


class PreviewChange(Request[ChangePreview], frozen=True, kw_only=True):
    """What would it be to have this tier?"""

    organization_id: Organization
    tier: TierName


class ChangePlan(Request[Subscription], frozen=True, kw_only=True):
    """Upgrade now, downgrade at the period's end, or keep the current tier after all. 409 for an
    upgrade whose `proration_date` is of no preview of the last hour in the running period.
    """

    organization_id: Organization
    tier: TierName
    proration_date: AwareTime | None = None
    requested_by: Text


class CancelSubscription(Request[Subscription], frozen=True, kw_only=True):
    """End a paid plan: 404 without one, 409 when it is ending already."""

    organization_id: Organization
    at_period_end: bool = True
    requested_by: Text


class ReactivateSubscription(Request[Subscription], frozen=True, kw_only=True):
    """Take a cancellation back before the period ends; 409 when none is pending."""

    organization_id: Organization
    requested_by: Text


class SetByoProviders(Request[Subscription], frozen=True, kw_only=True):
    """Name the LLM providers that run on the customer's own keys; only on the byo tier (409)."""

    organization_id: Organization
    providers: Annotated[tuple[Provider, ...], Meta(max_length=50)]
    requested_by: Text


class SetTier(Request[Subscription], frozen=True, kw_only=True):
    """An operator gives a tier (or `free`: takes the given one back); limits override the tier's.

    Naming the running tier changes its limits only. A plan running at Stripe is ended there.
    """

    organization_id: Organization
    tier: TierName
    workflows_limit: Limit | None = None
    agents_limit: Limit | None = None
    storage_limit_gb: Limit | None = None
    requested_by: Text


class PlanChanged(Event, frozen=True, kw_only=True):
    """An organization's plan stands like this; a lower `version` is out of date."""

    version: int
    subscription_id: str
    tier: TierName
    status: PlanStatus
    is_paid: bool
    suspended: bool
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    pending_tier: TierName | None
    pending_change_at: datetime | None
    changed_at: datetime
    llm_markup_basis_points: int | None = None


class PlanSetByHand(Event, frozen=True, kw_only=True):
    """An operator gave or took back a tier or its limits, or somebody named the providers of a byo
    plan. `changes` says what was and what is.
    """

    requested_by: str
    action: Literal["tier_set", "byo_providers_set"]
    changes: dict[str, str]
    set_at: datetime


class Reservation(Reply, frozen=True, kw_only=True):
    """A workflow that may run, and what covers it. `unit_price_cents` is the list price."""

    reservation_id: str
    organization_id: str
    workflow_id: str
    state: WorkflowState
    covered_by: CoveredBy | None
    unit_price_cents: int
    expires_at: datetime | None
    charged_at: datetime | None = None


class ReserveWorkflow(Request[Reservation], frozen=True, kw_only=True):
    """May this workflow run? Repeated with one `workflow_id`, it is one reservation. 402 when
    nothing covers it, with a code that says why.
    """

    organization_id: Organization
    workflow_id: Text
    ticket_id: Text | None = None
    expires_in_seconds: ReservationSeconds = DAY_SECONDS


class ReservationResult(Contract, frozen=True, kw_only=True):
    """One of many: a reservation or a "no"."""

    workflow_id: str
    reservation: Reservation | None = None
    refusal: Refusal | None = None


class Reservations(Reply, frozen=True, kw_only=True):
    """In the order in which they were asked for."""

    results: tuple[ReservationResult, ...]


class ReserveWorkflows(Request[Reservations], frozen=True, kw_only=True):
    """Many of one organization in one transaction, each with an answer of its own."""

    organization_id: Organization
    workflow_ids: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=256)]
    expires_in_seconds: ReservationSeconds = DAY_SECONDS


class RenewReservation(Request[Reservation], frozen=True, kw_only=True):
    """Let a reservation live longer, counted from now; 409 when it has ended."""

    organization_id: Organization
    reservation_id: Text
    expires_in_seconds: ReservationSeconds = DAY_SECONDS


class CompleteWorkflow(Request[Reservation], frozen=True, kw_only=True):
    """The workflow succeeded: what it reserved is charged, once."""

    organization_id: Organization
    reservation_id: Text


class ReleaseWorkflow(Request[Reservation], frozen=True, kw_only=True):
    """The workflow failed or will not run: what it reserved is free again; 409 when charged."""

    organization_id: Organization
    reservation_id: Text
    reason: Literal["failed", "canceled", "released"] = "released"


class WorkflowCharged(Event, frozen=True, kw_only=True):
    """A workflow completed and is charged, once per (organization, workflow).

    `completed_at` is when it happened, `charged_at` when we learned it. `hold_id` names the
    credits that were set aside for it.
    """

    workflow_id: str
    reservation_id: str
    ticket_id: str | None
    tier: TierName
    covered_by: CoveredBy
    unit_price_cents: int
    hold_id: str | None
    period_start: datetime | None
    completed_at: datetime
    charged_at: datetime


class WorkflowReleased(Event, frozen=True, kw_only=True):
    """What a workflow had reserved is free again."""

    workflow_id: str
    reservation_id: str
    covered_by: CoveredBy | None
    reason: ReleaseReason
    released_at: datetime


class LimitReached(Event, frozen=True, kw_only=True):
    """So much of a limit is taken; said once per period, limit and threshold (80, 100)."""

    resource: Resource
    threshold_percent: int
    used: int
    limit: int
    period_start: datetime
    reached_at: datetime


class StorageMeasured(Event, frozen=True, kw_only=True):
    """A month has ended with more in storage than the plan allows; said once per month.

    `overage_gb` is what goes beyond, in whole GB rounded up; each costs
    `overage_cents_per_gb`, by the terms that held when the month was told; 0 is nothing.
    """

    month_start: datetime
    month_end: datetime
    tier: TierName
    used_bytes: int
    limit_gb: int
    overage_gb: int
    overage_cents_per_gb: int
    told_at: datetime


class ExecutionCheck(Reply, frozen=True, kw_only=True):
    """Whether a workflow would be let through now. Nothing is reserved: with parallel runs a
    reservation may answer otherwise.
    """

    can_execute: bool
    covered_by: CoveredBy
    code: str
    detail: str
    unit_price_cents: int


class CheckExecution(Request[ExecutionCheck], frozen=True, kw_only=True):
    """Would a workflow be let through?"""

    organization_id: Organization


class UsageSummary(Reply, frozen=True, kw_only=True):
    """What of the plan and of the free workflows is used, reserved and left (-1 unlimited)."""

    organization_id: str
    tier: TierName
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
    free_workflows_reserved: int
    free_workflows_remaining: int
    free_workflows_reset_at: datetime
    auto_billed_workflows: int
    workflow_price_cents: int
    agents_limit: int
    agents_used: int
    storage_limit_gb: int
    storage_used_bytes: int


class GetUsageSummary(Request[UsageSummary], frozen=True, kw_only=True):
    """The counters of an organization now."""

    organization_id: Organization


class SetGauge(Request[Done], frozen=True, kw_only=True):
    """A platform reports what is in use; the latest by `measured_at` counts."""

    organization_id: Organization
    gauge: GaugeName
    value: Count
    measured_at: AwareTime


class WorkflowTotals(Reply, frozen=True, kw_only=True):
    """For the auditor: counters beside what they must be the sums of.

    `charged_until` counts what was charged up to the time asked for, `chargeable_*` those of it
    that plan and free workflows did not cover; `unsettled` are steps about credits under way.
    """

    charged: int
    charged_by_quota: int
    quota_used: int
    reserved_by_quota: int
    quota_reserved: int
    dead_letters: int
    charged_until: int = 0
    chargeable_cents_until: int = 0
    reserved_by_credits: int = 0
    unsettled: int = 0
    sequence: int = 0
    untold: int = 0


class GetWorkflowTotals(Request[WorkflowTotals], frozen=True, kw_only=True):
    """Control totals of one organization, or of all."""

    organization_id: Organization | None = None
    until: AwareTime | None = None

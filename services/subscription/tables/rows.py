"""Rows as values: what `store` reads and writes, and `rules` decide about."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.contracts.subscription import CoveredBy, PlanStatus, TierName, WorkflowState

# The free tier has no row in the table; where one is shown, it looks like this.
SubscriptionSource = Literal["stripe", "lifetime", "operator", "free"]
QuotaSource = Literal["plan", "free", "auto_billing"]


class OrganizationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What we know of an organization from account."""

    organization_id: str
    billing_account_id: str | None = None
    account_version: int = 0
    account_status: str = "pending"
    has_payment_method: bool = False
    auto_billing_enabled: bool = False
    auto_billing_monthly_limit_cents: int | None = None
    plan_version: int = 0
    opened_at: datetime


class SubscriptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A plan beside the free tier, running or ended."""

    subscription_id: str
    organization_id: str
    source: SubscriptionSource
    live: bool = False
    tier: TierName
    price_cents: int | None = None
    status: PlanStatus
    stripe_subscription_id: str | None = None
    stripe_version: int = 0
    status_at_stripe: str | None = None
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    cancel_at_period_end: bool = False
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    trial_start: datetime | None = None
    trial_end: datetime | None = None
    pending_tier: TierName | None = None
    pending_change_at: datetime | None = None
    past_due_since: datetime | None = None
    suspended_at: datetime | None = None
    # At Stripe: when it was first told to run, so that it is paid for; null while it is incomplete.
    runs_since: datetime | None = None
    session_id: str | None = None
    byo_providers: list[str] | None = None
    workflows_limit: int | None = None
    agents_limit: int | None = None
    storage_limit_gb: int | None = None
    began_at: datetime
    created_at: datetime
    updated_at: datetime


class PurchaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A lifetime purchase; `paid_at` and the amount are null until the payment is heard of."""

    organization_id: str
    session_id: str
    amount_cents: int | None = None
    paid_at: datetime | None = None
    reversed_cents: int = 0
    reversal_version: int = 0


class QuotaRow(msgspec.Struct, frozen=True, kw_only=True):
    """A counter of one period."""

    organization_id: str
    source: QuotaSource
    subject: str
    period_start: datetime
    period_end: datetime
    used: int = 0
    reserved: int = 0
    warned_percent: int = 0
    warned_limit: int | None = None


class WorkflowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow run: what it reserved, and what became of it."""

    organization_id: str
    workflow_id: str
    reservation_id: str
    attempt: int = 1
    state: WorkflowState
    covered_by: CoveredBy | None = None
    quota_subject: str | None = None
    quota_period_start: datetime | None = None
    ticket_id: str | None = None
    unit_price_cents: int
    reserved_at: datetime
    expires_at: datetime | None = None
    completed_at: datetime | None = None
    charged_at: datetime | None = None
    released_at: datetime | None = None

    @property
    def hold_id(self) -> str:
        """What credits are held under at account: another one for each attempt."""
        return f"{self.reservation_id}-{self.attempt}"


class GaugeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is in use."""

    organization_id: str
    gauge: str
    value: int
    measured_at: datetime
    warned_percent: int = 0
    warned_limit: int | None = None
    warned_period_start: datetime | None = None
    month_ends_at: datetime | None = None

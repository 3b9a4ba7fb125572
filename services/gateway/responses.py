"""What clients get: the client's document to the letter, our own fields after it.

Money is a JSON number in dollars, times are ISO 8601 with a zone.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from services.gateway.permissions import Role
from shared.contracts.cost_metering import CostScope, PricingStatus


class ApiResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a client."""


class StripeConfigResponse(ApiResponse, frozen=True, kw_only=True):
    """Which key Stripe.js starts with; `stripe_js_url` null means Stripe's own address."""

    publishable_key: str | None
    is_configured: bool
    stripe_js_url: str | None = None


class Membership(ApiResponse, frozen=True, kw_only=True):
    """A role in an organization."""

    organization_id: str
    role: Role


class SessionResponse(ApiResponse, frozen=True, kw_only=True):
    """Who is signed in, where they may look, until when, and what time it is here."""

    subject: str
    is_operator: bool
    organizations: list[Membership]
    expires_at: datetime | None
    now: datetime


class CostBreakdownItem(ApiResponse, frozen=True, kw_only=True):
    """One provider and model."""

    provider: str
    model: str
    cost: float
    tokens: int
    records: int
    unpriced_records: int


class CostSummaryResponse(ApiResponse, frozen=True, kw_only=True):
    """Sums over a scope; tokens of unpriced records count, their cost is not known yet.

    Suspect records are priced and counted; somebody should look at them.
    """

    scope_type: CostScope
    scope_id: str | None
    total_cost: float
    total_tokens: int
    record_count: int
    breakdown: list[CostBreakdownItem]
    unpriced_records: int
    unpriced_tokens: int
    suspect_records: int


class CostRecordResponse(ApiResponse, frozen=True, kw_only=True):
    """One call of an LLM. Costs are 0 while `pricing_status` is `unpriced`.

    `prompt_tokens` include cache reads and writes, `completion_tokens` include reasoning.
    `occurred_at` is when the call began, `recorded_at` when we recorded it.
    """

    id: str
    task_id: str
    agent_id: str | None
    sandbox_id: str | None
    billing_account_id: str | None
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: float
    completion_cost: float
    total_cost: float
    recorded_at: datetime | None
    occurred_at: datetime
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    pricing_status: PricingStatus
    suspect_reason: str | None


class DailyCostResponse(ApiResponse, frozen=True, kw_only=True):
    """One UTC day; `model` is null when grouped by provider."""

    date: date
    provider: str
    model: str | None
    cost: float
    tokens: int
    records: int
    unpriced_records: int


class AgentCredentialResponse(ApiResponse, frozen=True, kw_only=True):
    """What an agent connects to the bus with: `credentials` is the text of a `.creds` file.

    The agent may publish on `usage.<kind>.<organization_id>.<agent_id>` and nothing else.
    """

    organization_id: str
    agent_id: str
    credentials: str
    inbox_prefix: str
    nats_url: str | None
    expires_at: datetime


class LiveEventResponse(ApiResponse, frozen=True, kw_only=True):
    """One server-sent event; `data` is JSON: the fact in dollars, or `{"reason"}` of a resync."""

    id: str
    event: Literal[
        "costs_recorded",
        "account_changed",
        "credits_changed",
        "payment_methods_changed",
        "purchase_paid",
        "plan_changed",
        "limit_reached",
        "usage_recorded",
        "invoice_changed",
        "payment_changed",
        "credits_low",
        "notice_raised",
        "resync",
    ]
    data: str


class LiveCosts(ApiResponse, frozen=True, kw_only=True):
    """Data of the live event `costs_recorded`: what was added, and the totals since the beginning.

    `sequence` has no gap within an organization; one that is not higher than the last is a repeat.
    """

    organization_id: str
    sequence: int
    cost: float
    tokens: int
    records: int
    total_cost: float
    total_tokens: int
    total_records: int
    unpriced_records: int
    changes: list[CostBreakdownItem]
    recorded_at: datetime

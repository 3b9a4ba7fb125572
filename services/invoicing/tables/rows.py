"""Rows as values: what `store` reads and writes, and `rules` decide about."""

from datetime import datetime
from typing import Any

import msgspec

from shared.contracts.account import AccountStatus
from shared.contracts.invoicing import (
    CreditNoteKind,
    InvoiceKind,
    InvoiceStatus,
    LineKind,
    ReminderKind,
    UsageType,
)
from shared.contracts.stripe_gateway import ChargeStatus
from shared.contracts.subscription import CoveredBy, TierName


class ProfileRow(msgspec.Struct, frozen=True, kw_only=True):
    """How an organization is billed."""

    organization_id: str
    account_code: str
    billing_account_id: str | None = None
    account_version: int = 0
    account_status: AccountStatus = "pending"
    has_payment_method: bool = False
    default_payment_method_id: str | None = None
    methods_version: int = 0
    auto_billing_enabled: bool = False
    auto_billing_monthly_limit_cents: int | None = None
    tax_exempt: bool = False
    buyer: dict[str, Any] = msgspec.field(default_factory=dict)
    billing_email: str | None = None
    discount_basis_points: int = 0
    discount_until: datetime | None = None
    tax_basis_points: int = 0
    tax_name: str | None = None
    last_invoice_number: int = 0
    last_credit_note_number: int = 0
    suspended: bool = False
    suspension_version: int = 0
    parked_reason: str | None = None
    parked_at: datetime | None = None
    next_close_at: datetime
    opened_at: datetime


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A use; `billed_at` is set at once when plan or free workflows cover it."""

    organization_id: str
    record_id: str
    usage_type: UsageType
    source_id: str
    ticket_id: str | None = None
    quantity: int
    unit_price_cents: int
    total_picousd: int
    covered_by: CoveredBy
    tier: TierName
    hold_id: str | None = None
    invoice_id: str | None = None
    position: int | None = None
    occurred_at: datetime
    recorded_at: datetime
    billed_at: datetime | None = None
    late_month: datetime | None = None
    corrects_invoice: str | None = None


class PlanTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a version of a plan says of LLM costs; without a markup they are not passed on."""

    version: int
    tier: TierName
    markup_basis_points: int | None = None


class LlmCostRow(msgspec.Struct, frozen=True, kw_only=True):
    """LLM costs of one organization that were announced together, gapless by `sequence`."""

    organization_id: str
    sequence: int
    billable_cost_picousd: int
    records: int
    recorded_at: datetime


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Records that one line bills together; `held_picousd` of it is covered by credits held."""

    position: int
    usage_type: UsageType
    unit_price_cents: int
    late_month: datetime | None = None
    corrects_invoice: str | None = None
    ticket_id: str | None = None
    quantity: int
    exact_picousd: int
    held_picousd: int = 0
    first_at: datetime


class InvoiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice without its lines."""

    organization_id: str
    invoice_id: str
    kind: InvoiceKind = "usage"
    status: InvoiceStatus = "draft"
    number: int | None = None
    invoice_number: str | None = None
    stripe_invoice_id: str | None = None
    stripe_version: int = 0
    ticket_id: str | None = None
    description: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    usage_until: datetime | None = None
    learned_until: datetime | None = None
    currency: str = "usd"
    subtotal_cents: int
    discount_basis_points: int = 0
    discount_cents: int = 0
    tax_basis_points: int = 0
    tax_name: str | None = None
    tax_cents: int = 0
    total_cents: int
    credits_applied_cents: int = 0
    amount_due_cents: int
    amount_paid_cents: int = 0
    amount_refunded_cents: int = 0
    amount_disputed_cents: int = 0
    credited_cents: int = 0
    seller: dict[str, Any] | None = None
    buyer: dict[str, Any] | None = None
    content_hash: bytes | None = None
    due_at: datetime | None = None
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    void_reason: str | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime


class LineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an invoice."""

    organization_id: str
    invoice_id: str
    position: int
    kind: LineKind
    usage_type: UsageType | None = None
    description: str
    quantity: int
    unit_price_cents: int
    carried_in_picousd: int = 0
    exact_picousd: int
    total_cents: int
    ticket_id: str | None = None
    task_id: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    corrects_invoice: str | None = None


class CreditNoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of a finalized invoice."""

    organization_id: str
    credit_note_id: str
    number: int
    invoice_id: str
    kind: CreditNoteKind
    amount_cents: int
    reason: str
    requested_by: str
    created_at: datetime
    # Its refund failed: it counts no more, and keeps its number.
    voided_at: datetime | None = None


class PaymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to collect an invoice."""

    organization_id: str
    payment_id: str
    invoice_id: str
    amount_cents: int
    status: ChargeStatus = "pending"
    automatic: bool = False
    payment_method_id: str | None = None
    superseded: bool = False
    surplus: bool = False
    stripe_payment_intent_id: str | None = None
    payment_method_type: str | None = None
    payment_method_brand: str | None = None
    payment_method_last4: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    refunded_cents: int = 0
    disputed_cents: int = 0
    charge_version: int = 0
    version: int = 1
    created_at: datetime
    succeeded_at: datetime | None = None


class DunningRow(msgspec.Struct, frozen=True, kw_only=True):
    """How auto-billing goes on with an invoice."""

    organization_id: str
    invoice_id: str
    attempts: int = 0
    next_attempt_at: datetime | None = None
    first_failed_at: datetime | None = None
    last_failure_code: str | None = None
    reminded: ReminderKind | None = None
    next_reminder_at: datetime | None = None
    suspended_at: datetime | None = None

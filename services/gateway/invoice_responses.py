"""What clients get of invoices, usage records and payments: dollars, and times with a zone."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from services.gateway.responses import ApiResponse
from shared.contracts.invoicing import (
    CreditNoteKind,
    InvoiceKind,
    InvoiceStatus,
    LineKind,
    UsageType,
)
from shared.contracts.stripe_gateway import ChargeStatus
from shared.contracts.subscription import CoveredBy, TierName


class LineItem(ApiResponse, frozen=True, kw_only=True):
    """A line of an invoice; `total` is negative for what is taken back.

    `position` leads to the records behind it. A period is there when it is not the invoice's own,
    `corrects_invoice` when the line corrects the invoice of that number.
    """

    description: str
    quantity: int
    unit_price: float
    total: float
    ticket_id: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    position: int
    kind: LineKind
    period_start: datetime | UnsetType = UNSET
    period_end: datetime | UnsetType = UNSET
    corrects_invoice: str | UnsetType = UNSET


class InvoiceResponse(ApiResponse, frozen=True, kw_only=True):
    """An invoice: subtotal - discount + tax = total; total - credits applied = amount due.

    `amount_due` stays when it is paid. With `stripe_invoice_id` it is one of Stripe's.
    `amount_disputed` is what the customer's bank holds back or has taken of what was paid.
    """

    id: str
    invoice_number: str
    billing_account_id: str
    ticket_id: str | None
    stripe_invoice_id: str | None
    status: InvoiceStatus
    period_start: datetime | None
    period_end: datetime | None
    subtotal: float
    tax_amount: float
    discount_amount: float
    total: float
    credits_applied: float
    amount_due: float
    amount_paid: float
    currency: str
    line_items: list[LineItem]
    description: str | None
    due_date: datetime | None
    finalized_at: datetime | None
    paid_at: datetime | None
    created_at: datetime | None
    organization_id: str
    kind: InvoiceKind
    amount_refunded: float
    amount_credited: float
    voided_at: datetime | None
    amount_disputed: float


class UpcomingInvoiceResponse(ApiResponse, frozen=True, kw_only=True):
    """What would be billed now, null when it is nothing.

    `carried` is too little to be charged and waits for more.
    """

    invoice: InvoiceResponse | None
    carried: float


class UsageDetails(ApiResponse, frozen=True, kw_only=True):
    """How a use was covered, on which tier, and what it was; `workflow_id` of a workflow only."""

    covered_by: CoveredBy
    tier: TierName
    source_id: str
    occurred_at: datetime
    workflow_id: str | UnsetType = UNSET


class UsageRecordResponse(ApiResponse, frozen=True, kw_only=True):
    """One use. `unit_price` is the list price even when it is free; `total_price` is not rounded.

    `recorded_at` is when we learned of it.
    """

    id: str
    billing_account_id: str
    ticket_id: str | None
    usage_type: UsageType
    quantity: int
    unit_price: float
    total_price: float
    free_tier_used: bool
    invoice_id: str | None
    billed: bool
    usage_details: UsageDetails | None
    recorded_at: datetime | None
    billed_at: datetime | None


class PaymentResponse(ApiResponse, frozen=True, kw_only=True):
    """An attempt to collect an invoice; a declined card is one that `failed`.

    `client_secret` is there with `requires_action` only: the browser finishes it with Stripe.js.
    """

    id: str
    billing_account_id: str
    invoice_id: str
    stripe_payment_intent_id: str | None
    amount: float
    currency: str
    status: ChargeStatus
    payment_method_type: str | None
    payment_method_last4: str | None
    payment_method_brand: str | None
    failure_code: str | None
    failure_message: str | None
    refunded_amount: float
    description: str | None
    created_at: datetime | None
    succeeded_at: datetime | None
    client_secret: str | None


class CreditNoteResponse(ApiResponse, frozen=True, kw_only=True):
    """A correction of a finalized invoice; `voided_at` is when the bank refused its refund."""

    id: str
    credit_note_number: str
    organization_id: str
    invoice_id: str
    kind: CreditNoteKind
    amount: float
    reason: str
    created_at: datetime
    voided_at: datetime | None

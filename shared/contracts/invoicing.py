"""What invoicing says and answers: usage records, invoices, payments, dunning. Integer cents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import (
    AwareTime,
    Contract,
    Event,
    Organization,
    PageLimit,
    Reply,
    Request,
    Text,
)
from shared.contracts.stripe_gateway import ChargeStatus, StripeId
from shared.contracts.subscription import CoveredBy, TierName

UsageType = Literal["workflow_completion", "llm_cost", "storage"]
InvoiceStatus = Literal["draft", "open", "paid", "past_due", "void"]
InvoiceKind = Literal["usage", "stripe"]
LineKind = Literal["workflow_completion", "llm_cost", "storage", "adjustment", "stripe"]
CreditNoteKind = Literal["credit", "refund"]
DocumentFormat = Literal["pdf", "html"]
ReminderKind = Literal["due_soon", "past_due"]

PositiveCents = Annotated[int, Meta(ge=1, le=10**12)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]
Reason = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", min_length=1, max_length=500)]
# The caller's organizations: what is looked up is theirs, or it does not exist.
Organizations = Annotated[tuple[Organization, ...], Meta(min_length=1, max_length=1000)]


class UsageRecord(Contract, frozen=True, kw_only=True):
    """One use, billed at most once. `unit_price_cents` is the list price even when it is free;
    `total_cents` is what it adds to an invoice before rounding, `total_picousd` exactly.
    """

    record_id: str
    organization_id: str
    billing_account_id: str | None
    usage_type: UsageType
    source_id: str
    ticket_id: str | None
    quantity: int
    unit_price_cents: int
    total_cents: int
    total_picousd: int
    covered_by: CoveredBy
    free_tier_used: bool
    tier: TierName
    invoice_id: str | None
    billed: bool
    occurred_at: datetime
    recorded_at: datetime
    billed_at: datetime | None


class UsageRecords(Reply, frozen=True, kw_only=True):
    """A page, newest first."""

    records: tuple[UsageRecord, ...]
    next_cursor: str | None = None


class ListUsageRecords(Request[UsageRecords], frozen=True, kw_only=True):
    """What an organization used; `billed` filters."""

    organization_id: Organization
    billed: bool | None = None
    limit: PageLimit = 50
    cursor: Text | None = None


class ListInvoiceUsage(Request[UsageRecords], frozen=True, kw_only=True):
    """The records behind an invoice, or behind one of its lines."""

    organization_ids: Organizations
    invoice_id: Text
    position: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    limit: PageLimit = 50
    cursor: Text | None = None


class InvoiceLine(Contract, frozen=True, kw_only=True):
    """A line of an invoice. `corrects_invoice` is the number of one that it corrects; the period
    is named when it is not the invoice's own. Amounts may be negative (adjustments, prorations).
    """

    position: int
    kind: LineKind
    description: str
    quantity: int
    unit_price_cents: int
    total_cents: int
    ticket_id: str | None = None
    task_id: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    corrects_invoice: str | None = None


class Invoice(Reply, frozen=True, kw_only=True):
    """An invoice: ours, or one of Stripe's mirrored (`kind` stripe, `stripe_invoice_id` set).

    subtotal − discount + tax = total; total − credits applied = amount due, which stays when it is
    paid. A draft's number is `DRAFT-<short id>`. `usage_until` is the cut-off by event time,
    `learned_until` by arrival. `amount_disputed_cents` is what a bank holds back or has taken of
    what was paid.
    """

    invoice_id: str
    invoice_number: str
    organization_id: str
    billing_account_id: str | None
    kind: InvoiceKind
    ticket_id: str | None
    stripe_invoice_id: str | None
    status: InvoiceStatus
    period_start: datetime | None
    period_end: datetime | None
    usage_until: datetime | None
    learned_until: datetime | None
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    credits_applied_cents: int
    amount_due_cents: int
    amount_paid_cents: int
    amount_refunded_cents: int
    credited_cents: int
    currency: str
    lines: tuple[InvoiceLine, ...]
    description: str | None
    due_at: datetime | None
    finalized_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    created_at: datetime
    version: int
    amount_disputed_cents: int = 0


class Invoices(Reply, frozen=True, kw_only=True):
    """A page, newest first."""

    invoices: tuple[Invoice, ...]
    next_cursor: str | None = None


class ListInvoices(Request[Invoices], frozen=True, kw_only=True):
    """An organization's invoices, Stripe's among them."""

    organization_id: Organization
    status: InvoiceStatus | None = None
    limit: PageLimit = 50
    cursor: Text | None = None


class GetInvoice(Request[Invoice], frozen=True, kw_only=True):
    """One invoice, if it belongs to one of the organizations."""

    organization_ids: Organizations
    invoice_id: Text


class MaybeInvoice(Reply, frozen=True, kw_only=True):
    """An invoice, or null when there is nothing to bill. `carried_cents` is what stays unbilled
    because it is less than may be charged.
    """

    invoice: Invoice | None
    carried_cents: int = 0


class GenerateInvoice(Request[MaybeInvoice], frozen=True, kw_only=True):
    """Bill all unbilled usage now; many at once make one invoice."""

    organization_id: Organization
    requested_by: Text


class PreviewInvoice(Request[MaybeInvoice], frozen=True, kw_only=True):
    """What would be billed now; nothing is changed. Credits are what the account shows."""

    organization_id: Organization


class Payment(Reply, frozen=True, kw_only=True):
    """An attempt to collect an invoice. `client_secret` only with `requires_action`: what the
    browser needs to finish it.
    """

    payment_id: str
    organization_id: str
    billing_account_id: str | None
    invoice_id: str
    stripe_payment_intent_id: str | None
    amount_cents: int
    currency: str
    status: ChargeStatus
    payment_method_type: str | None
    payment_method_brand: str | None
    payment_method_last4: str | None
    failure_code: str | None
    failure_message: str | None
    refunded_cents: int
    description: str | None
    client_secret: str | None
    created_at: datetime
    succeeded_at: datetime | None


class PayInvoice(Request[Payment], frozen=True, kw_only=True):
    """Collect an invoice with the customer there; many at once make one charge. A declined card is
    a Payment that `failed`; 409 for a draft, void, paid or zero-due invoice.
    """

    organization_id: Organization
    invoice_id: Text
    payment_method_id: StripeId | None = None
    requested_by: Text


class Payments(Reply, frozen=True, kw_only=True):
    """All attempts at an invoice, newest first."""

    payments: tuple[Payment, ...]


class ListPayments(Request[Payments], frozen=True, kw_only=True):
    """The attempts at an invoice."""

    organization_id: Organization
    invoice_id: Text


class VoidInvoice(Request[Invoice], frozen=True, kw_only=True):
    """Take an unpaid invoice back: its credits are restored, its usage is unbilled again."""

    organization_id: Organization
    invoice_id: Text
    reason: Reason
    requested_by: Text


class CreditNote(Reply, frozen=True, kw_only=True):
    """A correction of a finalized invoice, numbered without a gap per account. `refund` gives money
    back, and is void if the bank does not take it; `credit` lessens what is due or, when it is
    paid, is granted as credits.
    """

    credit_note_id: str
    credit_note_number: str
    organization_id: str
    invoice_id: str
    kind: CreditNoteKind
    amount_cents: int
    reason: str
    created_at: datetime
    voided_at: datetime | None = None


class IssueCreditNote(Request[CreditNote], frozen=True, kw_only=True):
    """Correct an invoice, in whole or in part, once per `credit_note_id`; never beyond it."""

    organization_id: Organization
    invoice_id: Text
    credit_note_id: Text
    kind: CreditNoteKind
    amount_cents: PositiveCents
    reason: Reason
    requested_by: Text


class CreditNotes(Reply, frozen=True, kw_only=True):
    """Newest first."""

    credit_notes: tuple[CreditNote, ...]


class ListCreditNotes(Request[CreditNotes], frozen=True, kw_only=True):
    """The corrections of an organization's invoices, or of one of them; the newest 200."""

    organization_id: Organization
    invoice_id: Text | None = None


class BillingTerms(Reply, frozen=True, kw_only=True):
    """How an organization is billed beyond its plan: discount, tax, and whether it is parked."""

    organization_id: str
    discount_basis_points: int
    discount_until: datetime | None
    tax_basis_points: int
    tax_name: str | None
    tax_exempt: bool
    parked_reason: str | None
    suspended: bool


class GetBillingTerms(Request[BillingTerms], frozen=True, kw_only=True):
    """How an organization is billed."""

    organization_id: Organization


class SetBillingTerms(Request[BillingTerms], frozen=True, kw_only=True):
    """An operator sets discount and tax for invoices to come; 10,000 basis points are 100%."""

    organization_id: Organization
    discount_basis_points: BasisPoints | None = None
    discount_until: datetime | None = None
    tax_basis_points: BasisPoints | None = None
    tax_name: Text | None = None
    requested_by: Text


class Document(Reply, frozen=True, kw_only=True):
    """A finalized invoice to look at."""

    content: bytes
    content_type: str
    file_name: str


class RenderInvoice(Request[Document], frozen=True, kw_only=True):
    """The document of an invoice; 409 for a draft."""

    organization_ids: Organizations
    invoice_id: Text
    format: DocumentFormat = "pdf"


class RenderCreditNote(Request[Document], frozen=True, kw_only=True):
    """The document of a credit note."""

    organization_id: Organization
    credit_note_id: Text
    format: DocumentFormat = "pdf"


class InvoicingTotals(Reply, frozen=True, kw_only=True):
    """What the auditor compares: our invoices that are not void, and their usage."""

    sequence: int
    usage_until: int
    chargeable_cents_until: int
    invoiced_picousd: int
    lines_picousd: int
    rounded_picousd: int
    carried_picousd: int
    lines_cents: int
    subtotals_cents: int
    numbered: int
    highest_number: int
    credits_applied_cents: int
    paid_cents: int
    standing_payments_cents: int
    payments_cents: int
    paid_again: int
    drafts: int
    unsettled: int
    parked_by_itself: int
    altered: int
    untold: int
    misplaced: int = 0
    credited_cents: int = 0
    noted_cents: int = 0


class GetInvoicingTotals(Request[InvoicingTotals], frozen=True, kw_only=True):
    """Control totals of one organization's billing."""

    organization_id: Organization
    until: AwareTime | None = None


class UsageRecorded(Event, frozen=True, kw_only=True):
    """A use is on record, once per (organization, type, source)."""

    record: UsageRecord


class InvoiceChanged(Event, frozen=True, kw_only=True):
    """An invoice stands like this (without its lines); a lower `version` is out of date."""

    version: int
    invoice: Invoice
    changed_at: datetime


class InvoiceIssued(Event, frozen=True, kw_only=True):
    """An invoice of ours is final: it has its number and never changes."""

    invoice_id: str
    invoice_number: str
    total_cents: int
    credits_applied_cents: int
    amount_due_cents: int
    due_at: datetime | None
    issued_at: datetime


class InvoicePaid(Event, frozen=True, kw_only=True):
    """Nothing is due any more; `amount_paid_cents` is 0 when credits paid all of it."""

    invoice_id: str
    invoice_number: str
    kind: InvoiceKind
    amount_paid_cents: int
    paid_at: datetime


class InvoiceVoided(Event, frozen=True, kw_only=True):
    """An invoice was taken back."""

    invoice_id: str
    invoice_number: str
    reason: str
    voided_at: datetime


class CreditNoteIssued(Event, frozen=True, kw_only=True):
    """A finalized invoice was corrected."""

    credit_note: CreditNote


class PaymentChanged(Event, frozen=True, kw_only=True):
    """An attempt stands like this, without secrets; a lower `version` is out of date."""

    version: int
    payment: Payment
    changed_at: datetime


class PaymentFailed(Event, frozen=True, kw_only=True):
    """Auto-billing could not collect; `next_attempt_at` is null when it will not try again."""

    invoice_id: str
    invoice_number: str
    amount_due_cents: int
    attempt: int
    failure_code: str | None
    failure_message: str | None
    next_attempt_at: datetime | None
    failed_at: datetime


class PaymentReminder(Event, frozen=True, kw_only=True):
    """An invoice is due soon, or past due; said once per invoice, kind and occasion."""

    invoice_id: str
    invoice_number: str
    kind: ReminderKind
    amount_due_cents: int
    due_at: datetime
    reminded_at: datetime


class PaymentReturned(Event, frozen=True, kw_only=True):
    """Money came for an invoice that was void or paid already: all of it goes back."""

    payment_id: str
    invoice_id: str
    invoice_number: str
    amount_cents: int
    returned_at: datetime


class AccountSuspended(Event, frozen=True, kw_only=True):
    """Dunning is exhausted: nothing runs until the invoices are paid. Higher `version` wins."""

    version: int
    invoice_id: str
    suspended_at: datetime


class AccountReinstated(Event, frozen=True, kw_only=True):
    """The last overdue invoice was paid or taken back."""

    version: int
    reinstated_at: datetime

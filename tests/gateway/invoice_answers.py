"""What the scripted invoicing answers: of acme it knows everything, of others nothing."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from shared.contracts.base import Refusal, Reply, Request
from shared.contracts.invoicing import (
    BillingTerms,
    CreditNote,
    CreditNotes,
    Document,
    GenerateInvoice,
    GetBillingTerms,
    GetInvoice,
    Invoice,
    InvoiceLine,
    Invoices,
    IssueCreditNote,
    ListCreditNotes,
    ListInvoices,
    ListInvoiceUsage,
    ListPayments,
    ListUsageRecords,
    MaybeInvoice,
    PayInvoice,
    Payment,
    Payments,
    PreviewInvoice,
    RenderCreditNote,
    RenderInvoice,
    SetBillingTerms,
    UsageRecord,
    UsageRecords,
    VoidInvoice,
)
from tests.gateway.billing_answers import AT, MONTH_BEGINS, MONTH_ENDS

INVOICE = Invoice(
    invoice_id="invoice-1",
    invoice_number="INV-0123456789AB-000042",
    organization_id="acme",
    billing_account_id="account-1",
    kind="usage",
    ticket_id=None,
    stripe_invoice_id=None,
    status="open",
    period_start=MONTH_BEGINS,
    period_end=MONTH_ENDS,
    usage_until=MONTH_ENDS,
    learned_until=MONTH_ENDS,
    subtotal_cents=3000,
    discount_cents=300,
    tax_cents=513,
    total_cents=3213,
    credits_applied_cents=1214,
    amount_due_cents=1999,
    amount_paid_cents=0,
    amount_refunded_cents=0,
    credited_cents=1,
    amount_disputed_cents=1998,
    currency="usd",
    lines=(
        InvoiceLine(
            position=1,
            kind="workflow_completion",
            description="Workflow runs",
            quantity=4,
            unit_price_cents=1000,
            total_cents=4000,
            ticket_id="T-1",
        ),
        InvoiceLine(
            position=2,
            kind="adjustment",
            description="A run of October was charged twice",
            quantity=1,
            unit_price_cents=-1000,
            total_cents=-1000,
            period_start=MONTH_BEGINS - timedelta(days=31),
            period_end=MONTH_BEGINS,
            corrects_invoice="INV-0123456789AB-000041",
        ),
    ),
    description=None,
    due_at=AT + timedelta(days=7),
    finalized_at=AT,
    paid_at=None,
    voided_at=None,
    created_at=AT,
    version=3,
)
RECORD = UsageRecord(
    record_id="record-1",
    organization_id="acme",
    billing_account_id="account-1",
    usage_type="workflow_completion",
    source_id="workflow-1",
    ticket_id="T-1",
    quantity=1,
    unit_price_cents=1000,
    total_cents=1000,
    total_picousd=1000 * 10**10,
    covered_by="none",
    free_tier_used=False,
    tier="pro",
    invoice_id="invoice-1",
    billed=True,
    occurred_at=AT - timedelta(minutes=2),
    recorded_at=AT - timedelta(minutes=1),
    billed_at=AT,
)
PAYMENT = Payment(
    payment_id="payment-1",
    organization_id="acme",
    billing_account_id="account-1",
    invoice_id="invoice-1",
    stripe_payment_intent_id="pi_1",
    amount_cents=1999,
    currency="usd",
    status="succeeded",
    payment_method_type="card",
    payment_method_brand="visa",
    payment_method_last4="4242",
    failure_code=None,
    failure_message=None,
    refunded_cents=0,
    description="INV-0123456789AB-000042",
    client_secret="pi_1_secret_x",
    created_at=AT,
    succeeded_at=AT,
)
TERMS = BillingTerms(
    organization_id="acme",
    discount_basis_points=1000,
    discount_until=MONTH_ENDS,
    tax_basis_points=1900,
    tax_name="VAT",
    tax_exempt=False,
    parked_reason=None,
    suspended=False,
)
NOTE = CreditNote(
    credit_note_id="note-1",
    credit_note_number="CN-0123456789AB-000001",
    organization_id="acme",
    invoice_id="invoice-1",
    kind="refund",
    amount_cents=1999,
    reason="goodwill",
    created_at=AT,
)
NOT_FOUND = Refusal(code="invoice_not_found", detail="There is no such invoice.", status=404)


def of_acme(reply: Reply) -> Callable[[Any], Reply]:
    """The reply for who may look into acme."""
    return lambda request: reply if "acme" in request.organization_ids else NOT_FOUND


DOCUMENT = Document(
    content=b"%PDF-1.7 \x00\xff", content_type="application/pdf", file_name="INV.pdf"
)
USAGE = UsageRecords(records=(RECORD,))
ANSWERS: Mapping[type[Request[Any]], Any] = {
    ListInvoices: Invoices(invoices=(INVOICE,)),
    GetInvoice: of_acme(INVOICE),
    GenerateInvoice: MaybeInvoice(invoice=INVOICE),
    PreviewInvoice: MaybeInvoice(invoice=INVOICE, carried_cents=30),
    PayInvoice: PAYMENT,
    ListPayments: Payments(payments=(PAYMENT,)),
    ListUsageRecords: USAGE,
    ListInvoiceUsage: of_acme(USAGE),
    RenderInvoice: of_acme(DOCUMENT),
    ListCreditNotes: CreditNotes(credit_notes=(NOTE,)),
    RenderCreditNote: DOCUMENT,
    VoidInvoice: INVOICE,
    IssueCreditNote: NOTE,
    GetBillingTerms: TERMS,
    SetBillingTerms: TERMS,
}

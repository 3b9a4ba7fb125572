"""Contracts of invoicing become responses; cents turn into dollars. Pure."""

from typing import TypeVar

from msgspec import UNSET, UnsetType

from services.gateway.dollars import dollars, dollars_of_cents
from services.gateway.invoice_responses import (
    CreditNoteResponse,
    InvoiceResponse,
    LineItem,
    PaymentResponse,
    UsageDetails,
    UsageRecordResponse,
)
from shared.contracts.invoicing import CreditNote, Invoice, InvoiceLine, Payment, UsageRecord

T = TypeVar("T")


def _if_any(value: T | None) -> T | UnsetType:
    """The document's `?`: what is not there is left out, not null."""
    return UNSET if value is None else value


def line_item(line: InvoiceLine) -> LineItem:
    """One line."""
    return LineItem(
        description=line.description,
        quantity=line.quantity,
        unit_price=dollars_of_cents(line.unit_price_cents),
        total=dollars_of_cents(line.total_cents),
        ticket_id=_if_any(line.ticket_id),
        task_id=_if_any(line.task_id),
        position=line.position,
        kind=line.kind,
        period_start=_if_any(line.period_start),
        period_end=_if_any(line.period_end),
        corrects_invoice=_if_any(line.corrects_invoice),
    )


def invoice_response(invoice: Invoice, billing_account_id: str) -> InvoiceResponse:
    """An invoice, with the account that it belongs to."""
    return InvoiceResponse(
        id=invoice.invoice_id,
        invoice_number=invoice.invoice_number,
        billing_account_id=billing_account_id,
        ticket_id=invoice.ticket_id,
        stripe_invoice_id=invoice.stripe_invoice_id,
        status=invoice.status,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        subtotal=dollars_of_cents(invoice.subtotal_cents),
        tax_amount=dollars_of_cents(invoice.tax_cents),
        discount_amount=dollars_of_cents(invoice.discount_cents),
        total=dollars_of_cents(invoice.total_cents),
        credits_applied=dollars_of_cents(invoice.credits_applied_cents),
        amount_due=dollars_of_cents(invoice.amount_due_cents),
        amount_paid=dollars_of_cents(invoice.amount_paid_cents),
        currency=invoice.currency,
        line_items=[line_item(line) for line in invoice.lines],
        description=invoice.description,
        due_date=invoice.due_at,
        finalized_at=invoice.finalized_at,
        paid_at=invoice.paid_at,
        created_at=invoice.created_at,
        organization_id=invoice.organization_id,
        kind=invoice.kind,
        amount_refunded=dollars_of_cents(invoice.amount_refunded_cents),
        amount_credited=dollars_of_cents(invoice.credited_cents),
        voided_at=invoice.voided_at,
        amount_disputed=dollars_of_cents(invoice.amount_disputed_cents),
    )


def usage_record(record: UsageRecord, billing_account_id: str) -> UsageRecordResponse:
    """One use, with the account that it belongs to."""
    is_workflow = record.usage_type == "workflow_completion"
    return UsageRecordResponse(
        id=record.record_id,
        billing_account_id=billing_account_id,
        ticket_id=record.ticket_id,
        usage_type=record.usage_type,
        quantity=record.quantity,
        unit_price=dollars_of_cents(record.unit_price_cents),
        total_price=dollars(record.total_picousd),
        free_tier_used=record.free_tier_used,
        invoice_id=record.invoice_id,
        billed=record.billed,
        usage_details=UsageDetails(
            covered_by=record.covered_by,
            tier=record.tier,
            source_id=record.source_id,
            occurred_at=record.occurred_at,
            workflow_id=record.source_id if is_workflow else UNSET,
        ),
        recorded_at=record.recorded_at,
        billed_at=record.billed_at,
    )


def payment_response(payment: Payment, billing_account_id: str) -> PaymentResponse:
    """An attempt to collect, with what the browser needs to finish it."""
    unfinished = payment.status == "requires_action"
    return PaymentResponse(
        id=payment.payment_id,
        billing_account_id=billing_account_id,
        invoice_id=payment.invoice_id,
        stripe_payment_intent_id=payment.stripe_payment_intent_id,
        amount=dollars_of_cents(payment.amount_cents),
        currency=payment.currency,
        status=payment.status,
        payment_method_type=payment.payment_method_type,
        payment_method_last4=payment.payment_method_last4,
        payment_method_brand=payment.payment_method_brand,
        failure_code=payment.failure_code,
        failure_message=payment.failure_message,
        refunded_amount=dollars_of_cents(payment.refunded_cents),
        description=payment.description,
        created_at=payment.created_at,
        succeeded_at=payment.succeeded_at,
        client_secret=payment.client_secret if unfinished else None,
    )


def credit_note(note: CreditNote) -> CreditNoteResponse:
    """A correction."""
    return CreditNoteResponse(
        id=note.credit_note_id,
        credit_note_number=note.credit_note_number,
        organization_id=note.organization_id,
        invoice_id=note.invoice_id,
        kind=note.kind,
        amount=dollars_of_cents(note.amount_cents),
        reason=note.reason,
        created_at=note.created_at,
        voided_at=note.voided_at,
    )

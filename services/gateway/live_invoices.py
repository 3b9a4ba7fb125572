"""How customers see usage, invoices and payments as they happen. Pure."""

from datetime import datetime

from services.gateway.dollars import dollars, dollars_of_cents
from services.gateway.responses import ApiResponse
from shared.contracts.invoicing import (
    InvoiceChanged,
    InvoiceStatus,
    PaymentChanged,
    UsageRecorded,
    UsageType,
)
from shared.contracts.stripe_gateway import ChargeStatus
from shared.contracts.subscription import CoveredBy


class LiveUsage(ApiResponse, frozen=True, kw_only=True):
    """Data of `usage_recorded`, in dollars."""

    organization_id: str
    record_id: str
    usage_type: UsageType
    covered_by: CoveredBy
    total_price: float
    billed: bool
    recorded_at: datetime


class LiveInvoice(ApiResponse, frozen=True, kw_only=True):
    """Data of `invoice_changed`, in dollars; a lower `version` is out of date."""

    organization_id: str
    invoice_id: str
    invoice_number: str
    version: int
    status: InvoiceStatus
    total: float
    amount_due: float
    amount_paid: float
    changed_at: datetime


class LivePayment(ApiResponse, frozen=True, kw_only=True):
    """Data of `payment_changed`, in dollars; a lower `version` is out of date."""

    organization_id: str
    payment_id: str
    invoice_id: str
    version: int
    status: ChargeStatus
    amount: float
    refunded_amount: float
    failure_message: str | None
    changed_at: datetime


def live_usage(fact: UsageRecorded) -> LiveUsage:
    """A use is on record."""
    record = fact.record
    return LiveUsage(
        organization_id=fact.organization_id,
        record_id=record.record_id,
        usage_type=record.usage_type,
        covered_by=record.covered_by,
        total_price=dollars(record.total_picousd),
        billed=record.billed,
        recorded_at=record.recorded_at,
    )


def live_invoice(fact: InvoiceChanged) -> LiveInvoice:
    """An invoice is new, or stands otherwise."""
    invoice = fact.invoice
    return LiveInvoice(
        organization_id=fact.organization_id,
        invoice_id=invoice.invoice_id,
        invoice_number=invoice.invoice_number,
        version=fact.version,
        status=invoice.status,
        total=dollars_of_cents(invoice.total_cents),
        amount_due=dollars_of_cents(invoice.amount_due_cents),
        amount_paid=dollars_of_cents(invoice.amount_paid_cents),
        changed_at=fact.changed_at,
    )


def live_payment(fact: PaymentChanged) -> LivePayment:
    """An attempt to collect is new, or stands otherwise."""
    payment = fact.payment
    return LivePayment(
        organization_id=fact.organization_id,
        payment_id=payment.payment_id,
        invoice_id=payment.invoice_id,
        version=fact.version,
        status=payment.status,
        amount=dollars_of_cents(payment.amount_cents),
        refunded_amount=dollars_of_cents(payment.refunded_cents),
        failure_message=payment.failure_message,
        changed_at=fact.changed_at,
    )

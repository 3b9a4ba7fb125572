"""Stripe's invoices in our words, and how an attempt at one stands."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.stripe_gateway.rules.invoice_objects import Amount, Invoice, InvoiceLine
from services.stripe_gateway.rules.objects import Intent
from services.stripe_gateway.rules.refusals import failure_message
from services.stripe_gateway.rules.states import charge_status
from shared.contracts.stripe_gateway import (
    Charge,
    StripeInvoice,
    StripeInvoiceLine,
    StripeInvoiceStatus,
)

STATUSES: dict[str, StripeInvoiceStatus] = {
    "open": "open",
    "paid": "paid",
    "void": "void",
    "uncollectible": "uncollectible",
}
MOST_LINES = 100


def is_of_period(invoice: Invoice, begun_at: int) -> bool:
    """Whether an invoice is for a part of a period, or of a later one; Unix seconds."""
    return any(line.period and line.period.end > begun_at for line in invoice.lines.data)


def begins_since(invoice: Invoice, since: float) -> bool:
    """Whether an invoice is for anything that begins at a moment or later; Unix seconds."""
    return any(line.period and line.period.start >= since for line in invoice.lines.data)


def is_untried_renewal(invoice: Invoice) -> bool:
    """Whether an invoice is for a renewal that nobody has tried to collect yet: Stripe's drafts
    wait for about an hour.
    """
    return invoice.billing_reason == "subscription_cycle" and not invoice.attempted


def is_first(invoice: Invoice) -> bool:
    """Whether an invoice is the one that a plan begins with."""
    return invoice.billing_reason == "subscription_create"


def told_invoice(invoice: Invoice) -> StripeInvoice | None:
    """A finalized invoice; None for a draft, and for one of which Stripe has a new word."""
    status = STATUSES.get(invoice.status or "")
    if status is None:
        return None
    moments = invoice.status_transitions
    return StripeInvoice(
        stripe_invoice_id=invoice.id,
        number=invoice.number,
        status=status,
        description=invoice.description,
        currency=invoice.currency,
        subtotal_cents=invoice.subtotal,
        discount_cents=_sum(invoice.total_discount_amounts),
        tax_cents=_sum(invoice.total_taxes),
        total_cents=invoice.total,
        amount_due_cents=invoice.amount_due,
        amount_paid_cents=invoice.amount_paid,
        attempted=invoice.attempted,
        lines=tuple(_line(each) for each in invoice.lines.data[:MOST_LINES]),
        lines_left_out=invoice.lines.has_more or len(invoice.lines.data) > MOST_LINES,
        period_start=_moment(invoice.period_start),
        period_end=_moment(invoice.period_end),
        due_at=_maybe(invoice.due_date),
        finalized_at=_maybe(moments.finalized_at),
        paid_at=_maybe(moments.paid_at),
        voided_at=_maybe(moments.voided_at),
        created_at=_moment(invoice.created),
    )


def _line(line: InvoiceLine) -> StripeInvoiceLine:
    return StripeInvoiceLine(
        description=line.description or "",
        quantity=line.quantity if line.quantity is not None else 1,
        total_cents=line.amount,
        period_start=_moment(line.period.start) if line.period else None,
        period_end=_moment(line.period.end) if line.period else None,
    )


def _sum(parts: Sequence[Amount] | None) -> int:
    return sum(part.amount for part in parts or ())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe(seconds: int | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)


def charge_for(charge_id: str, invoice: Invoice, intent: Intent | None, at: datetime) -> Charge:
    """An attempt at an invoice as one of ours would be told of. `at` is when it was begun."""
    paid = invoice.status == "paid"
    error = intent.last_payment_error if intent else None
    code = (error.decline_code or error.code) if error else None
    word = intent.status if intent else "requires_payment_method"
    amount = invoice.amount_due
    status = "succeeded" if paid else charge_status("pending", word, code, amount, 0)
    if status == "succeeded" and not paid:
        # The money is there, and the invoice will say so in a moment.
        status = "pending"
    failed = status in {"failed", "requires_action"}
    method = intent.payment_method if intent else None
    method = method or (error.payment_method if error else None)
    card = method.card if method else None
    return Charge(
        charge_id=charge_id,
        stripe_payment_intent_id=intent.id if intent else None,
        amount_cents=amount,
        status=status,
        payment_method_type=method.type if method else None,
        payment_method_brand=card.brand if card else None,
        payment_method_last4=card.last4 if card else None,
        failure_code=(code or word) if failed else None,
        failure_message=failure_message(code or word) if failed else None,
        client_secret=intent.client_secret if intent and status == "requires_action" else None,
        created_at=at,
        succeeded_at=_maybe(invoice.status_transitions.paid_at) if paid else None,
    )

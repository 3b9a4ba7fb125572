"""Invoices and attempts as facts and answers tell of them."""

from services.invoicing.handlers.views import invoice_of
from services.invoicing.rules.invoices import draft_number
from services.invoicing.tables import InvoiceRow, PaymentRow, ProfileRow
from shared.contracts.invoicing import (
    InvoiceChanged,
    InvoicePaid,
    Payment,
    PaymentChanged,
)
from shared.database import Db


def number_of(invoice: InvoiceRow) -> str:
    """The number that an invoice is spoken of by."""
    return invoice.invoice_number or draft_number(invoice.invoice_id)


def invoice_changed(invoice: InvoiceRow, owner: ProfileRow) -> InvoiceChanged:
    """How an invoice stands, without its lines, which do not change."""
    return InvoiceChanged(
        organization_id=invoice.organization_id,
        version=invoice.version,
        invoice=invoice_of(invoice, (), owner),
        changed_at=invoice.updated_at,
    )


def invoice_paid(invoice: InvoiceRow) -> InvoicePaid:
    """Nothing is due any more."""
    return InvoicePaid(
        organization_id=invoice.organization_id,
        invoice_id=invoice.invoice_id,
        invoice_number=number_of(invoice),
        kind=invoice.kind,
        amount_paid_cents=invoice.amount_paid_cents,
        paid_at=invoice.paid_at or invoice.updated_at,
    )


def payment_of(
    row: PaymentRow, profile: ProfileRow, invoice: InvoiceRow, client_secret: str | None = None
) -> Payment:
    """An attempt in the contract's words; a secret only for who has to confirm it."""
    return Payment(
        payment_id=row.payment_id,
        organization_id=row.organization_id,
        billing_account_id=profile.billing_account_id,
        invoice_id=row.invoice_id,
        stripe_payment_intent_id=row.stripe_payment_intent_id,
        amount_cents=row.amount_cents,
        currency=invoice.currency,
        status=row.status,
        payment_method_type=row.payment_method_type,
        payment_method_brand=row.payment_method_brand,
        payment_method_last4=row.payment_method_last4,
        failure_code=row.failure_code,
        failure_message=row.failure_message,
        refunded_cents=row.refunded_cents,
        description=describe(invoice),
        client_secret=client_secret if row.status == "requires_action" else None,
        created_at=row.created_at,
        succeeded_at=row.succeeded_at,
    )


def describe(invoice: InvoiceRow) -> str:
    """What a payment is for, as it stands on a statement."""
    return f"Invoice {number_of(invoice)}"


def payment_changed(
    db: Db, row: PaymentRow, profile: ProfileRow, invoice: InvoiceRow
) -> PaymentChanged:
    """How an attempt stands now."""
    return PaymentChanged(
        organization_id=row.organization_id,
        version=row.version,
        payment=payment_of(row, profile, invoice),
        changed_at=db.now,
    )

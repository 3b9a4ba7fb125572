"""Attempts at invoices, written down before a card is charged."""

import msgspec

from services.invoicing.handlers.facts import describe
from services.invoicing.rules.payments import due_cents
from services.invoicing.store.invoices import find_invoice
from services.invoicing.store.payments import add_payment, save_payment
from services.invoicing.tables import InvoiceRow, PaymentRow, ProfileRow
from shared.clock import new_id
from shared.database import Db


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect, and by which name for ever. `replaces` is ended first; an invoice of
    Stripe's is paid at Stripe.
    """

    organization_id: str
    invoice_id: str
    payment_id: str
    amount_cents: int
    description: str
    payment_method_id: str | None
    off_session: bool
    requested_by: str
    replaces: str | None = None
    stripe_invoice_id: str | None = None


def attempt_of(
    payment: PaymentRow,
    invoice: InvoiceRow,
    *,
    method_id: str | None,
    requested_by: str,
    replaces: str | None = None,
) -> Attempt:
    """What an attempt that is written down is to collect; `method_id` None is the default."""
    return Attempt(
        organization_id=payment.organization_id,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        amount_cents=payment.amount_cents,
        description=describe(invoice),
        payment_method_id=method_id,
        off_session=payment.automatic,
        requested_by=requested_by,
        replaces=replaces,
        stripe_invoice_id=invoice.stripe_invoice_id,
    )


async def begin_attempt(
    db: Db,
    profile: ProfileRow,
    invoice: InvoiceRow,
    *,
    method_id: str | None,
    automatic: bool,
    requested_by: str,
    instead_of: PaymentRow | None = None,
) -> Attempt:
    """Write an attempt down, in the place of one that waits for the bank's question to be answered.
    The profile is locked, and the invoice may be paid.
    """
    if instead_of is not None:
        await save_payment(db, msgspec.structs.replace(instead_of, superseded=True))
    payment = PaymentRow(
        organization_id=invoice.organization_id,
        payment_id=new_id(),
        invoice_id=invoice.invoice_id,
        amount_cents=due_cents(invoice),
        automatic=automatic,
        payment_method_id=method_id or profile.default_payment_method_id,
        created_at=db.now,
    )
    await add_payment(db, payment)
    return attempt_of(
        payment,
        invoice,
        method_id=method_id,
        requested_by=requested_by,
        replaces=instead_of.payment_id if instead_of else None,
    )


async def get_invoice(db: Db, organization_id: str, invoice_id: str) -> InvoiceRow:
    """The invoice of an attempt. Raises LookupError."""
    found = await find_invoice(db, [organization_id], invoice_id)
    if found is None:
        raise LookupError(invoice_id)
    return found

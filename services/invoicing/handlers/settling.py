"""What is told of an attempt's charge, and what follows from it for its invoice.

The answer of a charge and the facts of stripe_gateway are two readers of one state machine; both
end in `keep_charge`.
"""

from collections.abc import Sequence

import msgspec

from services.invoicing.handlers import dunning
from services.invoicing.handlers.attempts import get_invoice
from services.invoicing.handlers.facts import invoice_changed, invoice_paid, payment_changed
from services.invoicing.handlers.returning import give_back, giving_back_of
from services.invoicing.rules.payments import COLLECTED, UNPAID, stands_like
from services.invoicing.store.invoices import save_invoices
from services.invoicing.store.payments import get_payment, save_payment
from services.invoicing.tables import InvoiceRow, PaymentRow, ProfileRow
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import Charge
from shared.database import Db
from shared.parked_steps import resume


async def keep_charge(
    db: Db, profile: ProfileRow, payment_id: str, charge: Charge, version: int | None = None
) -> list[Event]:
    """Write down what is told of an attempt's charge, as a fact by its version, and what follows
    from it for the invoice and for dunning. The profile is locked.
    """
    before = await get_payment(db, profile.organization_id, payment_id)
    after = stands_like(before, charge, version, db.now)
    if after == before:
        return []
    if msgspec.structs.replace(after, charge_version=before.charge_version) == before:
        # The fact of what its answer has told already.
        await save_payment(db, after)
        return []
    invoice = await get_invoice(db, profile.organization_id, before.invoice_id)
    if invoice.kind == "stripe" and before.status == "failed":
        # How the invoice stands is told of a later attempt as well.
        return []
    if after.status in COLLECTED and before.status not in COLLECTED:
        return await _collected(db, profile, invoice, after)
    if after.surplus and after.disputed_cents < before.disputed_cents:
        # It may have waited for the bank for longer than it is tried.
        await resume(db, giving_back_of(payment_id))
    events: list[Event] = [await _save(db, profile, invoice, after)]
    if after.status in COLLECTED and not after.surplus:
        events.extend(await _reversed(db, profile, invoice, after))
    elif after.automatic and after.status != before.status and before.status == "pending":
        events.extend(await dunning.note_failure(db, profile, invoice, after))
    return events


async def fail(
    db: Db, profile: ProfileRow, payment_id: str, code: str, message: str
) -> list[Event]:
    """Write down that an attempt came to nothing before any charge of it was made."""
    payment = await get_payment(db, profile.organization_id, payment_id)
    if payment.status != "pending":
        return []
    return await keep_failure(db, profile, payment, code, message)


async def keep_failure(
    db: Db, profile: ProfileRow, payment: PaymentRow, code: str, message: str
) -> list[Event]:
    """Write down why an attempt has failed, when it is not its charge that says so."""
    charge = Charge(
        charge_id=payment.payment_id,
        stripe_payment_intent_id=None,
        amount_cents=payment.amount_cents,
        status="failed",
        failure_code=code,
        failure_message=message,
        created_at=payment.created_at,
    )
    return await keep_charge(db, profile, payment.payment_id, charge)


async def _save(db: Db, profile: ProfileRow, invoice: InvoiceRow, payment: PaymentRow) -> Event:
    row = msgspec.structs.replace(payment, version=payment.version + 1)
    await save_payment(db, row)
    return payment_changed(db, row, profile, invoice)


async def _collected(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, payment: PaymentRow
) -> list[Event]:
    """The money is there: the invoice is paid by it, or it goes back."""
    if invoice.status not in UNPAID:
        if invoice.kind == "stripe":
            # Stripe takes the money for one of its own invoices once: this is the same money.
            return [await _save(db, profile, invoice, payment)]
        surplus = msgspec.structs.replace(payment, surplus=True)
        return [await _save(db, profile, invoice, surplus), await give_back(db, invoice, surplus)]
    paid = await mark_paid(db, profile, invoice, payment.amount_cents)
    events = [await _save(db, profile, invoice, payment), *paid]
    if payment.refunded_cents or payment.disputed_cents:
        # Both came in one word, and the word of the first alone is out of date when it comes.
        invoice = await get_invoice(db, profile.organization_id, invoice.invoice_id)
        events += await _reversed(db, profile, invoice, payment)
    return events


async def mark_paid(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, amount_cents: int
) -> Sequence[Event]:
    """An unpaid invoice is paid, and asked for no more."""
    paid = msgspec.structs.replace(
        invoice,
        status="paid",
        amount_paid_cents=invoice.amount_paid_cents + amount_cents,
        paid_at=db.now,
        version=invoice.version + 1,
        updated_at=db.now,
    )
    await save_invoices(db, [paid])
    lifted = await dunning.end(db, paid)
    return [invoice_changed(paid, profile), invoice_paid(paid), *lifted]


async def _reversed(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, payment: PaymentRow
) -> Sequence[Event]:
    """What was given back of an invoice, or is disputed, is what was or is of the attempt that paid
    it; of its own invoices Stripe tells itself.
    """
    gone = msgspec.structs.replace(
        invoice,
        amount_refunded_cents=payment.refunded_cents,
        amount_disputed_cents=payment.disputed_cents,
    )
    if invoice.kind == "stripe" or gone == invoice:
        return ()
    changed = msgspec.structs.replace(gone, version=invoice.version + 1, updated_at=db.now)
    await save_invoices(db, [changed])
    return [invoice_changed(changed, profile)]

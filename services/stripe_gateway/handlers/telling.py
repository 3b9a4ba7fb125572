"""Telling of Stripe's own invoices, with what of them was refunded or is disputed."""

from collections.abc import Sequence

import msgspec

from services.stripe_gateway.store import invoices
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import StripeInvoice, StripeInvoiceChanged
from shared.database import Db


async def tell_invoice(db: Db, organization_id: str, invoice: StripeInvoice) -> Sequence[Event]:
    """How an invoice stands, if that is news."""
    invoice_id = invoice.stripe_invoice_id
    told = msgspec.structs.replace(
        invoice,
        amount_refunded_cents=await invoices.sum_refunded(db, organization_id, invoice_id),
        amount_disputed_cents=await invoices.sum_disputed(db, organization_id, invoice_id),
    )
    version = await invoices.set_invoice(db, organization_id, told)
    if version is None:
        return ()
    return [
        StripeInvoiceChanged(
            organization_id=organization_id, version=version, invoice=told, changed_at=db.now
        )
    ]


async def tell_reversed(
    db: Db, organization_id: str, payment_intent_id: str, invoice_id: str
) -> Sequence[Event]:
    """What was asked back of the payment of an invoice; one not told of yet is told of with it."""
    await invoices.add_payment(db, organization_id, payment_intent_id, invoice_id)
    told = await invoices.find_told(db, organization_id, invoice_id)
    return () if told is None else await tell_invoice(db, organization_id, told)

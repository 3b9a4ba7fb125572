"""One history: what Stripe invoices for subscriptions, and its receipts, beside our own."""

from collections.abc import Sequence

import msgspec

from services.invoicing.handlers.facts import invoice_changed, invoice_paid
from services.invoicing.handlers.settling import keep_charge
from services.invoicing.rules.mirrored import mirrored_invoice, mirrored_lines
from services.invoicing.store.mirrored import find_mirrored, keep_mirrored
from services.invoicing.store.payments import find_under_way
from services.invoicing.store.profiles import lock_profile
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.clock import new_id
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import Charge, StripeInvoiceChanged
from shared.database import Db


async def follow_stripe_invoice(fact: StripeInvoiceChanged, db: Db) -> Sequence[Event]:
    """An invoice stands like this at Stripe; what comes late is out of date."""
    profile = await lock_profile(db, fact.organization_id)
    before = await find_mirrored(db, fact.organization_id, fact.invoice.stripe_invoice_id)
    if before is not None and fact.version <= before.stripe_version:
        return ()
    row = mirrored_invoice(
        fact.invoice,
        fact.version,
        before,
        organization_id=fact.organization_id,
        invoice_id=new_id(),
        at=db.now,
    )
    if before is not None and before.status == "paid" and row.status in {"open", "past_due"}:
        # The answer to a payment was faster than the facts of before it.
        row = msgspec.structs.replace(
            row, status="paid", paid_at=before.paid_at, amount_paid_cents=before.amount_paid_cents
        )
    events: list[Event] = []
    if await keep_mirrored(db, row, before, mirrored_lines(fact.invoice, row)):
        events.append(invoice_changed(row, profile))
    if row.status == "paid" and (before is None or before.status != "paid"):
        events.append(invoice_paid(row))
        events.extend(await _finish_attempt(db, profile, row))
    return events


async def _finish_attempt(db: Db, profile: ProfileRow, row: InvoiceRow) -> Sequence[Event]:
    """Whoever was asked to confirm a payment of it has done so: Stripe takes it only once."""
    under_way = await find_under_way(db, row.organization_id, row.invoice_id)
    if under_way is None:
        return ()
    charge = Charge(
        charge_id=under_way.payment_id,
        stripe_payment_intent_id=under_way.stripe_payment_intent_id,
        amount_cents=under_way.amount_cents,
        status="succeeded",
        created_at=under_way.created_at,
        succeeded_at=row.paid_at,
    )
    return await keep_charge(db, profile, under_way.payment_id, charge)

"""Invoices of Stripe's, as others were told of them last."""

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.tables import stripe_invoices
from shared.contracts.stripe_gateway import StripeInvoice
from shared.database import Db


async def has_invoice(db: Db, organization_id: str, stripe_invoice_id: str) -> bool:
    """Whether an organization has this invoice."""
    found = await db.execute(
        select(stripe_invoices.c.version).where(
            stripe_invoices.c.stripe_invoice_id == stripe_invoice_id,
            stripe_invoices.c.organization_id == organization_id,
        )
    )
    return found.first() is not None


async def set_invoice(db: Db, organization_id: str, invoice: StripeInvoice) -> int | None:
    """Keep a whole invoice; its new version, or None when nothing changed."""
    told = msgspec.to_builtins(invoice)
    kept = await db.execute(
        insert(stripe_invoices)
        .values(
            organization_id=organization_id,
            told=told,
            stripe_invoice_id=invoice.stripe_invoice_id,
            version=1,
            created_at=invoice.created_at,
        )
        .on_conflict_do_update(
            index_elements=["organization_id", "stripe_invoice_id"],
            set_={"told": told, "version": stripe_invoices.c.version + 1},
            where=stripe_invoices.c.told != told,
        )
        .returning(stripe_invoices.c.version)
    )
    version = kept.scalar_one_or_none()
    return None if version is None else int(version)

"""Invoices of Stripe's, as others were told of them last."""

import msgspec
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.states import NOT_GIVEN_BACK, WITHDRAWN
from services.stripe_gateway.tables import disputes, invoice_payments, refunds, stripe_invoices
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


async def find_owner(db: Db, stripe_invoice_id: str) -> str | None:
    """The organization that was told of this invoice."""
    found = await db.execute(
        select(stripe_invoices.c.organization_id)
        .where(stripe_invoices.c.stripe_invoice_id == stripe_invoice_id)
        .limit(1)
    )
    return found.scalar_one_or_none()


async def find_told(db: Db, organization_id: str, stripe_invoice_id: str) -> StripeInvoice | None:
    """What was told of an invoice last."""
    found = await db.execute(
        select(stripe_invoices.c.told).where(
            stripe_invoices.c.stripe_invoice_id == stripe_invoice_id,
            stripe_invoices.c.organization_id == organization_id,
        )
    )
    told = found.scalar_one_or_none()
    return None if told is None else msgspec.convert(told, StripeInvoice)


async def add_payment(
    db: Db, organization_id: str, payment_intent_id: str, stripe_invoice_id: str
) -> None:
    """Keep which invoice a payment paid."""
    await db.execute(
        insert(invoice_payments)
        .values(
            payment_intent_id=payment_intent_id,
            organization_id=organization_id,
            stripe_invoice_id=stripe_invoice_id,
        )
        .on_conflict_do_nothing()
    )


async def sum_refunded(db: Db, organization_id: str, stripe_invoice_id: str) -> int:
    """Cents of an invoice's payments that went back, or are on their way."""
    found = await db.execute(
        select(func.coalesce(func.sum(refunds.c.amount_cents), 0))
        .join(invoice_payments, invoice_payments.c.payment_intent_id == refunds.c.payment_intent_id)
        .where(
            invoice_payments.c.organization_id == organization_id,
            invoice_payments.c.stripe_invoice_id == stripe_invoice_id,
            refunds.c.status_at_stripe.not_in(NOT_GIVEN_BACK),
        )
    )
    return int(found.scalar_one())


async def sum_disputed(db: Db, organization_id: str, stripe_invoice_id: str) -> int:
    """Cents of an invoice's payments that banks hold back or have taken."""
    found = await db.execute(
        select(func.coalesce(func.sum(disputes.c.amount_cents), 0))
        .join(
            invoice_payments, invoice_payments.c.payment_intent_id == disputes.c.payment_intent_id
        )
        .where(
            invoice_payments.c.organization_id == organization_id,
            invoice_payments.c.stripe_invoice_id == stripe_invoice_id,
            disputes.c.status_at_stripe.in_(WITHDRAWN),
        )
    )
    return int(found.scalar_one())


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

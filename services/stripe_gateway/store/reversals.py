"""Refunds and disputes as Stripe has them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.objects import Dispute, Refund
from services.stripe_gateway.tables import disputes, refunds
from shared.database import Db


async def set_refund(db: Db, organization_id: str, payment_intent_id: str, refund: Refund) -> bool:
    """Keep a refund; whether that changes how it stands."""
    row = {
        "stripe_refund_id": refund.id,
        "organization_id": organization_id,
        "refund_id": (refund.metadata or {}).get("refund_id"),
        "payment_intent_id": payment_intent_id,
        "amount_cents": refund.amount,
        "status_at_stripe": refund.status or "pending",
        "created_at": datetime.fromtimestamp(refund.created, UTC),
    }
    kept = await db.execute(
        insert(refunds)
        .values(row)
        .on_conflict_do_update(
            index_elements=["stripe_refund_id"],
            set_={"status_at_stripe": row["status_at_stripe"]},
            where=refunds.c.status_at_stripe != row["status_at_stripe"],
        )
    )
    return kept.rowcount == 1


async def find_refund(db: Db, organization_id: str, refund_id: str) -> Row[Any] | None:
    """A refund that we asked for."""
    found = await db.execute(
        select(refunds).where(
            refunds.c.organization_id == organization_id, refunds.c.refund_id == refund_id
        )
    )
    return found.first()


async def set_dispute(
    db: Db, organization_id: str, payment_intent_id: str, dispute: Dispute
) -> int | None:
    """Keep a dispute; its new version, or None when nothing changed."""
    row = {
        "dispute_id": dispute.id,
        "organization_id": organization_id,
        "payment_intent_id": payment_intent_id,
        "amount_cents": dispute.amount,
        "status_at_stripe": dispute.status,
        "version": 1,
        "created_at": datetime.fromtimestamp(dispute.created, UTC),
    }
    kept = await db.execute(
        insert(disputes)
        .values(row)
        .on_conflict_do_update(
            index_elements=["dispute_id"],
            set_={
                "status_at_stripe": dispute.status,
                "amount_cents": dispute.amount,
                "version": disputes.c.version + 1,
            },
            where=(disputes.c.status_at_stripe != dispute.status)
            | (disputes.c.amount_cents != dispute.amount),
        )
        .returning(disputes.c.version)
    )
    return kept.scalar_one_or_none()

"""Charges: attempts to collect, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.tables import charges
from shared.contracts.stripe_gateway import Charge
from shared.database import Db

FIELDS = {
    "charge_id": "charge_id",
    "stripe_payment_intent_id": "payment_intent_id",
    "amount_cents": "amount_cents",
    "status": "status",
    "payment_method_type": "payment_method_type",
    "payment_method_brand": "payment_method_brand",
    "payment_method_last4": "payment_method_last4",
    "failure_code": "failure_code",
    "failure_message": "failure_message",
    "refunded_cents": "refunded_cents",
    "disputed_cents": "disputed_cents",
    "client_secret": "client_secret",
    "created_at": "created_at",
    "succeeded_at": "succeeded_at",
}


def charge_of(row: Row[Any]) -> Charge:
    """A row in the contract's words."""
    return Charge(**{name: getattr(row, column) for name, column in FIELDS.items()})


async def add_charge(
    db: Db, organization_id: str, charge_id: str, amount_cents: int, **values: Any
) -> bool:
    """Write down an attempt before it is made; False when it is known."""
    row = {
        "organization_id": organization_id,
        "charge_id": charge_id,
        "amount_cents": amount_cents,
        "status": "pending",
        "created_at": db.now,
        **values,
    }
    added = await db.execute(insert(charges).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


async def lock_charge(db: Db, organization_id: str, charge_id: str) -> Row[Any] | None:
    """An attempt, held until the transaction ends."""
    found = await db.execute(
        select(charges)
        .where(charges.c.organization_id == organization_id, charges.c.charge_id == charge_id)
        .with_for_update()
    )
    return found.first()


async def lock_charge_of_payment(db: Db, payment_intent_id: str) -> Row[Any] | None:
    """The attempt that a payment belongs to."""
    found = await db.execute(
        select(charges).where(charges.c.payment_intent_id == payment_intent_id).with_for_update()
    )
    return found.first()


async def set_charge(db: Db, row: Row[Any], **values: Any) -> Row[Any] | None:
    """Change an attempt that is locked; None when that changes nothing."""
    if all(getattr(row, name) == value for name, value in values.items()):
        return None
    changed = await db.execute(
        update(charges)
        .where(
            charges.c.organization_id == row.organization_id, charges.c.charge_id == row.charge_id
        )
        .values(**values, version=charges.c.version + 1)
        .returning(charges)
    )
    return changed.one()


async def list_under_way(
    db: Db, before: datetime, asked_since: datetime, limit: int
) -> Sequence[Row[Any]]:
    """Attempts whose last word is not spoken, begun before a moment, oldest first. Of those that
    wait for a customer only newer ones: Stripe tells when somebody comes back to an old one.
    """
    found = await db.execute(
        select(charges)
        .where(
            or_(
                charges.c.status == "pending",
                and_(charges.c.status == "requires_action", charges.c.created_at >= asked_since),
            ),
            charges.c.payment_intent_id.is_not(None),
            charges.c.created_at < before,
        )
        .order_by(charges.c.created_at)
        .limit(limit)
    )
    return found.all()

"""Money that came or went, once each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.tables import money_movements
from shared.contracts.stripe_gateway import MoneyMoved
from shared.database import Db

Purpose = Literal["credits", "lifetime", "subscription", "invoice", "refund", "dispute"]


async def move_money(
    db: Db,
    organization_id: str,
    movement_id: str,
    amount_cents: int,
    purpose: Purpose,
    reference: str,
    moved_at: datetime,
) -> Sequence[MoneyMoved]:
    """Note a movement; the fact to tell, or nothing when it is known or empty."""
    row = {
        "organization_id": organization_id,
        "movement_id": movement_id,
        "amount_cents": amount_cents,
        "purpose": purpose,
        "reference": reference,
        "moved_at": moved_at,
    }
    added = await db.execute(insert(money_movements).values(row).on_conflict_do_nothing())
    if not added.rowcount or not amount_cents:
        return ()
    return (
        MoneyMoved(
            organization_id=organization_id,
            movement_id=movement_id,
            amount_cents=amount_cents,
            purpose=purpose,
            reference=reference,
            moved_at=moved_at,
        ),
    )


async def has_moved(db: Db, organization_id: str, movement_id: str) -> bool:
    """Whether a movement is noted."""
    found = await db.execute(
        select(money_movements.c.movement_id).where(
            money_movements.c.organization_id == organization_id,
            money_movements.c.movement_id == movement_id,
        )
    )
    return found.first() is not None

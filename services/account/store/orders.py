"""What was asked of the credits before, by the ids of those who asked: nothing counts twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.account.tables.schema import applications, credit_orders, purchases
from shared.database import Db

Action = Literal["grant", "take"]


class Order(msgspec.Struct, frozen=True):
    """An operator's order that was carried out."""

    content_hash: bytes
    moved_cents: int


class Application(msgspec.Struct, frozen=True):
    """What an invoice asked for and got; restored when the invoice was voided."""

    asked_cents: int
    applied_cents: int
    restored_at: datetime | None


class Purchase(msgspec.Struct, frozen=True):
    """A purchase as far as we have heard: not paid yet, paid, or partly reversed."""

    amount_cents: int | None = None
    lot_id: str | None = None
    paid_at: datetime | None = None
    reversed_cents: int = 0
    reversal_version: int = 0


async def find_order(db: Db, organization_id: str, action: Action, order_id: str) -> Order | None:
    """An operator's order by its id."""
    found = await db.execute(
        select(credit_orders.c.content_hash, credit_orders.c.moved_cents).where(
            credit_orders.c.organization_id == organization_id,
            credit_orders.c.action == action,
            credit_orders.c.order_id == order_id,
        )
    )
    row = found.first()
    return None if row is None else Order(row.content_hash, row.moved_cents)


async def add_order(
    db: Db, organization_id: str, action: Action, order_id: str, order: Order, ordered_by: str
) -> None:
    """Keep an order with what it moved."""
    await db.execute(
        insert(credit_orders).values(
            organization_id=organization_id,
            action=action,
            order_id=order_id,
            content_hash=order.content_hash,
            moved_cents=order.moved_cents,
            ordered_by=ordered_by,
            ordered_at=db.now,
        )
    )


async def find_application(db: Db, organization_id: str, invoice_id: str) -> Application | None:
    """What an invoice got."""
    found = await db.execute(
        select(applications).where(
            applications.c.organization_id == organization_id,
            applications.c.invoice_id == invoice_id,
        )
    )
    row = found.first()
    return None if row is None else Application(row.asked_cents, row.applied_cents, row.restored_at)


async def add_application(
    db: Db, organization_id: str, invoice_id: str, application: Application
) -> None:
    """Keep what an invoice asked for and got."""
    await db.execute(
        insert(applications).values(
            organization_id=organization_id,
            invoice_id=invoice_id,
            asked_cents=application.asked_cents,
            applied_cents=application.applied_cents,
            applied_at=db.now,
            restored_at=application.restored_at,
        )
    )


_ADD_NOTHING = """
INSERT INTO applications (organization_id, invoice_id, asked_cents, applied_cents, applied_at)
SELECT organization_id, invoice_id, asked_cents, 0, $4
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS a (organization_id, invoice_id, asked_cents)
ON CONFLICT (organization_id, invoice_id) DO NOTHING RETURNING invoice_id
"""


async def add_applications(db: Db, asked: Sequence[tuple[str, str, int]]) -> set[str]:
    """Keep what invoices (organization, invoice, cents) asked for where there was nothing; answers
    those that were not known.
    """
    columns = [list(column) for column in zip(*asked, strict=True)] if asked else [[], [], []]
    rows = await db.driver.fetch(_ADD_NOTHING, *columns, db.now)
    return {row["invoice_id"] for row in rows}


async def set_restored(db: Db, organization_id: str, invoice_id: str) -> None:
    """Note that an invoice's credits went back."""
    await db.execute(
        update(applications)
        .where(
            applications.c.organization_id == organization_id,
            applications.c.invoice_id == invoice_id,
        )
        .values(restored_at=db.now)
    )


async def get_purchase(db: Db, organization_id: str, session_id: str) -> Purchase:
    """A purchase as we know it; one we have not heard of is unpaid and unreversed."""
    found = await db.execute(
        select(purchases).where(
            purchases.c.organization_id == organization_id, purchases.c.session_id == session_id
        )
    )
    row = found.first()
    if row is None:
        return Purchase()
    return Purchase(**{name: getattr(row, name) for name in Purchase.__struct_fields__})


async def set_purchase(db: Db, organization_id: str, session_id: str, purchase: Purchase) -> None:
    """Keep a purchase as it stands now."""
    values: dict[str, Any] = msgspec.structs.asdict(purchase)
    keys = {"organization_id": organization_id, "session_id": session_id}
    await db.execute(
        insert(purchases)
        .values(**keys, **values)
        .on_conflict_do_update(index_elements=list(keys), set_=values)
    )

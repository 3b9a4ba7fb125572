"""Purchases: hosted pages and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.states import UNDER_WAY
from services.stripe_gateway.tables import purchases
from shared.contracts.stripe_gateway import CheckoutState, CreateCheckout
from shared.database import Db


async def add_purchase(
    db: Db, purchase_id: str, request: CreateCheckout, expires_at: datetime
) -> None:
    """Write down what is to be bought, before Stripe hears of it."""
    await db.execute(
        insert(purchases).values(
            purchase_id=purchase_id,
            organization_id=request.organization_id,
            kind=request.kind,
            tier=request.tier,
            amount_cents=request.amount_cents,
            description=request.description,
            success_url=request.success_url,
            cancel_url=request.cancel_url,
            requested_by=request.requested_by,
            status="open",
            created_at=db.now,
            expires_at=expires_at,
        )
    )


async def find_open_purchase(
    db: Db, request: CreateCheckout, usable_until: datetime
) -> Row[Any] | None:
    """A page that is open for the very same purchase, for a second tab."""
    found = await db.execute(
        select(purchases)
        .where(
            purchases.c.organization_id == request.organization_id,
            purchases.c.kind == request.kind,
            purchases.c.tier.is_not_distinct_from(request.tier),
            purchases.c.amount_cents == request.amount_cents,
            purchases.c.description == request.description,
            purchases.c.success_url == request.success_url,
            purchases.c.cancel_url == request.cancel_url,
            purchases.c.requested_by == request.requested_by,
            purchases.c.status == "open",
            purchases.c.checkout_url.is_not(None),
            purchases.c.expires_at > usable_until,
        )
        .order_by(purchases.c.created_at.desc())
        .limit(1)
    )
    return found.first()


async def lock_purchase(db: Db, purchase_id: str) -> Row[Any] | None:
    """A purchase, held until the transaction ends."""
    found = await db.execute(
        select(purchases).where(purchases.c.purchase_id == purchase_id).with_for_update()
    )
    return found.first()


async def lock_purchase_of_payment(db: Db, payment_intent_id: str) -> Row[Any] | None:
    """The purchase that a payment paid."""
    found = await db.execute(
        select(purchases)
        .where(purchases.c.payment_intent_id == payment_intent_id)
        .with_for_update()
    )
    return found.first()


async def find_purchase_of_session(
    db: Db, organization_id: str, session_id: str
) -> Row[Any] | None:
    """An organization's purchase by its session."""
    found = await db.execute(
        select(purchases).where(
            purchases.c.organization_id == organization_id, purchases.c.session_id == session_id
        )
    )
    return found.first()


async def set_purchase(db: Db, purchase_id: str, **values: Any) -> Row[Any]:
    """Change a purchase that is locked."""
    changed = await db.execute(
        update(purchases)
        .where(purchases.c.purchase_id == purchase_id)
        .values(**values)
        .returning(purchases)
    )
    return changed.one()


async def list_under_way(db: Db, before: datetime, limit: int) -> Sequence[Row[Any]]:
    """Purchases that have not ended, begun before a moment, oldest first."""
    found = await db.execute(
        select(purchases)
        .where(
            purchases.c.status.in_(sorted(UNDER_WAY)),
            purchases.c.session_id.is_not(None),
            purchases.c.created_at < before,
        )
        .order_by(purchases.c.created_at)
        .limit(limit)
    )
    return found.all()


def state_of(row: Row[Any]) -> CheckoutState:
    """What the success page may know."""
    return CheckoutState(
        session_id=row.session_id,
        kind=row.kind,
        tier=row.tier,
        amount_cents=row.amount_cents,
        status=row.status,
    )

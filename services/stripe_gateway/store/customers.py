"""Customers as they are linked, and what they pay with."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.objects import Method
from services.stripe_gateway.tables import customers, payment_methods
from shared.contracts.stripe_gateway import PaymentMethod, PaymentMethods
from shared.database import Db


class Who(Struct, frozen=True, kw_only=True):
    """Whom a call to Stripe is for."""

    organization_id: str
    billing_account_id: str
    generation: int
    stripe_customer_id: str | None
    expected_since: datetime

    @property
    def local_id(self) -> str:
        """What the customer's creation is known by: each generation is made once."""
        return f"{self.billing_account_id}:{self.generation}"


def _who(row: Row[Any] | None) -> Who | None:
    if row is None:
        return None
    return Who(
        organization_id=row.organization_id,
        billing_account_id=row.billing_account_id,
        generation=row.generation,
        stripe_customer_id=row.stripe_customer_id,
        expected_since=row.expected_since,
    )


async def add_customer(db: Db, organization_id: str, billing_account_id: str) -> bool:
    """Expect a customer; False when it is expected already."""
    row = {
        "organization_id": organization_id,
        "billing_account_id": billing_account_id,
        "expected_since": db.now,
    }
    added = await db.execute(insert(customers).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


async def find_customer(db: Db, organization_id: str) -> Who | None:
    """An organization's customer."""
    found = await db.execute(
        select(customers).where(customers.c.organization_id == organization_id)
    )
    return _who(found.first())


async def find_linked_customer(db: Db, stripe_customer_id: str) -> Who | None:
    """Whose a customer of Stripe's is."""
    found = await db.execute(
        select(customers).where(customers.c.stripe_customer_id == stripe_customer_id)
    )
    return _who(found.first())


async def link_customer(db: Db, who: Who, stripe_customer_id: str) -> int | None:
    """Link the customer of this generation; the new version, or None when that was done before."""
    linked = await db.execute(
        update(customers)
        .where(
            customers.c.organization_id == who.organization_id,
            customers.c.generation == who.generation,
            customers.c.stripe_customer_id.is_(None),
        )
        .values(
            stripe_customer_id=stripe_customer_id,
            linked_at=db.now,
            version=customers.c.version + 1,
        )
        .returning(customers.c.version)
    )
    return linked.scalar_one_or_none()


async def unlink_customer(db: Db, who: Who) -> int:
    """Forget a customer that is gone; the next generation may be made. The new version."""
    unlinked = await db.execute(
        update(customers)
        .where(customers.c.stripe_customer_id == who.stripe_customer_id)
        .values(
            stripe_customer_id=None,
            linked_at=None,
            expected_since=db.now,
            generation=customers.c.generation + 1,
            version=customers.c.version + 1,
        )
        .returning(customers.c.version)
    )
    return int(unlinked.scalar_one())


async def list_unlinked(db: Db, before: datetime, limit: int) -> Sequence[Who]:
    """Organizations that wait for their customer since long ago."""
    found = await db.execute(
        select(customers)
        .where(customers.c.stripe_customer_id.is_(None), customers.c.expected_since < before)
        .limit(limit)
    )
    return [who for row in found if (who := _who(row)) is not None]


async def list_methods(db: Db, organization_id: str) -> PaymentMethods:
    """The default first, then newest first."""
    found = await db.execute(
        select(payment_methods)
        .where(payment_methods.c.organization_id == organization_id)
        .order_by(
            payment_methods.c.is_default.desc(),
            payment_methods.c.created_at.desc(),
            payment_methods.c.payment_method_id,
        )
    )
    return PaymentMethods(
        payment_methods=tuple(
            PaymentMethod(
                payment_method_id=row.payment_method_id,
                type=row.type,
                card_brand=row.card_brand,
                card_last4=row.card_last4,
                exp_month=row.exp_month,
                exp_year=row.exp_year,
                is_default=row.is_default,
            )
            for row in found
        )
    )


async def find_method_owner(db: Db, payment_method_id: str) -> str | None:
    """The organization that a payment method is attached to, as far as we know."""
    found = await db.execute(
        select(payment_methods.c.organization_id).where(
            payment_methods.c.payment_method_id == payment_method_id
        )
    )
    return found.scalar_one_or_none()


async def set_methods(
    db: Db, organization_id: str, methods: Sequence[Method], default: str | None
) -> int | None:
    """Keep the whole list; the new version, or None when nothing changed."""
    before = await list_methods(db, organization_id)
    await db.execute(
        delete(payment_methods).where(payment_methods.c.organization_id == organization_id)
    )
    if methods:
        rows = [_method_row(organization_id, each, default) for each in methods]
        # One that we thought to be another customer's is where Stripe says that it is.
        ids = [row["payment_method_id"] for row in rows]
        await db.execute(
            delete(payment_methods).where(payment_methods.c.payment_method_id.in_(ids))
        )
        await db.execute(insert(payment_methods), rows)
    if before == await list_methods(db, organization_id):
        return None
    moved = await db.execute(
        update(customers)
        .where(customers.c.organization_id == organization_id)
        .values(methods_version=customers.c.methods_version + 1)
        .returning(customers.c.methods_version)
    )
    return int(moved.scalar_one())


def _method_row(organization_id: str, method: Method, default: str | None) -> dict[str, Any]:
    card = method.card
    return {
        "payment_method_id": method.id,
        "organization_id": organization_id,
        "type": method.type,
        "card_brand": card.brand if card else None,
        "card_last4": card.last4 if card else None,
        "exp_month": card.exp_month if card else None,
        "exp_year": card.exp_year if card else None,
        "is_default": method.id == default,
        "created_at": datetime.fromtimestamp(method.created, UTC),
    }

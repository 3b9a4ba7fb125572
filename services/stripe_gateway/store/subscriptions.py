"""Subscriptions as Stripe has them."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.states import RUNNING
from services.stripe_gateway.tables import subscriptions
from shared.contracts.stripe_gateway import StripeSubscription
from shared.database import Db


def subscription_of(row: Row[Any]) -> StripeSubscription:
    """A row in the contract's words."""
    fields = StripeSubscription.__struct_fields__
    return StripeSubscription(**{name: getattr(row, name) for name in fields})


async def lock_subscription(db: Db, subscription_id: str) -> Row[Any] | None:
    """A subscription, held until the transaction ends."""
    found = await db.execute(
        select(subscriptions)
        .where(subscriptions.c.stripe_subscription_id == subscription_id)
        .with_for_update()
    )
    return found.first()


async def find_running(
    db: Db,
    organization_id: str,
    subscription_id: str | None = None,
    *,
    unpaid: bool = False,
    ended: bool = False,
) -> StripeSubscription | None:
    """The one that is named, or the newest, if it has not ended; with `unpaid` also one whose first
    payment the bank is still asked about, and with `ended` also one that has ended.
    """
    wanted = RUNNING - (set() if unpaid else {"incomplete"}) | ({"canceled"} if ended else set())
    running = select(subscriptions).where(
        subscriptions.c.organization_id == organization_id,
        subscriptions.c.status.in_(sorted(wanted)),
    )
    if subscription_id is not None:
        running = running.where(subscriptions.c.stripe_subscription_id == subscription_id)
    found = await db.execute(running.order_by(subscriptions.c.created_at.desc()).limit(1))
    row = found.first()
    return None if row is None else subscription_of(row)


async def has_running(db: Db, organization_id: str) -> bool:
    """Whether a paid plan runs."""
    return await find_running(db, organization_id) is not None


async def set_subscription(
    db: Db,
    organization_id: str,
    subscription: StripeSubscription,
    created_at: datetime,
    *,
    announce: bool = False,
) -> int | None:
    """Keep a whole subscription; its new version, or None when nothing changed.

    `announce` gives a new version all the same.
    """
    before = await lock_subscription(db, subscription.stripe_subscription_id)
    if before is not None and subscription_of(before) == subscription and not announce:
        return None
    values = {
        "organization_id": organization_id,
        **msgspec.structs.asdict(subscription),
    }
    kept = await db.execute(
        insert(subscriptions)
        .values(**values, version=1, created_at=created_at)
        .on_conflict_do_update(
            index_elements=["stripe_subscription_id"],
            set_={**values, "version": subscriptions.c.version + 1},
        )
        .returning(subscriptions.c.version)
    )
    return int(kept.scalar_one())

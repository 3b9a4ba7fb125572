"""Subscriptions, running and ended, and the lifetimes that were paid for."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.subscription.tables import PurchaseRow, SubscriptionRow
from services.subscription.tables.schema import lifetime_purchases, subscriptions
from shared.database import Db

_LIVE = "SELECT * FROM subscriptions WHERE organization_id = $1 AND live"
_END_OTHERS = """
UPDATE subscriptions SET live = false
WHERE organization_id = $1 AND live AND subscription_id IS DISTINCT FROM $2
"""
_SET_LIVE = "UPDATE subscriptions SET live = true WHERE subscription_id = $1 AND NOT live"
_OVERDUE = """
SELECT organization_id FROM subscriptions
WHERE live AND past_due_since <= $1 AND suspended_at IS NULL
ORDER BY past_due_since LIMIT $2
"""
_DELETE_ORDERS = """
DELETE FROM steps
WHERE status <> 'concluded' AND kind = $1 AND state ->> 'stripe_subscription_id' = $2
"""
_NEXT_OVERDUE = "SELECT min(past_due_since) FROM subscriptions WHERE live AND suspended_at IS NULL"


async def find_live(db: Db, organization_id: str) -> SubscriptionRow | None:
    """The plan that counts; None on the free tier."""
    row = await db.driver.fetchrow(_LIVE, organization_id)
    return None if row is None else msgspec.convert(dict(row), SubscriptionRow)


async def list_subscriptions(db: Db, organization_id: str) -> list[SubscriptionRow]:
    """All of an organization's, in the order in which they began."""
    rows = await db.driver.fetch(
        "SELECT * FROM subscriptions WHERE organization_id = $1 ORDER BY began_at", organization_id
    )
    return [msgspec.convert(dict(row), SubscriptionRow) for row in rows]


async def save_subscription(db: Db, row: SubscriptionRow) -> None:
    """Add it or write it anew; whether it is the live one is set apart."""
    values = {k: v for k, v in msgspec.structs.asdict(row).items() if k != "live"}
    added = insert(subscriptions).values(**values, live=False)
    await db.execute(
        added.on_conflict_do_update(
            index_elements=["subscription_id"],
            # Ending and being live exclude each other in every statement, not only at commit.
            set_={**values, "live": subscriptions.c.live & (added.excluded.status != "canceled")},
        )
    )


async def set_live(db: Db, organization_id: str, subscription_id: str | None) -> None:
    """Make this the one that counts, or none."""
    await db.driver.execute(_END_OTHERS, organization_id, subscription_id)
    if subscription_id is not None:
        await db.driver.execute(_SET_LIVE, subscription_id)


async def delete_waiting_orders(db: Db, kind: str, stripe_subscription_id: str) -> None:
    """Forget steps of a kind about a subscription at Stripe that have not concluded."""
    await db.driver.execute(_DELETE_ORDERS, kind, stripe_subscription_id)


async def list_overdue(db: Db, since: datetime, limit: int) -> Sequence[str]:
    """Organizations whose plan has been past due since then and is not suspended yet."""
    return [row["organization_id"] for row in await db.driver.fetch(_OVERDUE, since, limit)]


async def next_overdue(db: Db) -> datetime | None:
    """Since when the plan has been past due that is to be suspended next."""
    moment: datetime | None = await db.driver.fetchval(_NEXT_OVERDUE)
    return moment


async def save_purchase(db: Db, row: PurchaseRow) -> None:
    """Add a lifetime purchase or write it anew."""
    values = msgspec.structs.asdict(row)
    await db.execute(
        insert(lifetime_purchases)
        .values(values)
        .on_conflict_do_update(index_elements=["organization_id", "session_id"], set_=values)
    )


async def list_purchases(db: Db, organization_id: str) -> list[PurchaseRow]:
    """All lifetime purchases of an organization."""
    rows = await db.driver.fetch(
        "SELECT * FROM lifetime_purchases WHERE organization_id = $1", organization_id
    )
    return [msgspec.convert(dict(row), PurchaseRow) for row in rows]

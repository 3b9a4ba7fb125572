"""Leases: a customer is worked on by one at a time, also across calls to Stripe."""

from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.tables import leases
from shared.database import Db

# Longer than a step may take for its call.
LEASE = timedelta(seconds=45)


async def take_lease(db: Db, name: str) -> int | None:
    """The fence of our lease; None while somebody else holds one."""
    moment = func.clock_timestamp()
    taken = (
        insert(leases)
        .values(name=name, fence=1, held_until=moment + LEASE)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"fence": leases.c.fence + 1, "held_until": moment + LEASE},
            where=leases.c.held_until < moment,
        )
        .returning(leases.c.fence)
    )
    return (await db.execute(taken)).scalar_one_or_none()


async def give_back(db: Db, name: str, fence: int) -> bool:
    """End our lease; False when it ran out and somebody else had it since."""
    moment = func.clock_timestamp()
    given = await db.execute(
        update(leases)
        .where(leases.c.name == name, leases.c.fence == fence)
        .values(held_until=moment - timedelta(seconds=1))
    )
    return given.rowcount == 1

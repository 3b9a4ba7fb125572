"""Events of Stripe by their id, and how far the reconciler has walked."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.stripe_gateway.rules.objects import IncomingEvent
from services.stripe_gateway.tables import walks, webhook_events
from shared.database import Db


async def add_event(db: Db, event: IncomingEvent, body: bytes, state: str) -> bool:
    """Keep an event; False when it is known."""
    row = {
        "event_id": event.id,
        "type": event.type,
        "object_id": event.object_id,
        "body": body,
        "state": state,
        "created_at": event.happened_at,
        "received_at": db.now,
    }
    added = await db.execute(insert(webhook_events).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


async def set_event_state(db: Db, event_id: str, state: str, reason: str | None = None) -> None:
    """Note what was done about an event."""
    await db.execute(
        update(webhook_events)
        .where(webhook_events.c.event_id == event_id)
        .values(state=state, reason=reason, worked_at=db.now)
    )


async def begin_walk(db: Db, name: str, every_seconds: float) -> datetime | None:
    """Where a walk begins; None when the last one began too short ago."""
    row = {"name": name, "walked_until": db.now, "begun_at": db.now}
    if (await db.execute(insert(walks).values(row).on_conflict_do_nothing())).rowcount:
        return db.now
    found = (await db.execute(select(walks).where(walks.c.name == name))).one()
    if (db.now - found.begun_at).total_seconds() < every_seconds:
        return None
    await db.execute(update(walks).where(walks.c.name == name).values(begun_at=db.now))
    walked_until: datetime = found.walked_until
    return walked_until


async def end_walk(db: Db, name: str, walked_until: datetime) -> None:
    """Note how far a walk came; a slower one does not take it back."""
    await db.execute(
        update(walks)
        .where(walks.c.name == name)
        .values(walked_until=func.greatest(walks.c.walked_until, walked_until))
    )

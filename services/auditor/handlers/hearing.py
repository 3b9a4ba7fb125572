"""Whatever is told of an organization is a hint that its numbers have moved."""

from collections.abc import Sequence

from services.auditor.store import watches
from shared.contracts.base import Event
from shared.database import Db


async def note_change(event: Event, db: Db) -> Sequence[Event]:
    """The organization is due for a look."""
    await watches.note_change(db, event.organization_id)
    return ()

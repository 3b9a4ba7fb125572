"""What is past its time is let go: holds that nobody committed, credits that nobody spent."""

from collections.abc import Sequence
from datetime import datetime

from services.account.handlers import audit
from services.account.handlers.books import Books, Note
from services.account.rules.holds import end_expired
from services.account.store import books as store
from services.account.store import due
from shared.contracts.base import Event
from shared.database import Db

# In one transaction, which locks the accounts that it touches.
ORGANIZATIONS = 100
HOLDS = 500


class Expiry:
    """The job that lets go."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def expire(self, db: Db) -> Sequence[Event]:
        """Let go of what is due; an account that is busy now is left for the next turn."""
        events: list[Event] = []
        for organization_id in await due.list_due_organizations(db, ORGANIZATIONS):
            book = await self._books.open(db, organization_id, skip_locked=True)
            if book is None:
                continue
            holds = await due.list_due_holds(db, organization_id, HOLDS)
            await store.read_holds(db, book, holds)
            end_expired(book)
            note = Note(audit.OURSELVES, "credits_expired", "credits")
            events += await self._books.close(db, book, note)
        return events

    async def next_due(self, db: Db) -> datetime | None:
        """When something passes its time next."""
        return await due.next_expiry(db)

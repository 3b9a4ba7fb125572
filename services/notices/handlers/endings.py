"""What ends soon: trials and cards, said some days before."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.notices.handlers.raising import Raising
from services.notices.rules import wording
from services.notices.rules.wording import Draft
from services.notices.store import organizations as store
from services.notices.tables import OrganizationRow
from shared.contracts.base import Event
from shared.database import Db

# In one transaction.
ORGANIZATIONS = 100


class Endings:
    """The job that tells of them."""

    def __init__(self, raising: Raising) -> None:
        self._raising = raising

    async def tell(self, db: Db) -> Sequence[Event]:
        """Say what is due; what was said is not due any more."""
        events: list[Event] = []
        for row in await store.lock_due(db, ORGANIZATIONS):
            for draft in _due(row, db.now):
                events += await self._raising.say(db, row, draft)
            await store.save_organization(db, _told(row, db.now))
        return events

    async def next_due(self, db: Db) -> datetime | None:
        """When something is to be said next."""
        return await store.next_due(db)


def _due(row: OrganizationRow, now: datetime) -> list[Draft]:
    """After a long pause something may have ended already: then it is too late to say so."""
    drafts = []
    trial, card = row.trial_ends_at, row.card_expires_at
    if _is_due(row.trial_notice_at, now) and trial and trial > now:
        drafts.append(wording.trial_ending(trial, row.pending_tier or row.tier))
    if _is_due(row.card_notice_at, now) and card and card > now:
        drafts.append(wording.card_expiring(row.card_id or "", row.card_name or "card", card))
    return drafts


def _told(row: OrganizationRow, now: datetime) -> OrganizationRow:
    return msgspec.structs.replace(
        row,
        trial_notice_at=None if _is_due(row.trial_notice_at, now) else row.trial_notice_at,
        card_notice_at=None if _is_due(row.card_notice_at, now) else row.card_notice_at,
    )


def _is_due(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now

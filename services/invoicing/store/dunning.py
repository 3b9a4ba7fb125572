"""What dunning does next about an invoice, and whom it has suspended."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.invoicing.tables import DunningRow, ProfileRow
from services.invoicing.tables.payments import dunning
from services.invoicing.tables.schema import billing_profiles
from shared.database import Db

_FIND = "SELECT * FROM dunning WHERE organization_id = $1 AND invoice_id = $2"
_FAILED = """
SELECT * FROM dunning WHERE organization_id = $1 AND attempts > 0 ORDER BY invoice_id LIMIT $2
"""
_UNTRIED = """
SELECT d.* FROM dunning d JOIN invoices i USING (organization_id, invoice_id)
WHERE d.organization_id = $1 AND d.attempts = 0 AND d.next_attempt_at IS NULL
  AND i.finalized_at >= $2 AND i.status IN ('open', 'past_due')
  AND NOT EXISTS (
      SELECT FROM payments p WHERE p.organization_id = $1 AND p.invoice_id = d.invoice_id
  )
ORDER BY d.invoice_id LIMIT $3
"""
# By organization, so that two who lock several profiles do it in the same order.
_DUE_ATTEMPTS = """
WITH due AS (
    SELECT d.organization_id, d.invoice_id FROM dunning d
    JOIN billing_profiles p ON p.organization_id = d.organization_id AND p.parked_reason IS NULL
    WHERE d.next_attempt_at <= $1 ORDER BY d.next_attempt_at LIMIT $2
)
SELECT * FROM due ORDER BY organization_id, invoice_id
"""
_DUE_REMINDERS = """
WITH due AS (
    SELECT d.organization_id, d.invoice_id FROM dunning d
    JOIN billing_profiles p ON p.organization_id = d.organization_id AND p.parked_reason IS NULL
    WHERE d.next_reminder_at <= $1 ORDER BY d.next_reminder_at LIMIT $2
)
SELECT * FROM due ORDER BY organization_id, invoice_id
"""
_STILL_OWED = """
SELECT EXISTS (
    SELECT 1 FROM dunning d JOIN invoices i USING (organization_id, invoice_id)
    WHERE d.organization_id = $1 AND i.status IN ('open', 'past_due')
      AND (d.suspended_at IS NOT NULL OR (d.attempts > 0 AND i.due_at <= $2))
)
"""
_NEXT_DUE = """
SELECT least(
    (SELECT d.next_attempt_at FROM dunning d
     JOIN billing_profiles p ON p.organization_id = d.organization_id AND p.parked_reason IS NULL
     WHERE d.next_attempt_at IS NOT NULL ORDER BY d.next_attempt_at LIMIT 1),
    (SELECT d.next_reminder_at FROM dunning d
     JOIN billing_profiles p ON p.organization_id = d.organization_id AND p.parked_reason IS NULL
     WHERE d.next_reminder_at IS NOT NULL ORDER BY d.next_reminder_at LIMIT 1)
)
"""
# Unpaid invoices of one organization that a new card is tried on.
MOST_TRIED = 50


async def find_dunning(db: Db, organization_id: str, invoice_id: str) -> DunningRow | None:
    """How it goes on with an invoice; None when nobody asks for it."""
    row = await db.driver.fetchrow(_FIND, organization_id, invoice_id)
    return None if row is None else msgspec.convert(dict(row), DunningRow)


async def list_failed(db: Db, organization_id: str) -> Sequence[DunningRow]:
    """The invoices that auto-billing could not collect."""
    rows = await db.driver.fetch(_FAILED, organization_id, MOST_TRIED)
    return [msgspec.convert(dict(row), DunningRow) for row in rows]


async def list_untried(db: Db, organization_id: str, since: datetime) -> Sequence[DunningRow]:
    """The invoices that became final since a moment, and that nobody has tried to collect."""
    rows = await db.driver.fetch(_UNTRIED, organization_id, since, MOST_TRIED)
    return [msgspec.convert(dict(row), DunningRow) for row in rows]


async def list_due_attempts(db: Db, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Organizations and invoices about which dunning has to act."""
    return [tuple(row) for row in await db.driver.fetch(_DUE_ATTEMPTS, at, limit)]


async def list_due_reminders(db: Db, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """Organizations and invoices of which a reminder is due."""
    return [tuple(row) for row in await db.driver.fetch(_DUE_REMINDERS, at, limit)]


async def next_due(db: Db) -> datetime | None:
    """When there is something to do about the next invoice."""
    moment: datetime | None = await db.driver.fetchval(_NEXT_DUE)
    return moment


async def owes_still(db: Db, organization_id: str, at: datetime) -> bool:
    """Whether an overdue invoice is left that auto-billing could not collect."""
    return bool(await db.driver.fetchval(_STILL_OWED, organization_id, at))


async def save_dunning(db: Db, row: DunningRow) -> None:
    """Write down how it goes on."""
    values = msgspec.structs.asdict(row)
    await db.execute(
        insert(dunning)
        .values(values)
        .on_conflict_do_update(index_elements=["organization_id", "invoice_id"], set_=values)
    )


async def drop_dunning(db: Db, organization_id: str, invoice_id: str) -> None:
    """Ask for an invoice no more."""
    await db.execute(
        dunning.delete().where(
            dunning.c.organization_id == organization_id, dunning.c.invoice_id == invoice_id
        )
    )


async def set_suspended(db: Db, profile: ProfileRow, *, suspended: bool) -> int:
    """Note that an organization is suspended, or not any more; the version of that."""
    version = profile.suspension_version + 1
    await db.execute(
        billing_profiles.update()
        .where(billing_profiles.c.organization_id == profile.organization_id)
        .values(suspended=suspended, suspension_version=version)
    )
    return version

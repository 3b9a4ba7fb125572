"""Whose month is to be closed, and whose drafts somebody has left."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.invoicing.store.invoices import invoice_row
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.database import Db

# One that has a draft is closed when that is final; one that is parked, when it is released.
_DUE = """
SELECT * FROM billing_profiles p
WHERE next_close_at <= $1 AND parked_reason IS NULL AND NOT EXISTS (
    SELECT 1 FROM invoices i
    WHERE i.organization_id = p.organization_id AND i.status = 'draft' AND i.kind = 'usage'
)
ORDER BY next_close_at LIMIT $2 FOR UPDATE OF p SKIP LOCKED
"""
_CLOSED = """
UPDATE billing_profiles SET next_close_at = c.next_close_at
FROM unnest($1::text[], $2::timestamptz[]) AS c (organization_id, next_close_at)
WHERE billing_profiles.organization_id = c.organization_id
"""
_LEFT = """
SELECT i.* FROM invoices i JOIN billing_profiles p USING (organization_id)
WHERE i.status = 'draft' AND i.kind = 'usage' AND i.created_at <= $1 AND p.parked_reason IS NULL
ORDER BY i.created_at LIMIT $2
"""
_NEXT = "SELECT min(next_close_at) FROM billing_profiles WHERE parked_reason IS NULL"


async def lock_due_profiles(db: Db, limit: int) -> dict[str, ProfileRow]:
    """Profiles whose month is to be closed, the longest waiting first; others' are left to them."""
    rows = await db.driver.fetch(_DUE, db.now, limit)
    return {row["organization_id"]: msgspec.convert(dict(row), ProfileRow) for row in rows}


async def set_next_closes(db: Db, nexts: dict[str, datetime]) -> None:
    """When the month after the one that was closed is to be."""
    await db.driver.execute(_CLOSED, list(nexts), list(nexts.values()))


async def list_left_drafts(db: Db, before: datetime, limit: int) -> Sequence[InvoiceRow]:
    """Drafts that have been under way since before a moment."""
    return [invoice_row(row) for row in await db.driver.fetch(_LEFT, before, limit)]


async def find_next_close(db: Db) -> datetime | None:
    """When the next month is to be closed."""
    found: datetime | None = await db.driver.fetchval(_NEXT)
    return found

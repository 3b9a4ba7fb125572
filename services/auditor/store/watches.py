"""Whom the auditor watches, and who is due."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.dialects.postgresql import insert

from services.auditor.tables import bookmarks
from shared.database import Db

# A busy organization is noted once a second, not with every fact; neither statement waits for
# anybody who has noted it already.
_CHANGED = """
UPDATE watches SET changed_at = $2::timestamptz
WHERE organization_id = $1 AND changed_at < $2::timestamptz - interval '1 second'
"""
_NEW = "INSERT INTO watches (organization_id, changed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_ADD = """
INSERT INTO watches (organization_id, changed_at)
SELECT organization_id, $2 FROM unnest($1::text[]) AS told (organization_id)
ON CONFLICT DO NOTHING
"""
# Those that have changed or are not settled, and those that nobody has looked at for longest.
_DUE = """
WITH changed AS (
    SELECT organization_id FROM watches
    WHERE judged_until IS NULL OR changed_at >= judged_until
    ORDER BY changed_at LIMIT $1
), unsettled AS (
    SELECT DISTINCT organization_id FROM findings WHERE status <> 'closed' LIMIT $1
), longest AS (
    SELECT organization_id FROM watches ORDER BY looked_at NULLS FIRST LIMIT $2
)
SELECT w.organization_id, w.records, w.sliced_to FROM watches AS w
JOIN (SELECT * FROM changed UNION SELECT * FROM unsettled UNION SELECT * FROM longest) AS due
  USING (organization_id)
WHERE NOT EXISTS (SELECT FROM suspicions AS s WHERE s.organization_id = w.organization_id)
ORDER BY w.organization_id
"""
# Not the rows themselves: whoever notes a change need not wait.
_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('auditor ' || organization_id, 0))
FROM (SELECT unnest($1::text[]) AS organization_id ORDER BY 1) AS asked
"""
_LOOKED = """
UPDATE watches SET judged_until = greatest(judged_until, $2), looked_at = $3,
    records = coalesce($4, records), sliced_to = coalesce($5, sliced_to)
WHERE organization_id = $1
"""


async def note_change(db: Db, organization_id: str) -> None:
    """Something of an organization has changed now."""
    if await db.driver.execute(_CHANGED, organization_id, db.now) == "UPDATE 0":
        await db.driver.execute(_NEW, organization_id, db.now)


async def add_watches(db: Db, organization_ids: Sequence[str]) -> None:
    """Watch organizations that nothing was heard of yet."""
    await db.driver.execute(_ADD, list(organization_ids), db.now)


async def list_due(db: Db, most: int, sweep: int) -> Sequence[asyncpg.Record]:
    """Organizations for a round: at most so many that changed, and so many of the others."""
    return await db.driver.fetch(_DUE, most, sweep)


async def lock_watches(db: Db, organization_ids: Sequence[str]) -> None:
    """Keep others from judging these until the transaction ends, in a fixed order."""
    await db.driver.execute(_LOCK, list(organization_ids))


async def set_looked(
    db: Db,
    organization_id: str,
    until: datetime | None,
    records: int | None,
    sliced_to: datetime | None,
) -> None:
    """An organization was looked at, up to a time unless somebody gave no answer."""
    await db.driver.execute(_LOOKED, organization_id, until, db.now, records, sliced_to)


async def get_bookmark(db: Db, owner: str) -> str:
    """The last organization that was read of an owner's list."""
    found = await db.driver.fetchval("SELECT after FROM bookmarks WHERE owner = $1", owner)
    return found or ""


async def set_bookmark(db: Db, owner: str, after: str) -> None:
    """Remember how far an owner's list was read."""
    row = {"owner": owner, "after": after}
    await db.execute(
        insert(bookmarks)
        .values(row)
        .on_conflict_do_update(index_elements=["owner"], set_={"after": after})
    )

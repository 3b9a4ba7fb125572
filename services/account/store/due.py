"""What is past its time: lots with free credits, and holds that nobody committed."""

from datetime import datetime

from shared.database import Db

_DUE = """
SELECT organization_id FROM (
    (SELECT organization_id, expires_at FROM credit_lots
     WHERE remaining_cents > held_cents AND expires_at <= $1 ORDER BY expires_at LIMIT $2)
    UNION ALL
    (SELECT organization_id, expires_at FROM holds
     WHERE status = 'held' AND expires_at <= $1 ORDER BY expires_at LIMIT $2)
) AS due GROUP BY 1 ORDER BY min(expires_at) LIMIT $2
"""


async def list_due_organizations(db: Db, limit: int) -> list[str]:
    """Organizations with something past its time, the longest waiting first."""
    return [row["organization_id"] for row in await db.driver.fetch(_DUE, db.now, limit)]


_DUE_HOLDS = """
SELECT hold_id FROM holds
WHERE organization_id = $1 AND status = 'held' AND expires_at <= $2
ORDER BY expires_at LIMIT $3
"""


async def list_due_holds(db: Db, organization_id: str, limit: int) -> list[str]:
    """Holds of one organization that nobody committed in time."""
    rows = await db.driver.fetch(_DUE_HOLDS, organization_id, db.now, limit)
    return [row["hold_id"] for row in rows]


_NEXT = """
SELECT least(
    (SELECT min(expires_at) FROM credit_lots WHERE remaining_cents > held_cents),
    (SELECT min(expires_at) FROM holds WHERE status = 'held')
)
"""


async def next_expiry(db: Db) -> datetime | None:
    """When the next thing passes its time."""
    moment: datetime | None = await db.driver.fetchval(_NEXT)
    return moment

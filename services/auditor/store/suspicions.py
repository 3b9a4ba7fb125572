"""What did not agree at the last look, until it is looked at again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.auditor.rules.judging import Cut, Failure, Suspicion
from shared.database import Db

_SET = """
INSERT INTO suspicions (organization_id, failures, until, first_hour, end_hour, barrier,
                        suspected_at, look_at)
VALUES ($1, $2::text::jsonb, $3, $4, $5, $6, $7, $8)
ON CONFLICT (organization_id) DO UPDATE SET failures = excluded.failures,
    until = excluded.until, first_hour = excluded.first_hour, end_hour = excluded.end_hour,
    barrier = excluded.barrier, look_at = excluded.look_at
"""
# Taken at once by nobody else; who is killed with it leaves it to the next after a while.
_TAKE = """
UPDATE suspicions AS s SET look_at = $2
FROM (SELECT organization_id FROM suspicions WHERE look_at <= $1
      ORDER BY look_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS due
WHERE s.organization_id = due.organization_id RETURNING s.*, failures::text AS told
"""


async def set_suspicion(db: Db, suspicion: Suspicion, look_at: datetime) -> None:
    """Write down what did not agree, and when to look again."""
    await db.driver.execute(
        _SET,
        suspicion.organization_id,
        msgspec.json.encode(suspicion.failures).decode(),
        suspicion.cut.until,
        suspicion.cut.first_hour,
        suspicion.cut.end_hour,
        suspicion.barrier,
        db.now,
        look_at,
    )


async def take_suspicions(db: Db, lease: timedelta, most: int) -> list[Suspicion]:
    """Those that are due for their second look."""
    rows = await db.driver.fetch(_TAKE, db.now, db.now + lease, most)
    return [_suspicion(dict(row)) for row in rows]


async def drop_suspicions(db: Db, organization_ids: Sequence[str]) -> None:
    """Nothing more is suspected of these."""
    await db.driver.execute(
        "DELETE FROM suspicions WHERE organization_id = ANY($1::text[])", list(organization_ids)
    )


def _suspicion(row: dict[str, object]) -> Suspicion:
    found = msgspec.json.decode(str(row["told"]), type=dict[str, Failure])
    cut = msgspec.convert({name: row[name] for name in ("until", "first_hour", "end_hour")}, Cut)
    return Suspicion(
        organization_id=str(row["organization_id"]),
        failures=found,
        cut=cut,
        barrier=msgspec.convert(row["barrier"], int | None),
    )

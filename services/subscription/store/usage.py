"""What agents told: every event's id for ever, and the gauges as last read."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from services.subscription.rules.coverage import Warned
from services.subscription.rules.periods import calendar_month
from services.subscription.tables import GaugeRow
from services.subscription.tables.schema import gauges
from shared.database import Db

_ADD = """
INSERT INTO usage_events (organization_id, event_id, content_hash, received_at)
SELECT $1, event_id, content_hash, $4
FROM unnest($2::text[], $3::bytea[]) AS told (event_id, content_hash)
ON CONFLICT DO NOTHING RETURNING event_id
"""
_HASHES = """
SELECT event_id, content_hash FROM usage_events
WHERE organization_id = $1 AND event_id = ANY($2)
"""
_ENDED_MONTHS = """
SELECT organization_id FROM gauges WHERE month_ends_at <= $1 ORDER BY month_ends_at LIMIT $2
"""


async def add_usage_events(
    db: Db, organization_id: str, told: Sequence[tuple[str, bytes]]
) -> tuple[set[str], dict[str, bytes]]:
    """Keep (id, content hash) of events, each id once; answers which ids are new, and the
    content hashes of those that were kept before.
    """
    ids = [event_id for event_id, _ in told]
    hashes = [content_hash for _, content_hash in told]
    added = await db.driver.fetch(_ADD, organization_id, ids, hashes, db.now)
    new = {row["event_id"] for row in added}
    known = await db.driver.fetch(
        _HASHES, organization_id, [each for each in ids if each not in new]
    )
    return new, {row["event_id"]: row["content_hash"] for row in known}


async def get_gauges(db: Db, organization_id: str) -> dict[str, GaugeRow]:
    """The gauges of an organization by name."""
    rows = await db.driver.fetch("SELECT * FROM gauges WHERE organization_id = $1", organization_id)
    return {row["gauge"]: msgspec.convert(dict(row), GaugeRow) for row in rows}


async def set_gauge(
    db: Db, organization_id: str, gauge: str, value: int, measured_at: datetime
) -> bool:
    """Write a reading down, unless a later one is known; of one moment the higher counts."""
    added = insert(gauges).values(
        organization_id=organization_id,
        gauge=gauge,
        value=value,
        measured_at=measured_at,
        month_ends_at=calendar_month(db.now).end if gauge == "storage_bytes" else None,
    )
    later = gauges.c.measured_at < added.excluded.measured_at
    higher = (gauges.c.measured_at == added.excluded.measured_at) & (
        gauges.c.value < added.excluded.value
    )
    done = await db.execute(
        added.on_conflict_do_update(
            index_elements=["organization_id", "gauge"],
            set_={
                "value": added.excluded.value,
                "measured_at": added.excluded.measured_at,
                "month_ends_at": func.coalesce(
                    gauges.c.month_ends_at, added.excluded.month_ends_at
                ),
            },
            where=later | higher,
        )
    )
    return done.rowcount == 1


async def set_gauge_warned(
    db: Db, organization_id: str, gauge: str, warned: Warned, period_start: datetime
) -> None:
    """Remember up to which threshold of which limit a period was warned of."""
    await db.driver.execute(
        "UPDATE gauges SET warned_percent = $3, warned_limit = $4, warned_period_start = $5"
        " WHERE organization_id = $1 AND gauge = $2",
        organization_id,
        gauge,
        *warned,
        period_start,
    )


async def list_ended_months(db: Db, ended_by: datetime, limit: int) -> Sequence[str]:
    """Organizations of whose storage a month is to be told, the longest ended first."""
    rows = await db.driver.fetch(_ENDED_MONTHS, ended_by, limit)
    return [row["organization_id"] for row in rows]


async def next_month_end(db: Db) -> datetime | None:
    """When the month ends that is to be told next."""
    moment: datetime | None = await db.driver.fetchval("SELECT min(month_ends_at) FROM gauges")
    return moment


async def set_month_end(db: Db, organization_id: str, month_ends_at: datetime) -> None:
    """Write which month of storage is to be told next."""
    await db.driver.execute(
        "UPDATE gauges SET month_ends_at = $2"
        " WHERE organization_id = $1 AND gauge = 'storage_bytes'",
        organization_id,
        month_ends_at,
    )

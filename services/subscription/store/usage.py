"""What agents told: every event's id for ever, and the gauges as last read."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.dialects.postgresql import insert

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
        organization_id=organization_id, gauge=gauge, value=value, measured_at=measured_at
    )
    later = gauges.c.measured_at < added.excluded.measured_at
    higher = (gauges.c.measured_at == added.excluded.measured_at) & (
        gauges.c.value < added.excluded.value
    )
    done = await db.execute(
        added.on_conflict_do_update(
            index_elements=["organization_id", "gauge"],
            set_={"value": added.excluded.value, "measured_at": added.excluded.measured_at},
            where=later | higher,
        )
    )
    return done.rowcount == 1


async def set_gauge_warned(
    db: Db, organization_id: str, gauge: str, percent: int, period_start: datetime
) -> None:
    """Remember up to which threshold a period was warned of."""
    await db.driver.execute(
        "UPDATE gauges SET warned_percent = $3, warned_period_start = $4"
        " WHERE organization_id = $1 AND gauge = $2",
        organization_id,
        gauge,
        percent,
        period_start,
    )

"""Corrections: which event replaces which, and which of them have yet to take effect."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from services.cost_metering.store.records import NewRecord
from shared.database import Db

# A correction whose original is missing is looked at again after a part of what it has waited.
WAIT_AGAIN = 0.25
SHORTEST_WAIT = timedelta(seconds=0.5)
LONGEST_WAIT = timedelta(hours=1)


class Refused(NamedTuple):
    """A correction that cannot stand, and why: another one stands, or it goes round in a circle."""

    record: NewRecord
    reason: str
    detail: str


class Due(NamedTuple):
    """A correction to look at; `target` is the record it takes the place of, if that has come."""

    organization_id: str
    corrected_event_id: str
    event_id: str
    target: str | None


_LOCK = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended('corrections ' || organization_id, 0) AS key
    FROM unnest($1::text[]) AS wanted (organization_id) ORDER BY key
) AS keys
"""
# From each event, by whom it is replaced, by whom that one is replaced, and so on: as far as that
# is claimed, or as far as it has taken effect.
CLAIMED, APPLIED = False, True
_REPLACEMENTS = """
WITH RECURSIVE replacements AS (
    SELECT c.organization_id, c.corrected_event_id, c.event_id
    FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, event_id)
    JOIN cost_corrections c ON c.organization_id = wanted.organization_id
        AND c.corrected_event_id = wanted.event_id
    WHERE c.applied_at IS NOT NULL OR NOT $3
    UNION
    SELECT c.organization_id, c.corrected_event_id, c.event_id
    FROM replacements r
    JOIN cost_corrections c ON c.organization_id = r.organization_id
        AND c.corrected_event_id = r.event_id
    WHERE c.applied_at IS NOT NULL OR NOT $3
)
SELECT * FROM replacements
"""
_CLAIM = """
INSERT INTO cost_corrections (organization_id, corrected_event_id, event_id, noted_at, look_at)
SELECT *, $4, $4 FROM unnest($1::text[], $2::text[], $3::text[])
"""


async def claim(db: Db, corrections: Sequence[NewRecord]) -> Sequence[Refused]:
    """Note which events are replaced; the first correction of an event stands, others are refused.

    Holds the organizations' corrections until the transaction ends.
    """
    if not corrections:
        return ()
    organizations = [each.organization_id for each in corrections]
    await db.driver.execute(_LOCK, organizations)
    events = [*(each.event_id for each in corrections), *(each.corrects for each in corrections)]
    rows = await db.driver.fetch(_REPLACEMENTS, organizations * 2, events, CLAIMED)
    replaced_by: dict[tuple[str, str | None], str] = {
        (row["organization_id"], row["corrected_event_id"]): row["event_id"] for row in rows
    }
    claimed: list[tuple[str, str | None, str]] = []
    refused: list[Refused] = []
    for record in corrections:
        corrected = (record.organization_id, record.corrects)
        holder = replaced_by.get(corrected)
        if holder not in {None, record.event_id}:
            told = f"Event {record.corrects} was corrected by {holder}; correct that one instead."
            refused.append(Refused(record, "already_corrected", told))
        elif holder is None and _is_circle(record, replaced_by):
            told = f"A circle: {record.corrects} replaces, in the end, {record.event_id} itself."
            refused.append(Refused(record, "circular_correction", told))
        elif holder is None:
            replaced_by[corrected] = record.event_id
            claimed.append((*corrected, record.event_id))
    if claimed:
        await db.driver.execute(_CLAIM, *zip(*claimed, strict=True), db.now)
    return refused


def _is_circle(record: NewRecord, replaced_by: dict[tuple[str, str | None], str]) -> bool:
    """Whether what a correction replaces is what replaces it, at once or in the end."""
    event: str | None = record.event_id
    while event is not None and event != record.corrects:
        event = replaced_by.get((record.organization_id, event))
    return event is not None


async def release(db: Db, conflicts: Sequence[NewRecord]) -> None:
    """Take back what an event claimed that is not recorded, because its id stands for another."""
    await db.driver.executemany(
        """DELETE FROM cost_corrections AS c
        WHERE organization_id = $1 AND corrected_event_id = $2 AND event_id = $3
        AND NOT EXISTS (
            SELECT FROM cost_records r WHERE r.organization_id = c.organization_id
            AND r.event_id = c.event_id AND r.corrects = c.corrected_event_id
        )""",
        [
            (each.organization_id, each.corrects, each.event_id)
            for each in conflicts
            if each.corrects
        ],
    )


_DUE = """
SELECT c.organization_id, c.corrected_event_id, c.event_id,
       coalesce(r.duplicate_of, r.event_id) AS target
FROM (
    SELECT * FROM cost_corrections WHERE applied_at IS NULL AND look_at <= $1
    ORDER BY look_at LIMIT $2
) AS c
LEFT JOIN cost_records r
    ON r.organization_id = c.organization_id AND r.event_id = c.corrected_event_id
ORDER BY c.organization_id, c.corrected_event_id
"""


async def list_due(db: Db, limit: int) -> Sequence[Due]:
    """Corrections that have not taken effect yet and whose turn it is."""
    return [Due(*row) for row in await db.driver.fetch(_DUE, db.now, limit)]


async def list_successors(db: Db, due: Sequence[Due]) -> dict[tuple[str, str], str]:
    """By whom corrections were corrected themselves, by whom those were, and so on, as far as it
    has taken effect.
    """
    keys = [each.organization_id for each in due], [each.event_id for each in due]
    rows = await db.driver.fetch(_REPLACEMENTS, *keys, APPLIED)
    return {(organization_id, corrected): event_id for organization_id, corrected, event_id in rows}


async def set_applied(db: Db, applied: Sequence[Due]) -> None:
    """These have taken effect."""
    await db.driver.executemany(
        "UPDATE cost_corrections SET applied_at = $3"
        " WHERE organization_id = $1 AND corrected_event_id = $2",
        [(each.organization_id, each.corrected_event_id, db.now) for each in applied],
    )


_PUT_OFF = """
UPDATE cost_corrections
SET look_at = $3::timestamptz
    + greatest($4::interval, least($5::interval, $6 * ($3::timestamptz - noted_at)))
WHERE organization_id = $1 AND corrected_event_id = $2
"""


async def put_off(db: Db, waiting: Sequence[Due]) -> None:
    """Their originals have not come: look again, the later the longer they have waited."""
    bounds = (db.now, SHORTEST_WAIT, LONGEST_WAIT, WAIT_AGAIN)
    await db.driver.executemany(
        _PUT_OFF, [(each.organization_id, each.corrected_event_id, *bounds) for each in waiting]
    )

"""Cost records: added exactly once, fast when nothing came before, exactly when something did.

Batches are copied in optimistically. When a key refuses, the batch is told apart from what is
there already, and the rest is copied. Rows are sorted by key, so that replicas do not deadlock;
where two unique keys disagree about the order, the loser tells its batch apart and tries again.
"""

from collections.abc import Sequence

import asyncpg
import msgspec

from services.cost_metering.store.records import (
    COLUMNS,
    SAID,
    NewRecord,
    says_the_same,
)
from services.cost_metering.store.request_ids import settle_request_ids
from shared.database import Db

# Another replica may add the same events between our look and our copy; then look again.
TRIES = 5


class Added(msgspec.Struct, frozen=True):
    """What became of a batch: rows added, and rows that contradict the one under their id.

    `collided`: something of it had come before, so the next batches may bring more of that.
    """

    records: Sequence[NewRecord]
    conflicts: Sequence[tuple[NewRecord, asyncpg.Record]] = ()
    collided: bool = False


async def add_records(db: Db, records: Sequence[NewRecord], *, look_first: bool) -> Added:
    """Add records that are not there yet.

    `records` are sorted by key and have no two with one key. With `look_first` the optimistic
    copy is left out, because duplicates are expected.
    """
    if not look_first and await _copy(db, records):
        return Added(records)
    for _ in range(TRIES):
        told_apart = await _tell_apart(db, records)
        if await _copy(db, told_apart.records):
            return told_apart
    raise asyncpg.SerializationError("other replicas keep adding the same events")


async def _copy(db: Db, records: Sequence[NewRecord]) -> bool:
    try:
        async with db.driver.transaction():
            await db.driver.copy_records_to_table(
                "cost_records", records=map(msgspec.structs.astuple, records), columns=COLUMNS
            )
    except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
        return False
    return True


_EXISTING = f"""
SELECT r.organization_id, r.event_id, {", ".join("r." + name for name in SAID)}
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, event_id)
JOIN cost_records r USING (organization_id, event_id)
"""  # noqa: S608 -- column names of ours


async def _tell_apart(db: Db, records: Sequence[NewRecord]) -> Added:
    """Split a batch into what is new, what is there already, and what contradicts it."""
    keys = [r.organization_id for r in records], [r.event_id for r in records]
    existing = {
        (row["organization_id"], row["event_id"]): row
        for row in await db.driver.fetch(_EXISTING, *keys)
    }
    fresh = [record for record in records if record.key not in existing]
    conflicts = [
        (record, existing[record.key])
        for record in records
        if record.key in existing and not says_the_same(record, existing[record.key])
    ]
    settled = await settle_request_ids(db, fresh)
    changed = any(after is not before for after, before in zip(settled, fresh, strict=True))
    return Added(settled, conflicts, collided=bool(existing) or changed)


async def add_unpriced(db: Db, records: Sequence[NewRecord], edition: str) -> None:
    """Put records for which this edition of the price book has no price on repricing's list."""
    if not records:
        return
    await db.driver.copy_records_to_table(
        "unpriced_records",
        records=[
            (r.organization_id, r.event_id, r.provider, r.model, r.tokens, r.recorded_at, edition)
            for r in records
        ],
        columns=(
            "organization_id",
            "event_id",
            "provider",
            "model",
            "tokens",
            "noticed_at",
            "book",
        ),
    )

"""Cost records: added exactly once, fast when nothing came before, exactly when something did.

Batches are copied in optimistically. When a key refuses, the batch is told apart from what is
there already, and the rest is copied. Rows are sorted by key, so that replicas cannot deadlock.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from shared.database import Db

# The same response of a provider reported twice within this time is one call.
REQUEST_ID_WINDOW = timedelta(hours=24)
# Another replica may add the same events between our look and our copy; then look again.
TRIES = 5


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of cost_records, in the order of its columns."""

    organization_id: str
    event_id: str
    record_id: str
    task_id: str
    agent_id: str
    sandbox_id: str | None
    workflow_id: str | None
    ticket_id: str | None
    provider: str
    model: str
    request_model: str | None
    provider_request_id: str | None
    owns_request_id: bool
    attempt: int
    occurred_at: datetime
    recorded_at: datetime
    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output_text: int
    output_reasoning: int
    price_context: str
    pricing_status: str
    suspect_reason: str | None
    rate_card_id: int | None
    prompt_cost_picousd: int | None
    completion_cost_picousd: int | None
    billable: bool
    usage_source: str
    outcome: str
    cost_reported_usd: str | None
    corrects: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What makes an event one event, for ever."""
        return self.organization_id, self.event_id

    @property
    def tokens(self) -> int:
        """All six kinds together."""
        return (
            self.input_uncached
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.output_text
            + self.output_reasoning
        )


COLUMNS = NewRecord.__struct_fields__
# What the agent said, without what we made of it: two events with one id must agree on it.
SAID = (
    "task_id",
    "agent_id",
    "sandbox_id",
    "workflow_id",
    "ticket_id",
    "provider",
    "model",
    "request_model",
    "provider_request_id",
    "attempt",
    "occurred_at",
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output_text",
    "output_reasoning",
    "price_context",
    "billable",
    "usage_source",
    "outcome",
    "cost_reported_usd",
    "corrects",
)
# What one response of a provider cannot differ in, whoever reports it.
RESPONSE = (
    "model",
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output_text",
    "output_reasoning",
    "price_context",
    "outcome",
)


class Added(msgspec.Struct, frozen=True):
    """What became of a batch: rows added, rows that contradict what stands under their id."""

    records: Sequence[NewRecord]
    conflicts: Sequence[tuple[NewRecord, str]] = ()


def says_the_same(record: NewRecord, other: Any) -> bool:
    """Whether two reports under one event id are the same report."""
    return all(getattr(record, name) == _value(other, name) for name in SAID)


def same_response(record: NewRecord, other: NewRecord) -> bool:
    """Whether two events report the same response of a provider."""
    apart = abs(record.occurred_at - other.occurred_at)
    return apart <= REQUEST_ID_WINDOW and all(
        getattr(record, name) == getattr(other, name) for name in RESPONSE
    )


def _value(row: Any, name: str) -> Any:
    return getattr(row, name) if isinstance(row, NewRecord) else row[name]


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
    except asyncpg.UniqueViolationError:
        return False
    return True


_EXISTING = f"""
SELECT r.organization_id, r.event_id, {", ".join("r." + name for name in SAID)}
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, event_id)
JOIN cost_records r USING (organization_id, event_id)
"""  # noqa: S608 -- column names of ours
_KNOWN_DUPLICATES = """
SELECT organization_id, event_id
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, event_id)
JOIN request_duplicates USING (organization_id, event_id)
"""


async def _tell_apart(db: Db, records: Sequence[NewRecord]) -> Added:
    """Split a batch into what is new, what is there already, and what contradicts it."""
    keys = [r.organization_id for r in records], [r.event_id for r in records]
    existing = {
        (row["organization_id"], row["event_id"]): row
        for row in await db.driver.fetch(_EXISTING, *keys)
    }
    duplicates = {tuple(row) for row in await db.driver.fetch(_KNOWN_DUPLICATES, *keys)}
    fresh: list[NewRecord] = []
    conflicts: list[tuple[NewRecord, str]] = []
    for record in records:
        stored = existing.get(record.key)
        if stored is not None:
            if not says_the_same(record, stored):
                conflicts.append((record, differing_field(record, stored)))
        elif record.key not in duplicates:
            fresh.append(record)
    return Added(await _settle_request_ids(db, fresh), conflicts)


def differing_field(record: NewRecord, stored: Any) -> str:
    """The first field in which two events under one id contradict each other."""
    return next(name for name in SAID if getattr(record, name) != _value(stored, name))


_LOCK_REQUESTS = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(organization_id || ' ' || provider || ' ' || id, 0) AS key
    FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (organization_id, provider, id)
    ORDER BY key
) AS keys
"""
_ALIKE = " AND ".join(f"r.{name} = w.{name}" for name in RESPONSE)
# For each call: whether its provider's id is taken, and an earlier report of the same response.
_SAME_REQUEST = f"""
SELECT w.organization_id, w.event_id, owner.event_id IS NOT NULL AS taken,
       coalesce(same_owner.event_id, same_reuse.event_id) AS original_event_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
            $7::int8[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::int8[],
            $13::text[], $14::text[])
     AS w (organization_id, provider, provider_request_id, event_id, occurred_at,
           {", ".join(RESPONSE)})
LEFT JOIN cost_records owner
    ON owner.organization_id = w.organization_id AND owner.provider = w.provider
    AND owner.provider_request_id = w.provider_request_id AND owner.owns_request_id
LEFT JOIN LATERAL (
    SELECT r.event_id FROM cost_records r
    WHERE r.organization_id = owner.organization_id AND r.event_id = owner.event_id AND {_ALIKE}
      AND r.occurred_at BETWEEN w.occurred_at - $15::interval AND w.occurred_at + $15::interval
) AS same_owner ON true
LEFT JOIN LATERAL (
    SELECT r.event_id FROM cost_records r
    WHERE r.organization_id = w.organization_id AND r.provider = w.provider
      AND r.provider_request_id = w.provider_request_id AND NOT r.owns_request_id
      AND r.provider_request_id IS NOT NULL AND r.corrects IS NULL AND {_ALIKE}
      AND r.occurred_at BETWEEN w.occurred_at - $15::interval AND w.occurred_at + $15::interval
    LIMIT 1
) AS same_reuse ON owner.event_id IS NOT NULL
"""  # noqa: S608 -- column names of ours
_ASKED = ("organization_id", "provider", "provider_request_id", "event_id", "occurred_at")


async def _settle_request_ids(db: Db, records: Sequence[NewRecord]) -> list[NewRecord]:
    """Drop second reports of one response; mark other uses of its id as suspect."""
    asked = [r for r in records if r.provider_request_id is not None and r.corrects is None]
    if not asked:
        return list(records)
    columns = [[getattr(r, name) for r in asked] for name in (*_ASKED, *RESPONSE)]
    await db.driver.execute(_LOCK_REQUESTS, *columns[:3])
    found = await db.driver.fetch(_SAME_REQUEST, *columns, REQUEST_ID_WINDOW)
    answers = {(row["organization_id"], row["event_id"]): row for row in found}
    in_batch: dict[tuple[str, str, str | None], list[NewRecord]] = {}
    kept: list[NewRecord] = []
    duplicates: list[tuple[str, str, str, datetime]] = []
    for record in records:
        answer = answers.get(record.key)
        if answer is None:
            kept.append(record)
            continue
        request = (record.organization_id, record.provider, record.provider_request_id)
        others = in_batch.setdefault(request, [])
        original = answer["original_event_id"] or next(
            (each.event_id for each in others if same_response(record, each)), None
        )
        if original is not None:
            duplicates.append((*record.key, original, db.now))
            continue
        kept.append(_reusing(record) if answer["taken"] or others else record)
        others.append(kept[-1])
    await _note_duplicates(db, duplicates)
    return kept


def _reusing(record: NewRecord) -> NewRecord:
    # Local models answer every call with the same id, so these are calls, but worth a look.
    reason = record.suspect_reason or "request_id_reused"
    return msgspec.structs.replace(record, owns_request_id=False, suspect_reason=reason)


async def _note_duplicates(db: Db, duplicates: Iterable[tuple[str, str, str, datetime]]) -> None:
    await db.driver.executemany(
        "INSERT INTO request_duplicates (organization_id, event_id, original_event_id, noticed_at)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        list(duplicates),
    )


async def claim_corrections(
    db: Db, corrections: Sequence[NewRecord]
) -> Sequence[tuple[NewRecord, str]]:
    """Note which events are replaced; answers those that another correction replaced before."""
    refused: list[tuple[NewRecord, str]] = []
    for record in corrections:
        holder = await db.driver.fetchval(
            "INSERT INTO cost_corrections AS c (organization_id, corrected_event_id, event_id)"
            " VALUES ($1, $2, $3) ON CONFLICT (organization_id, corrected_event_id)"
            " DO UPDATE SET event_id = c.event_id RETURNING c.event_id",
            record.organization_id,
            record.corrects,
            record.event_id,
        )
        if holder != record.event_id:
            refused.append((record, holder))
    return refused


async def add_unpriced(db: Db, records: Iterable[NewRecord]) -> None:
    """Put records without a price on the work list of repricing."""
    await db.driver.copy_records_to_table(
        "unpriced_records",
        records=[
            (r.organization_id, r.event_id, r.provider, r.model, r.tokens, r.recorded_at)
            for r in records
        ],
        columns=("organization_id", "event_id", "provider", "model", "tokens", "noticed_at"),
    )

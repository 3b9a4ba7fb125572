"""A provider's request id names one response, unless the provider uses it again.

The same response told again within 24 hours, under another event id, is kept but counts nothing.
Another use of the id (local models answer every call with the same one) is a call, and suspect.
Corrections repeat the id of what they correct, so they are left out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.cost_metering.store.records import NewRecord
from shared.database import Db

# The same response of a provider reported twice within this time is one call.
REQUEST_ID_WINDOW = timedelta(hours=24)
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
# Ids that are used again are locked by what they hash to, so that a batch full of them takes no
# more locks than this of PostgreSQL's table.
LOCKS = 1024
LOCK_CLASS = 727_002

_LOCK = """
SELECT pg_advisory_xact_lock($4, bucket) FROM (
    SELECT DISTINCT (hashtextextended(organization_id || ' ' || provider || ' ' || id, 0)
                     & ($5 - 1))::int AS bucket
    FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (organization_id, provider, id)
    ORDER BY bucket
) AS buckets
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
      AND r.provider_request_id IS NOT NULL AND r.corrects IS NULL AND r.duplicate_of IS NULL
      AND r.occurred_at BETWEEN w.occurred_at - $15::interval AND w.occurred_at + $15::interval
      AND {_ALIKE}
    LIMIT 1
) AS same_reuse ON owner.event_id IS NOT NULL
"""  # noqa: S608 -- column names of ours
_ASKED = ("organization_id", "provider", "provider_request_id", "event_id", "occurred_at")

Key = tuple[str, str]


async def settle_request_ids(db: Db, records: Sequence[NewRecord]) -> list[NewRecord]:
    """Mark second reports of one response as duplicates, other uses of its id as suspect.

    `records` are not stored yet; the answer has them in the same order.
    """
    asked = [record for record in records if record.owns_request_id]
    found = await _same_requests(db, asked)
    # The first use of an id is guarded by its unique index. Further ones are not, so look again
    # while nobody else can add any.
    further = [r for r in asked if found[r.key]["taken"] and not found[r.key]["original_event_id"]]
    if further:
        ids = [[getattr(r, name) for r in further] for name in _ASKED[:3]]
        await db.driver.execute(_LOCK, *ids, LOCK_CLASS, LOCKS)
        found |= await _same_requests(db, further)
    batch = _Batch()
    return [
        batch.settle(record, found[record.key]) if record.owns_request_id else record
        for record in records
    ]


async def _same_requests(db: Db, asked: Sequence[NewRecord]) -> dict[Key, Any]:
    if not asked:
        return {}
    columns = [[getattr(r, name) for r in asked] for name in (*_ASKED, *RESPONSE)]
    rows = await db.driver.fetch(_SAME_REQUEST, *columns, REQUEST_ID_WINDOW)
    return {(row["organization_id"], row["event_id"]): row for row in rows}


class _Batch:
    """What stands before a record in its own batch."""

    def __init__(self) -> None:
        self._used: set[tuple[Any, ...]] = set()
        # By response and day, so that a batch full of one id is not compared each with each.
        self._kept: dict[tuple[Any, ...], NewRecord] = {}

    def settle(self, record: NewRecord, found: Any) -> NewRecord:
        """The record in the light of what is stored and of what stands before it."""
        request = (record.organization_id, record.provider, record.provider_request_id)
        response = (*request, *(getattr(record, name) for name in RESPONSE))
        original = found["original_event_id"] or self._earlier(response, record.occurred_at)
        if original is not None:
            return msgspec.structs.replace(record, owns_request_id=False, duplicate_of=original)
        if found["taken"] or request in self._used:
            reason = record.suspect_reason or "request_id_reused"
            record = msgspec.structs.replace(record, owns_request_id=False, suspect_reason=reason)
        self._used.add(request)
        self._kept[*response, record.occurred_at.toordinal()] = record
        return record

    def _earlier(self, response: tuple[Any, ...], occurred_at: datetime) -> str | None:
        day = occurred_at.toordinal()
        near = (self._kept.get((*response, each)) for each in (day - 1, day, day + 1))
        for other in near:
            if other is not None and abs(occurred_at - other.occurred_at) <= REQUEST_ID_WINDOW:
                return other.event_id
        return None

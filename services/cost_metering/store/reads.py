"""What the costs add up to and what they are, read exactly at any time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.contracts.cost_metering import (
    CostByModel,
    CostPage,
    CostRecord,
    DailyCost,
    ListCosts,
)
from shared.cursors import read_cursor, write_cursor
from shared.database import Db

# Providers and models named in a summary; the rest is one line, so that the sum stays whole.
MAX_BREAKDOWN = 500
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)

LATEST = """
LEFT JOIN LATERAL (
    SELECT * FROM cost_revisions v
    WHERE v.organization_id = r.organization_id AND v.event_id = r.event_id
    ORDER BY v.revision DESC LIMIT 1
) AS v ON true
"""
COUNTED = "r.duplicate_of IS NULL AND coalesce(v.counted, true)"
_STATUS = "coalesce(v.pricing_status, r.pricing_status)"
_SUSPECT = "CASE WHEN v.revision IS NULL THEN r.suspect_reason ELSE v.suspect_reason END"
PROMPT = "CASE WHEN v.revision IS NULL THEN r.prompt_cost_picousd ELSE v.prompt_cost_picousd END"
COMPLETION = (
    "CASE WHEN v.revision IS NULL THEN r.completion_cost_picousd ELSE v.completion_cost_picousd END"
)
_TOKENS = (
    "(r.input_uncached::numeric + r.cache_read + r.cache_write_5m + r.cache_write_1h"
    " + r.output_text + r.output_reasoning)"
)
# One record as the columns of a roll-up, to be added to whole hours.
RECORD_AS_SUMS = f"""
SELECT r.provider, r.model, 1 AS records, {_TOKENS} AS tokens,
       CASE WHEN {_STATUS} = 'unpriced' THEN 1 ELSE 0 END AS unpriced_records,
       CASE WHEN {_STATUS} = 'unpriced' THEN {_TOKENS} ELSE 0 END AS unpriced_tokens,
       CASE WHEN {_SUSPECT} IS NOT NULL THEN 1 ELSE 0 END AS suspect_records,
       coalesce({PROMPT}, 0)::numeric + coalesce({COMPLETION}, 0) AS cost_picousd
FROM cost_records r {LATEST}
WHERE r.organization_id = $1 AND {COUNTED}
"""  # noqa: S608 -- fragments of ours
_SUM_COLUMNS = "records, tokens, unpriced_records, unpriced_tokens, suspect_records, cost_picousd"
_ADD_UP = """
SELECT provider, model, sum(records) AS records, sum(tokens) AS tokens,
       sum(unpriced_records) AS unpriced_records, sum(unpriced_tokens) AS unpriced_tokens,
       sum(suspect_records) AS suspect_records, sum(cost_picousd) AS cost_picousd
"""
ROLLED_UP = f"""
SELECT hour, provider, model, {_SUM_COLUMNS} FROM cost_rollups WHERE organization_id = $1
UNION ALL
SELECT hour, provider, model, {_SUM_COLUMNS} FROM cost_deltas WHERE organization_id = $1
"""  # noqa: S608 -- fragments of ours
_SUMMARY = f"""
{_ADD_UP} FROM (
    SELECT provider, model, {_SUM_COLUMNS} FROM ({ROLLED_UP}) AS h
    WHERE hour >= $2 AND hour < $3
) AS sums GROUP BY 1, 2
"""  # noqa: S608 -- fragments of ours
# Hours that a time cuts through are summed record by record.
_SUMMARY_WITH_EDGES = f"""
{_ADD_UP} FROM (
    SELECT provider, model, {_SUM_COLUMNS} FROM ({ROLLED_UP}) AS h
    WHERE hour >= $2 AND hour < $3
    UNION ALL {RECORD_AS_SUMS} AND r.occurred_at >= $4 AND r.occurred_at < $5
    UNION ALL {RECORD_AS_SUMS} AND r.occurred_at >= $6 AND r.occurred_at < $7
) AS sums GROUP BY 1, 2
"""  # noqa: S608 -- fragments of ours
_SCOPES: Mapping[str, str] = {
    "task": "task_id",
    "agent": "agent_id",
    "sandbox": "sandbox_id",
}


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def within_time(at: datetime) -> datetime:
    """A moment in UTC, moved into the years that have records if it lies outside."""
    return min(max(at, BEGINNING), END).astimezone(UTC)


async def sum_organization(
    db: Db, organization_id: str, start: datetime | None, end: datetime | None
) -> list[CostByModel]:
    """Sums by provider and model over `start` ≤ event time < `end`, in one snapshot."""
    first = within_time(start or BEGINNING)
    last = within_time(end or END)
    whole_from = _hour(first) if first == _hour(first) else _hour(first) + timedelta(hours=1)
    whole_to = _hour(last)
    if whole_from == first and whole_to == last:
        return _models(await db.driver.fetch(_SUMMARY, organization_id, first, last))
    if whole_from > whole_to:  # both within one hour
        edges = (first, last, last, last)
        whole_to = whole_from
    else:
        edges = (first, whole_from, whole_to, last)
    rows = await db.driver.fetch(_SUMMARY_WITH_EDGES, organization_id, whole_from, whole_to, *edges)
    return _models(rows)


async def sum_scope(
    db: Db, organization_id: str, scope: str, scope_id: str, start: datetime, end: datetime
) -> list[CostByModel]:
    """The same over one task, agent or sandbox."""
    column = _SCOPES[scope]
    rows = await db.driver.fetch(
        f"{_ADD_UP} FROM ({RECORD_AS_SUMS} AND r.{column} = $2"
        " AND r.occurred_at >= $3 AND r.occurred_at < $4) AS sums GROUP BY 1, 2",
        organization_id,
        scope_id,
        start,
        end,
    )
    return _models(rows)


def _models(rows: list[Any]) -> list[CostByModel]:
    names = CostByModel.__struct_fields__[2:]
    found = [
        CostByModel(
            provider=row["provider"],
            model=row["model"],
            **{name: int(row[name]) for name in names},
        )
        for row in rows
        if row["records"]
    ]
    found.sort(key=lambda each: (-each.cost_picousd, -each.records, each.provider, each.model))
    return found


async def sum_days(
    db: Db, organization_id: str, first: date, end: date, group_by: Literal["provider", "model"]
) -> tuple[DailyCost, ...]:
    """Sums by UTC day, oldest first, then by cost."""
    model = "model" if group_by == "model" else "NULL::text"
    rows = await db.driver.fetch(
        f"""
        SELECT (hour AT TIME ZONE 'UTC')::date AS day, provider, {model} AS model,
               sum(cost_picousd) AS cost_picousd, sum(tokens) AS tokens,
               sum(records) AS records, sum(unpriced_records) AS unpriced_records
        FROM ({ROLLED_UP}) AS h WHERE hour >= $2 AND hour < $3
        GROUP BY 1, 2, 3 HAVING sum(records) > 0 ORDER BY 1, 4 DESC, 2, 3
        """,  # noqa: S608 -- fragments of ours
        organization_id,
        datetime(first.year, first.month, first.day, tzinfo=UTC),
        datetime(end.year, end.month, end.day, tzinfo=UTC),
    )
    sums = ("cost_picousd", "tokens", "records", "unpriced_records")
    return tuple(
        DailyCost(
            day=row["day"],
            provider=row["provider"],
            model=row["model"],
            **{name: int(row[name]) for name in sums},
        )
        for row in rows
    )


_PAGE = f"""
SELECT r.record_id::text AS record_id, r.event_id, r.task_id, r.agent_id, r.sandbox_id,
       r.provider, r.model, c.model AS matched_model,
       r.input_uncached + r.cache_read + r.cache_write_5m + r.cache_write_1h AS prompt_tokens,
       r.output_text + r.output_reasoning AS completion_tokens,
       r.cache_read AS cache_read_tokens,
       r.cache_write_5m + r.cache_write_1h AS cache_write_tokens,
       r.output_reasoning AS reasoning_tokens,
       {PROMPT} AS prompt_cost_picousd, {COMPLETION} AS completion_cost_picousd,
       CASE WHEN {_STATUS} <> 'unpriced' AND {_SUSPECT} IS NOT NULL THEN 'suspect'
            ELSE {_STATUS} END AS pricing_status,
       {_SUSPECT} AS suspect_reason, r.billable, r.occurred_at, r.recorded_at,
       coalesce(v.revision, 0) AS revision
FROM cost_records r {LATEST}
LEFT JOIN rate_cards c ON c.rate_card_id = coalesce(v.rate_card_id, r.rate_card_id)
WHERE r.organization_id = $1 AND {COUNTED}
"""  # noqa: S608 -- fragments of ours


async def list_records(db: Db, request: ListCosts) -> CostPage | None:
    """A page of records, newest first by event time; None when the cursor is not one of ours."""
    values: list[Any] = [request.organization_id]
    query = _PAGE
    for column in ("provider", "model", "task_id", "agent_id"):
        wanted = getattr(request, column)
        if wanted is not None:
            values.append(wanted)
            query += f" AND r.{column} = ${len(values)}"
    for bound, operator in ((request.occurred_from, ">="), (request.occurred_to, "<")):
        if bound is not None:
            values.append(within_time(bound))
            query += f" AND r.occurred_at {operator} ${len(values)}"
    if request.cursor is not None:
        after = _read_cursor(request.cursor)
        if after is None:
            return None
        values += after
        query += f" AND (r.occurred_at, r.record_id) < (${len(values) - 1}, ${len(values)}::uuid)"
    query += f" ORDER BY r.occurred_at DESC, r.record_id DESC LIMIT {request.limit + 1}"
    rows = await db.driver.fetch(query, *values)
    records = tuple(CostRecord(**dict(row)) for row in rows[: request.limit])
    more = len(rows) > request.limit
    return CostPage(
        records=records,
        next_cursor=write_cursor(records[-1].occurred_at, records[-1].record_id) if more else None,
    )


def _read_cursor(cursor: str) -> tuple[datetime, str] | None:
    place = read_cursor(cursor)
    try:
        return (place[0], str(UUID(place[1]))) if place else None
    except ValueError:
        return None

"""What the auditor compares: counters beside the workflows that they count (I9)."""

# ruff: noqa: S608 -- queries are put together from fragments of ours

from collections.abc import Mapping
from datetime import datetime

import msgspec

from shared.contracts.subscription import WorkflowTotals
from shared.control import count_untold
from shared.database import Db

_BY_QUOTA = "covered_by IN ('plan', 'free', 'auto_billing')"
_UNTIL = "state = 'charged' AND ($2::timestamptz IS NULL OR charged_at <= $2)"
# Steps under way: those about credits are among them. One that is parked stands still, and what
# it left undone is to be judged.
_UNSETTLED = """
SELECT 1 FROM steps
WHERE status = 'prepared'
  AND ($1::text IS NULL OR state ->> 'organization_id' = $1)
"""
_TOTALS = f"""
WITH runs AS (
    SELECT count(*) FILTER (WHERE state = 'charged') AS charged,
           count(*) FILTER (WHERE state = 'charged' AND {_BY_QUOTA}) AS charged_by_quota,
           count(*) FILTER (WHERE state = 'reserved' AND {_BY_QUOTA}) AS reserved_by_quota,
           count(*) FILTER (WHERE state = 'reserved' AND covered_by = 'credits')
               AS reserved_by_credits,
           count(*) FILTER (WHERE {_UNTIL}) AS charged_until,
           coalesce(sum(unit_price_cents) FILTER (
               WHERE {_UNTIL} AND covered_by NOT IN ('plan', 'free')), 0)::bigint
               AS chargeable_cents_until
    FROM workflows WHERE $1::text IS NULL OR organization_id = $1
), counters AS (
    SELECT coalesce(sum(used), 0)::bigint AS quota_used,
           coalesce(sum(reserved), 0)::bigint AS quota_reserved
    FROM quotas WHERE $1::text IS NULL OR organization_id = $1
), letters AS (
    SELECT count(*) AS dead_letters FROM dead_letters
    WHERE state = 'parked' AND ($1::text IS NULL OR organization_id = $1)
), working AS (SELECT count(*) AS unsettled FROM ({_UNSETTLED}) AS open)
SELECT *, charged AS sequence FROM runs, counters, letters, working
"""
_QUOTA_KEY = "concat_ws(' ', {}, nullif({}, ''), to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD'))"
_OF_QUOTA = _QUOTA_KEY.format("source", "subject", "period_start")
_OF_RUN = _QUOTA_KEY.format("covered_by", "quota_subject", "quota_period_start")

BOOKS: Mapping[str, str] = {
    "used_by_quotas": f"""
        SELECT {_OF_QUOTA} AS key, sum(used) AS amount
        FROM quotas WHERE organization_id = $1 AND used > 0 GROUP BY 1""",
    "used_by_workflows": f"""
        SELECT {_OF_RUN} AS key, count(*) AS amount FROM workflows
        WHERE organization_id = $1 AND state = 'charged' AND {_BY_QUOTA} GROUP BY 1""",
    "reserved_by_quotas": f"""
        SELECT {_OF_QUOTA} AS key, sum(reserved) AS amount
        FROM quotas WHERE organization_id = $1 AND reserved > 0 GROUP BY 1""",
    "reserved_by_workflows": f"""
        SELECT {_OF_RUN} AS key, count(*) AS amount FROM workflows
        WHERE organization_id = $1 AND state = 'reserved' AND {_BY_QUOTA} GROUP BY 1""",
    "open_holds": """
        SELECT reservation_id || '-' || attempt AS key, 1 AS amount FROM workflows
        WHERE organization_id = $1 AND state = 'reserved' AND covered_by = 'credits'""",
    "charged": f"""
        SELECT workflow_id AS key, 1 AS amount FROM workflows
        WHERE organization_id = $1 AND {_UNTIL}""",
    "chargeable": f"""
        SELECT workflow_id AS key, unit_price_cents AS amount FROM workflows
        WHERE organization_id = $1 AND {_UNTIL} AND covered_by NOT IN ('plan', 'free')""",
}


async def get_totals(db: Db, organization_id: str | None, until: datetime | None) -> WorkflowTotals:
    """Counters beside the rows that they count, of one organization or of all."""
    row = await db.driver.fetchrow(_TOTALS, organization_id, until)
    untold = 0 if organization_id is None else await count_untold(db, organization_id)
    sums = {**dict(row or {}), "untold": untold}
    return msgspec.convert(sums, WorkflowTotals, strict=False)

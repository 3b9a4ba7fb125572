"""What the auditor compares: records, roll-ups and announcements, in one snapshot (I3)."""

# ruff: noqa: S608 -- queries are put together from fragments of ours

from collections.abc import Mapping
from datetime import datetime

from services.cost_metering.store.reads import (
    BEGINNING,
    COMPLETION,
    COUNTED,
    END,
    LATEST,
    PROMPT,
    RECORD_AS_SUMS,
    ROLLED_UP,
)
from shared.contracts.cost_metering import ControlTotals
from shared.control import count_untold
from shared.database import Db

_WINDOW = "r.occurred_at >= $2 AND r.occurred_at < $3"
# One statement: records, roll-ups, deltas and totals move together.
_CONTROL = f"""
WITH x AS ({RECORD_AS_SUMS} AND {_WINDOW}),
h AS ({ROLLED_UP}),
deltas AS (SELECT * FROM cost_deltas WHERE organization_id = $1),
totals AS (SELECT * FROM cost_totals WHERE organization_id = $1)
SELECT (SELECT count(*) FROM x) AS records,
       (SELECT sum(cost_picousd) FROM x) AS records_cost_picousd,
       (SELECT sum(records) FROM h WHERE hour >= $2 AND hour < $3) AS window_rollups_records,
       (SELECT sum(cost_picousd) FROM h WHERE hour >= $2 AND hour < $3)
           AS window_rollups_cost_picousd,
       (SELECT sum(cost_picousd) FROM h) AS rollups_cost_picousd,
       (SELECT sum(records) FROM h) AS rollups_records,
       coalesce((SELECT sum(cost_picousd) FROM totals), 0)
           + coalesce((SELECT sum(cost_picousd) FROM deltas), 0) AS announced_cost_picousd,
       coalesce((SELECT sum(records) FROM totals), 0)
           + coalesce((SELECT sum(records) FROM deltas), 0) AS announced_records,
       (SELECT max(sequence) FROM totals) AS sequence,
       (SELECT count(*) FROM dead_letters WHERE organization_id = $1 AND state = 'parked')
           AS dead_letters,
       (SELECT sum(upper(hole) - lower(hole)) FROM producers,
            unnest(int8multirange(int8range(1, highest + 1)) - received) AS hole
        WHERE organization_id = $1 AND NOT complete) AS holes
"""

# More than BIGINT holds is cut off, on both sides alike.
_CUT = "least({}, 9223372036854775807)"
_KEY = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24') || ' ' || {}provider || ' ' || {}model"
BOOKS: Mapping[str, str] = {
    "costs_by_records": f"""
        SELECT {_KEY.format("r.occurred_at", "r.", "r.")} AS key,
               {_CUT.format(f"sum(coalesce({PROMPT}, 0)::numeric + coalesce({COMPLETION}, 0))")}
               AS amount
        FROM cost_records r {LATEST} WHERE r.organization_id = $1 AND {COUNTED} GROUP BY 1""",
    "costs_by_rollups": f"""
        SELECT {_KEY.format("hour", "", "")} AS key, {_CUT.format("sum(cost_picousd)")} AS amount
        FROM ({ROLLED_UP}) AS h GROUP BY 1""",
}


async def control_totals(
    db: Db, organization_id: str, first_hour: datetime | None, end_hour: datetime | None
) -> ControlTotals:
    """One organization's sums by every road, in one snapshot."""
    row = await db.driver.fetchrow(
        _CONTROL, organization_id, first_hour or BEGINNING, end_hour or END
    )
    sums = {name: int(value or 0) for name, value in dict(row or {}).items()}
    return ControlTotals(**sums, untold=await count_untold(db, organization_id))

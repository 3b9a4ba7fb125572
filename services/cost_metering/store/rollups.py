"""Roll-ups: deltas are appended with the records they sum, merged later, read together."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import text

from shared.contracts.cost_metering import CostByModel, CostsRecorded
from shared.database import Db

# Deltas merged in one transaction.
MERGE_LIMIT = 20_000
# Models named in one announcement.
ANNOUNCED_MODELS = 50

DELTA_COLUMNS = (
    "organization_id",
    "hour",
    "provider",
    "model",
    "billable",
    "records",
    "tokens",
    "unpriced_records",
    "unpriced_tokens",
    "suspect_records",
    "cost_picousd",
)


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A change to the sums of one organization, hour, provider, model and billability."""

    organization_id: str
    hour: datetime
    provider: str
    model: str
    billable: bool
    records: int
    tokens: int
    unpriced_records: int
    unpriced_tokens: int
    suspect_records: int
    cost_picousd: int


async def add_deltas(db: Db, deltas: Iterable[Delta]) -> None:
    """Append changes; rows of one organization stand together, in a fixed order."""
    await db.driver.copy_records_to_table(
        "cost_deltas",
        records=[tuple(getattr(delta, name) for name in DELTA_COLUMNS) for delta in deltas],
        columns=DELTA_COLUMNS,
    )


_TAKE = text("""
WITH taken AS (
    DELETE FROM cost_deltas WHERE delta_id IN (
        SELECT delta_id FROM cost_deltas ORDER BY delta_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING *
), merged AS (
    INSERT INTO cost_rollups AS r
    SELECT organization_id, hour, provider, model, billable,
           sum(records), sum(tokens), sum(unpriced_records), sum(unpriced_tokens),
           sum(suspect_records), sum(cost_picousd)
    FROM taken GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (organization_id, hour, provider, model, billable) DO UPDATE SET
        records = r.records + excluded.records,
        tokens = r.tokens + excluded.tokens,
        unpriced_records = r.unpriced_records + excluded.unpriced_records,
        unpriced_tokens = r.unpriced_tokens + excluded.unpriced_tokens,
        suspect_records = r.suspect_records + excluded.suspect_records,
        cost_picousd = r.cost_picousd + excluded.cost_picousd
)
SELECT organization_id, provider, model,
       sum(records) AS records, sum(tokens) AS tokens,
       sum(unpriced_records) AS unpriced_records, sum(unpriced_tokens) AS unpriced_tokens,
       sum(suspect_records) AS suspect_records, sum(cost_picousd) AS cost_picousd,
       coalesce(sum(cost_picousd) FILTER (WHERE billable), 0) AS billable_cost_picousd
FROM taken GROUP BY 1, 2, 3 ORDER BY 1, abs(sum(cost_picousd)) DESC, 2, 3
""")

_TOTAL = text("""
INSERT INTO cost_totals AS t (organization_id, sequence, billable_cost_picousd, records, tokens,
    unpriced_records, unpriced_tokens, suspect_records, cost_picousd)
VALUES (:organization_id, 1, :billable_cost_picousd, :records, :tokens,
    :unpriced_records, :unpriced_tokens, :suspect_records, :cost_picousd)
ON CONFLICT (organization_id) DO UPDATE SET
    sequence = t.sequence + 1,
    billable_cost_picousd = t.billable_cost_picousd + excluded.billable_cost_picousd,
    records = t.records + excluded.records,
    tokens = t.tokens + excluded.tokens,
    unpriced_records = t.unpriced_records + excluded.unpriced_records,
    unpriced_tokens = t.unpriced_tokens + excluded.unpriced_tokens,
    suspect_records = t.suspect_records + excluded.suspect_records,
    cost_picousd = t.cost_picousd + excluded.cost_picousd
RETURNING *
""")

SUMMED = (
    "records",
    "tokens",
    "unpriced_records",
    "unpriced_tokens",
    "suspect_records",
    "cost_picousd",
    "billable_cost_picousd",
)


class Change(msgspec.Struct, frozen=True):
    """What one merge changed for one organization."""

    organization_id: str
    sums: dict[str, int]
    models: Sequence[CostByModel]


async def merge_deltas(db: Db) -> Sequence[Change]:
    """Fold waiting deltas into the roll-ups; answers what changed, by organization."""
    rows = (await db.execute(_TAKE, {"limit": MERGE_LIMIT})).all()
    by_organization: dict[str, list[CostByModel]] = {}
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        models = by_organization.setdefault(row.organization_id, [])
        if len(models) < ANNOUNCED_MODELS:
            models.append(
                CostByModel(
                    provider=row.provider,
                    model=row.model,
                    cost_picousd=int(row.cost_picousd),
                    tokens=int(row.tokens),
                    records=int(row.records),
                    unpriced_records=int(row.unpriced_records),
                    unpriced_tokens=int(row.unpriced_tokens),
                    suspect_records=int(row.suspect_records),
                )
            )
        total = sums.setdefault(row.organization_id, dict.fromkeys(SUMMED, 0))
        for name in SUMMED:
            total[name] += int(getattr(row, name))
    return [Change(name, sums[name], models) for name, models in by_organization.items()]


async def announce(db: Db, change: Change) -> CostsRecorded:
    """Count a change into its organization's total, under the next number of its sequence."""
    parameters = {"organization_id": change.organization_id, **change.sums}
    total = (await db.execute(_TOTAL, parameters)).one()
    return CostsRecorded(
        organization_id=change.organization_id,
        sequence=total.sequence,
        cost_picousd=change.sums["cost_picousd"],
        billable_cost_picousd=change.sums["billable_cost_picousd"],
        tokens=change.sums["tokens"],
        records=change.sums["records"],
        total_cost_picousd=int(total.cost_picousd),
        total_billable_cost_picousd=int(total.billable_cost_picousd),
        total_tokens=int(total.tokens),
        total_records=int(total.records),
        unpriced_records=int(total.unpriced_records),
        changes=tuple(change.models),
        recorded_at=db.now,
    )

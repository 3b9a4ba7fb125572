"""LLM costs that were announced, and the plans by which they are passed on or not."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.invoicing.tables import LlmCostRow, PlanTerms, UsageRow
from services.invoicing.tables.llm_costs import plan_terms
from shared.database import Db

# Nothing is passed on before there is a plan.
NO_PLAN = PlanTerms(version=0, tier="free")
# What holds at a moment is the highest version that had begun.
_ADD = """
WITH terms AS (
    SELECT version, tier, markup_basis_points FROM plan_terms
    WHERE organization_id = $1 AND valid_from <= $5 ORDER BY version DESC LIMIT 1
), added AS (
    INSERT INTO llm_costs
        (organization_id, sequence, billable_cost_picousd, records, recorded_at, passed_on_by)
    VALUES ($1, $2, $3, $4, $5, coalesce((SELECT version FROM terms), 0))
    ON CONFLICT DO NOTHING RETURNING sequence
)
SELECT terms.* FROM added LEFT JOIN terms ON true
"""
_QUESTION = """
UPDATE llm_costs SET passed_on_by = NULL
WHERE organization_id = $1 AND passed_on_by < $2 AND recorded_at >= $3
  AND recorded_at < coalesce(
      (SELECT min(valid_from) FROM plan_terms WHERE organization_id = $1 AND version > $2),
      'infinity')
"""
_IN_QUESTION = """
SELECT c.*, t.version, t.tier, t.markup_basis_points FROM llm_costs c
CROSS JOIN LATERAL (
    SELECT * FROM plan_terms p
    WHERE p.organization_id = c.organization_id AND p.valid_from <= c.recorded_at
    ORDER BY p.version DESC LIMIT 1
) t
WHERE c.organization_id = $1 AND c.passed_on_by IS NULL ORDER BY c.sequence LIMIT $2
"""
_ANSWER = "UPDATE llm_costs SET passed_on_by = $3 WHERE organization_id = $1 AND sequence = $2"
# A record says of when it is as its announcement does.
_RECORDS = """
SELECT * FROM usage_records
WHERE organization_id = $1 AND usage_type = 'llm_cost' AND recorded_at = ANY($2::timestamptz[])
ORDER BY source_id
"""
_SET = """
UPDATE usage_records SET total_picousd = $3, tier = $4
WHERE organization_id = $1 AND record_id = $2 AND invoice_id IS NULL AND billed_at IS NULL
"""
_DELETE = """
DELETE FROM usage_records
WHERE organization_id = $1 AND record_id = $2 AND invoice_id IS NULL AND billed_at IS NULL
"""
_LEFT = """
SELECT DISTINCT organization_id FROM llm_costs WHERE passed_on_by IS NULL
ORDER BY organization_id LIMIT $1
"""
_LEFT_SINCE = "SELECT min(recorded_at) FROM llm_costs WHERE passed_on_by IS NULL"
_FORGET = """
DELETE FROM llm_costs WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM llm_costs WHERE recorded_at < $1 AND passed_on_by IS NOT NULL LIMIT $2
))
"""


async def add_cost(db: Db, cost: LlmCostRow) -> PlanTerms | None:
    """Keep an announcement; by which plan it is passed on, None when it is on record already."""
    row = await db.driver.fetchrow(_ADD, *msgspec.structs.astuple(cost))
    if row is None:
        return None
    return NO_PLAN if row["version"] is None else msgspec.convert(dict(row), PlanTerms)


async def add_terms(db: Db, organization_id: str, valid_from: datetime, terms: PlanTerms) -> bool:
    """What a plan says; False when it is known already."""
    values = msgspec.structs.asdict(terms)
    added = await db.execute(
        insert(plan_terms)
        .values(organization_id=organization_id, valid_from=valid_from, **values)
        .on_conflict_do_nothing()
    )
    return added.rowcount == 1


async def question(db: Db, organization_id: str, valid_from: datetime, version: int) -> bool:
    """Question how costs were passed on while this version held; whether there are any."""
    done = await db.driver.execute(_QUESTION, organization_id, version, valid_from)
    return done != "UPDATE 0"


async def list_in_question(
    db: Db, organization_id: str, limit: int
) -> Sequence[tuple[LlmCostRow, PlanTerms]]:
    """Announcements to be passed on anew, and by which plans."""
    rows = await db.driver.fetch(_IN_QUESTION, organization_id, limit)
    return [
        (msgspec.convert(dict(row), LlmCostRow), msgspec.convert(dict(row), PlanTerms))
        for row in rows
    ]


async def answer(db: Db, passed_on: Sequence[tuple[LlmCostRow, PlanTerms]]) -> None:
    """They are passed on by these plans."""
    await db.driver.executemany(
        _ANSWER,
        [(cost.organization_id, cost.sequence, terms.version) for cost, terms in passed_on],
    )


async def list_cost_records(
    db: Db, organization_id: str, costs: Sequence[LlmCostRow]
) -> Sequence[UsageRow]:
    """What is on record of announcements, and maybe of others of the same moments."""
    moments = [cost.recorded_at for cost in costs]
    rows = await db.driver.fetch(_RECORDS, organization_id, moments)
    return [msgspec.convert(dict(row), UsageRow) for row in rows]


async def set_total(db: Db, record: UsageRow, total_picousd: int, tier: str) -> None:
    """An unbilled use costs so much."""
    await db.driver.execute(_SET, record.organization_id, record.record_id, total_picousd, tier)


async def delete_records(db: Db, records: Sequence[UsageRow]) -> None:
    """Unbilled uses that cost nothing."""
    keys = [(record.organization_id, record.record_id) for record in records]
    await db.driver.executemany(_DELETE, keys)


async def list_left(db: Db, limit: int) -> Sequence[str]:
    """Organizations that have announcements in question."""
    return [row["organization_id"] for row in await db.driver.fetch(_LEFT, limit)]


async def find_left_since(db: Db) -> datetime | None:
    """The first moment of those in question."""
    found: datetime | None = await db.driver.fetchval(_LEFT_SINCE)
    return found


async def forget_costs(db: Db, before: datetime, limit: int) -> None:
    """Let go of announcements that no plan will be heard of any more."""
    await db.driver.execute(_FORGET, before, limit)

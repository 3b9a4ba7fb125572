"""Questions about costs are answered, and merged costs are announced."""

from collections.abc import Sequence
from datetime import timedelta

from services.cost_metering.store import control, producers, reads, rollups
from shared.contracts.base import Event, Refusal
from shared.contracts.cost_metering import (
    AgentRegistered,
    ControlTotals,
    CostByModel,
    CostPage,
    CostSummary,
    DailyCosts,
    GetControlTotals,
    GetCostSummary,
    GetDailyCosts,
    ListCosts,
    ListProducerHoles,
    ProducerHoles,
    RegisterAgent,
)
from shared.control import organizations_of, rows_of
from shared.cursors import foreign_cursor
from shared.database import Db

MAX_DAYS = 366
# Agents of one organization that may hold credentials: each is a subject of its own on the bus.
MAX_AGENTS = 1000

list_control_rows = rows_of(control.BOOKS)
list_organizations = organizations_of("cost_totals")


async def get_cost_summary(request: GetCostSummary, db: Db) -> CostSummary | Refusal:
    """Sum an organization, or one of its tasks, agents or sandboxes."""
    start, end = request.occurred_from, request.occurred_to
    if request.scope_type == "billing_account":
        models = await reads.sum_organization(db, request.organization_id, start, end)
    elif request.scope_id is None:
        return Refusal(
            code="scope_id_required",
            detail=f"`scope_id` is required for the scope {request.scope_type}.",
            status=422,
        )
    else:
        models = await reads.sum_scope(
            db,
            request.organization_id,
            request.scope_type,
            request.scope_id,
            reads.within_time(start or reads.BEGINNING),
            reads.within_time(end or reads.END),
        )
    return summarize(models)


def summarize(models: Sequence[CostByModel]) -> CostSummary:
    """Totals over all models; the smallest ones beyond the limit become one line, `other`."""
    named, rest = models[: reads.MAX_BREAKDOWN], models[reads.MAX_BREAKDOWN :]
    breakdown = list(named)
    if rest:
        breakdown.append(_together("other", "other", rest))
    total = _together("", "", models)
    return CostSummary(
        cost_picousd=total.cost_picousd,
        tokens=total.tokens,
        records=total.records,
        unpriced_records=total.unpriced_records,
        unpriced_tokens=total.unpriced_tokens,
        suspect_records=total.suspect_records,
        breakdown=tuple(breakdown),
    )


def _together(provider: str, model: str, models: Sequence[CostByModel]) -> CostByModel:
    return CostByModel(
        provider=provider,
        model=model,
        cost_picousd=sum(each.cost_picousd for each in models),
        tokens=sum(each.tokens for each in models),
        records=sum(each.records for each in models),
        unpriced_records=sum(each.unpriced_records for each in models),
        unpriced_tokens=sum(each.unpriced_tokens for each in models),
        suspect_records=sum(each.suspect_records for each in models),
    )


async def list_costs(request: ListCosts, db: Db) -> CostPage | Refusal:
    """One page of records."""
    page = await reads.list_records(db, request)
    return foreign_cursor("costs") if page is None else page


async def get_daily_costs(request: GetDailyCosts, db: Db) -> DailyCosts | Refusal:
    """Sums by day."""
    if not timedelta(0) < request.end_day - request.first_day <= timedelta(days=MAX_DAYS):
        return Refusal(
            code="invalid_days", detail=f"Ask for 1 to {MAX_DAYS} days, first to last.", status=422
        )
    days = await reads.sum_days(
        db, request.organization_id, request.first_day, request.end_day, request.group_by
    )
    return DailyCosts(days=days)


async def get_control_totals(request: GetControlTotals, db: Db) -> ControlTotals:
    """What the auditor compares."""
    return await control.control_totals(
        db, request.organization_id, request.first_hour, request.end_hour
    )


async def list_producer_holes(request: ListProducerHoles, db: Db) -> ProducerHoles:
    """What producers have sent and the meter has not seen."""
    holes = await producers.list_holes(db, request.organization_id, request.limit)
    return ProducerHoles(holes=holes)


async def register_agent(request: RegisterAgent, db: Db) -> AgentRegistered | Refusal:
    """Count an agent in before it gets a credential."""
    if not await producers.add_agent(db, request.organization_id, request.agent_id, MAX_AGENTS):
        return Refusal(
            code="agent_limit_reached",
            detail=f"{MAX_AGENTS} agents of this organization got credentials within a day.",
        )
    return AgentRegistered(agents=await producers.count_agents(db, request.organization_id))


async def announce_costs(db: Db) -> Sequence[Event]:
    """Merge what was recorded since the last time, and tell each organization's new total."""
    changes = await rollups.merge_deltas(db)
    return [await rollups.announce(db, change) for change in changes]

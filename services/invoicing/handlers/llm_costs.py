"""LLM costs passed on where the plan says so, in whatever order plans and costs are heard of."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.invoicing.handlers.usage import record_use
from services.invoicing.rules.llm_costs import (
    correct,
    next_nth,
    passed_on_picousd,
    record_llm_cost,
    sequence_of,
)
from services.invoicing.store import llm_costs as store
from services.invoicing.store.invoices import find_last_number
from services.invoicing.store.profiles import lock_profile, share_profile
from services.invoicing.tables import LlmCostRow, PlanTerms, ProfileRow, UsageRow
from shared.clock import new_id
from shared.contracts.base import Event
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.subscription import PlanChanged
from shared.database import Db

# A plan is heard of within seconds; one that was parked, within the month that is billed next.
KEPT_FOR = timedelta(days=35)
# Announcements that one transaction passes on anew; a job does the rest.
MOST_AT_ONCE = 500
ORGANIZATIONS_AT_ONCE = 10
FORGOTTEN_AT_ONCE = 5_000


async def add_llm_cost(fact: CostsRecorded, db: Db) -> Sequence[Event]:
    """Pass on what LLM calls cost by the plan that holds, as far as it is known.

    What is below zero takes back costs that were announced before, and names the invoice that it
    corrects.
    """
    if fact.billable_cost_picousd == 0:
        return ()
    profile = await share_profile(db, fact.organization_id)
    cost = LlmCostRow(
        organization_id=fact.organization_id,
        sequence=fact.sequence,
        billable_cost_picousd=fact.billable_cost_picousd,
        records=fact.records,
        recorded_at=fact.recorded_at,
    )
    terms = await store.add_cost(db, cost)
    if terms is None or (total := passed_on_picousd(cost, terms)) == 0:
        return ()
    row = record_llm_cost(cost, terms.tier, total, new_id(), 0)
    return await _record(db, profile, row, corrects=total < 0)


async def follow_plan(fact: PlanChanged, db: Db) -> Sequence[Event]:
    """Costs of the time in which a plan held are passed on by it, also if it is heard of late."""
    profile = await lock_profile(db, fact.organization_id)
    terms = PlanTerms(
        version=fact.version,
        tier=fact.tier,
        markup_basis_points=fact.llm_markup_basis_points,
    )
    if not await store.add_terms(db, fact.organization_id, fact.changed_at, terms):
        return ()
    if not await store.question(db, fact.organization_id, fact.changed_at, fact.version):
        return ()
    return await _pass_on_anew(db, profile)


async def pass_on_left(db: Db) -> Sequence[Event]:
    """Go on with what was too much for one transaction."""
    events: list[Event] = []
    for organization_id in await store.list_left(db, ORGANIZATIONS_AT_ONCE):
        events += await _pass_on_anew(db, await lock_profile(db, organization_id))
    return events


async def next_left(db: Db) -> datetime | None:
    """Since when there is some."""
    return await store.find_left_since(db)


async def forget_costs(db: Db) -> Sequence[Event]:
    """Let go of announcements after their time."""
    await store.forget_costs(db, db.now - KEPT_FOR, FORGOTTEN_AT_ONCE)
    return ()


async def _pass_on_anew(db: Db, profile: ProfileRow) -> Sequence[Event]:
    """Unbilled records change; what an invoice has taken stays, and the difference is recorded."""
    organization_id = profile.organization_id
    passed_on = await store.list_in_question(db, organization_id, MOST_AT_ONCE)
    records: dict[int, list[UsageRow]] = defaultdict(list)
    for record in await store.list_cost_records(db, organization_id, [c for c, _ in passed_on]):
        records[sequence_of(record)].append(record)
    events: list[Event] = []
    for cost, terms in passed_on:
        events += await _correct(db, profile, cost, terms, records[cost.sequence])
    await store.answer(db, passed_on)
    return events


async def _correct(
    db: Db, profile: ProfileRow, cost: LlmCostRow, terms: PlanTerms, records: Sequence[UsageRow]
) -> Sequence[Event]:
    correction = correct(cost, terms, records)
    await store.delete_records(db, correction.needless)
    rest = correction.rest_picousd
    if correction.carrier is not None:
        await store.set_total(db, correction.carrier, rest, terms.tier)
    elif rest != 0:
        row = record_llm_cost(cost, terms.tier, rest, new_id(), next_nth(records))
        return await _record(db, profile, row, corrects=rest < 0 or bool(records))
    return ()


async def _record(db: Db, profile: ProfileRow, row: UsageRow, *, corrects: bool) -> Sequence[Event]:
    if corrects:
        number = await find_last_number(db, row.organization_id, "llm_cost")
        row = msgspec.structs.replace(row, corrects_invoice=number)
    return await record_use(row, profile, db)

"""What is read is what was recorded: by any time, scope, day and page, before and after merging."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from shared.contracts.cost_metering import (
    CostRecord,
    DailyCost,
    GetCostSummary,
    GetDailyCosts,
    ListCosts,
)
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, MADE_UP_CURSORS, call
from tests.stack import Stack

START = datetime(2026, 10, 30, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def cost(records: list[CostRecord]) -> int:
    return sum((r.prompt_cost_picousd or 0) + (r.completion_cost_picousd or 0) for r in records)


def mixture(count: int, seed: int) -> list[dict[str, Any]]:
    """Calls over five hours, on the hour, just before it and within it, of several models."""
    dice = random.Random(seed)
    edges = [timedelta(0), timedelta(microseconds=1), HOUR - timedelta(microseconds=1)]
    calls = []
    for number in range(count):
        within = dice.choice([*edges, timedelta(minutes=dice.randrange(60))])
        calls.append(
            call(
                occurred_at=(START + dice.randrange(5) * HOUR + within).isoformat(),
                model=dice.choice(["gpt-4o", "gpt-4o-mini", "unknown-model"]),
                task_id=f"task-{dice.randrange(3)}",
                sandbox_id=dice.choice([None, "box-1"]),
                usage={"prompt_tokens": dice.randrange(9999), "completion_tokens": number},
            )
        )
    return calls


@pytest.fixture
async def merger_stopped(stack: Stack) -> AsyncIterator[None]:
    """Another session holds the merger's lock, so that deltas stay where they are."""
    session = await asyncpg.connect(stack.databases["cost_metering"].owner_dsn)
    name = "cost_metering.announce_costs"
    await session.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", name)
    yield
    await session.close()


async def check_every_cut(customer: Customer) -> None:
    """Summaries over all kinds of times equal the sums over the records in them."""
    records = await customer.records()
    minutes = (0, 1, 29, 59, 60, 61, 120, 150, 240, 299, 300, 600)
    moments = [START + timedelta(minutes=number) for number in minutes]
    moments += [START + 2 * HOUR - timedelta(microseconds=1), START - HOUR]
    for start in (None, *moments):
        for end in (None, *moments):
            found = await customer.summary(occurred_from=start, occurred_to=end)
            wanted = [
                r
                for r in records
                if (start is None or start <= r.occurred_at)
                and (end is None or r.occurred_at < end)
            ]
            assert (found.records, found.cost_picousd) == (len(wanted), cost(wanted)), (start, end)
            assert found.tokens == sum(r.prompt_tokens + r.completion_tokens for r in wanted)
            assert found.unpriced_records == sum(r.pricing_status == "unpriced" for r in wanted)
            assert sum(line.cost_picousd for line in found.breakdown) == found.cost_picousd


async def test_a_time_that_cuts_through_hours_sums_just_what_is_in_it(customer: Customer) -> None:
    await customer.report(*mixture(90, seed=1))
    await check_every_cut(customer)


async def test_sums_are_exact_while_deltas_wait_to_be_merged(
    customer: Customer, merger_stopped: None
) -> None:
    await customer.report(*mixture(60, seed=2))
    await customer.report(*mixture(60, seed=3))
    waiting = await customer.rows("SELECT count(*) FROM cost_deltas WHERE organization_id = $1")
    assert waiting[0][0] > 0
    merged = await customer.rows("SELECT count(*) FROM cost_rollups WHERE organization_id = $1")
    assert merged[0][0] == 0
    await check_every_cut(customer)
    assert_agrees(await customer.totals())


async def test_sums_are_exact_while_the_merger_runs_and_calls_stream_in(
    customer: Customer,
) -> None:
    done = asyncio.Event()

    async def stream() -> None:
        for number in range(60):
            await customer.report(
                *mixture(20, seed=number), producer="p", first_seq=20 * number + 1
            )
        done.set()

    async def look() -> int:
        looks = 0
        while not done.is_set():
            found = await customer.totals()
            assert_agrees(found)
            assert found.records % 20 == 0  # an envelope is there or it is not
            looks += 1
        return looks

    _, looks = await asyncio.gather(stream(), look())
    assert looks > 20
    assert (await customer.totals()).records == 1200


@pytest.mark.parametrize(
    ("scope_type", "scope_id"),
    [("task", "task-1"), ("sandbox", "box-1"), ("agent", "agent-2"), ("task", "no-such-task")],
)
async def test_a_scope_sums_its_own_records(
    customer: Customer, scope_type: Any, scope_id: str
) -> None:
    await customer.report(*mixture(80, seed=4))
    await customer.report(*mixture(40, seed=5), agent_id="agent-2")
    wanted = [r for r in await customer.records() if getattr(r, f"{scope_type}_id") == scope_id]
    found = await customer.summary(scope_type=scope_type, scope_id=scope_id)
    assert (found.records, found.cost_picousd) == (len(wanted), cost(wanted))
    cut = START + timedelta(minutes=90)
    found = await customer.summary(scope_type=scope_type, scope_id=scope_id, occurred_from=cut)
    wanted = [r for r in wanted if r.occurred_at >= cut]
    assert (found.records, found.cost_picousd) == (len(wanted), cost(wanted))


async def test_a_scope_without_its_id_is_refused(customer: Customer) -> None:
    request = GetCostSummary(organization_id=customer.organization_id, scope_type="task")
    assert (await customer.refusal(request)).code == "scope_id_required"


@pytest.mark.parametrize("name", ["occurred_from", "occurred_to"])
@pytest.mark.parametrize("kind", [GetCostSummary, ListCosts])
async def test_a_time_without_a_zone_is_refused(customer: Customer, kind: Any, name: str) -> None:
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 -- that is the point
    request = kind(organization_id=customer.organization_id, **{name: naive})
    assert (await customer.refusal(request)).status == 422


async def test_times_at_the_ends_of_the_calendar_are_answered(customer: Customer) -> None:
    await customer.report(call())
    ends = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
    first, last = (datetime.fromisoformat(text) for text in ends)
    for scope in ({}, {"scope_type": "task", "scope_id": "task-1"}):
        found = await customer.summary(occurred_from=first, occurred_to=last, **scope)
        assert found.records == 1
        assert (await customer.summary(occurred_from=last, **scope)).records == 0
    assert len(await customer.records(occurred_from=first, occurred_to=last)) == 1


async def test_days_are_utc_and_months_end_where_they_end(customer: Customer) -> None:
    times = {
        "2026-10-31T23:59:59.999999Z": date(2026, 10, 31),
        "2026-11-01T00:00:00Z": date(2026, 11, 1),
        "2026-11-01T01:30:00+02:00": date(2026, 10, 31),
        "2026-10-31T22:30:00-05:00": date(2026, 11, 1),
        "2026-11-02T00:00:00Z": date(2026, 11, 2),
    }
    await customer.report(*(call(occurred_at=text) for text in times))
    await customer.report(call(occurred_at="2026-11-01T12:00:00Z", model="gpt-4o-mini"))

    async def days(**asked: Any) -> list[DailyCost]:
        request = GetDailyCosts(
            organization_id=customer.organization_id,
            **{"first_day": date(2026, 10, 31), "end_day": date(2026, 11, 3), **asked},
        )
        return list((await customer.ask(request)).days)

    found = await days()
    assert [(each.day.isoformat(), each.records) for each in found] == [
        ("2026-10-31", 2),
        ("2026-11-01", 3),
        ("2026-11-02", 1),
    ]
    assert {(each.provider, each.model) for each in found} == {("openai", None)}
    assert sum(each.cost_picousd for each in found) == (await customer.summary()).cost_picousd
    november = await days(first_day=date(2026, 11, 1), end_day=date(2026, 11, 2), group_by="model")
    assert [(each.model, each.records, each.cost_picousd) for each in november] == [
        ("gpt-4o", 2, 2 * CALL_PICOUSD),
        ("gpt-4o-mini", 1, 450_000_000),
    ]


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_days_beyond_the_limit_are_refused(customer: Customer, days: int) -> None:
    first = date(2026, 1, 1)
    request = GetDailyCosts(
        organization_id=customer.organization_id,
        first_day=first,
        end_day=first + timedelta(days=days),
    )
    assert (await customer.refusal(request)).code == "invalid_days"


async def test_pages_visit_every_record_once_newest_first(customer: Customer) -> None:
    same_moment = START.isoformat()
    events = mixture(120, seed=6) + [call(occurred_at=same_moment) for _ in range(80)]
    await customer.report(*events[:100])
    await customer.report(*events[100:])
    for limit in (7, 200):
        found = await customer.records(limit=limit)
        assert sorted(each.event_id for each in found) == sorted(e["event_id"] for e in events)
        times = [each.occurred_at for each in found]
        assert times == sorted(times, reverse=True)


async def test_pages_stay_whole_while_calls_stream_in(customer: Customer) -> None:
    old = mixture(150, seed=7)
    await customer.report(*old)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await customer.ask(
            ListCosts(organization_id=customer.organization_id, limit=9, cursor=cursor)
        )
        found += [each.event_id for each in page.records]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        await customer.report(*mixture(3, seed=len(found)), call())
    assert len(found) == len(set(found))
    assert {event["event_id"] for event in old} <= set(found)


async def test_a_page_shows_only_what_was_asked_for(customer: Customer) -> None:
    await customer.report(*mixture(100, seed=8))
    everything = await customer.records()
    for name, value in (("model", "gpt-4o"), ("task_id", "task-2"), ("provider", "nobody")):
        wanted = [each for each in everything if getattr(each, name) == value]
        assert await customer.records(**{name: value, "limit": 10}) == wanted
    start, end = START + HOUR, START + 2 * HOUR
    wanted = [each for each in everything if start <= each.occurred_at < end]
    assert await customer.records(occurred_from=start, occurred_to=end) == wanted


@pytest.mark.parametrize("cursor", [*MADE_UP_CURSORS, "1~not-a-uuid"])
async def test_a_made_up_cursor_is_refused(customer: Customer, cursor: str) -> None:
    request = ListCosts(organization_id=customer.organization_id, cursor=cursor)
    assert (await customer.refusal(request)).code == "invalid_cursor"


async def test_another_organization_sees_nothing(
    customer: Customer, other_customer: Customer
) -> None:
    await customer.report(*mixture(30, seed=9))
    page = await customer.ask(ListCosts(organization_id=customer.organization_id, limit=5))
    assert (await other_customer.summary()).records == 0
    assert (await other_customer.summary(scope_type="task", scope_id="task-1")).records == 0
    assert await other_customer.records() == []
    other_page = ListCosts(organization_id=other_customer.organization_id, cursor=page.next_cursor)
    assert (await other_customer.ask(other_page)).records == ()
    request = GetDailyCosts(
        organization_id=other_customer.organization_id,
        first_day=date(2026, 10, 1),
        end_day=date(2026, 11, 1),
    )
    assert (await other_customer.ask(request)).days == ()
    assert (await other_customer.totals()).records == 0


async def test_the_customers_own_keys_cost_is_shown_and_not_billable(customer: Customer) -> None:
    own, ours = call(credential_source="byo"), call()
    await customer.report(own, ours)
    assert (await customer.record(own["event_id"])).billable is False
    assert (await customer.record(ours["event_id"])).billable is True
    assert (await customer.summary()).cost_picousd == 2 * CALL_PICOUSD
    sums = await customer.rows(
        "SELECT billable, sum(cost_picousd) FROM ("
        " SELECT billable, organization_id, cost_picousd FROM cost_rollups UNION ALL"
        " SELECT billable, organization_id, cost_picousd FROM cost_deltas) AS s"
        " WHERE organization_id = $1 GROUP BY 1"
    )
    assert {row[0]: row[1] for row in sums} == {True: CALL_PICOUSD, False: CALL_PICOUSD}


async def test_more_models_than_a_summary_names_are_summed_in_one_line(
    customer: Customer,
) -> None:
    events = [call(model=f"gpt-4o-2024-11-20-{number}") for number in range(520)]
    for at in range(0, 520, 100):
        await customer.report(*events[at : at + 100])
    found = await customer.summary()
    assert len(found.breakdown) == 501
    assert (found.breakdown[-1].model, found.breakdown[-1].records) == ("other", 20)
    assert sum(line.records for line in found.breakdown) == found.records == 520
    assert sum(line.tokens for line in found.breakdown) == found.tokens


async def test_sums_have_no_largest_value(customer: Customer) -> None:
    """A call costs at most what BIGINT holds, and many of them more than that."""
    most = call(model="o1-pro", usage={"prompt_tokens": 0, "completion_tokens": 10**9})
    events = [{**most, "event_id": f"dear-{number}"} for number in range(100)]
    await customer.report(*events)
    each = 600 * 10**6 * 10**9
    found = await customer.summary()
    assert found.cost_picousd == 100 * each > 2**63
    assert found.tokens == 100 * 10**9
    totals = await customer.totals()
    assert_agrees(totals)
    assert (await customer.record("dear-7")).completion_cost_picousd == each

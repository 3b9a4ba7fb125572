"""An event counts once for ever, by organization and id, however often and wherever it comes."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cost_metering.app import service as cost_metering
from services.cost_metering.handlers.usage import Meter
from shared.bus import Message
from shared.contracts.usage import usage_subject
from shared.dead_letters import park
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call, envelope
from tests.stack import until


async def test_an_event_published_again_in_other_envelopes_counts_once(customer: Customer) -> None:
    events = [call() for _ in range(30)]
    await customer.report(*events, producer="p")
    for first in range(0, 30, 7):
        await customer.report(*events[first : first + 7], producer="q", first_seq=first + 1)
    await customer.report(*reversed(events), producer="r")
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.records_cost_picousd) == (30, 30 * CALL_PICOUSD)
    assert found.dead_letters == 0


async def test_an_event_twice_in_one_envelope_counts_once(customer: Customer) -> None:
    event = call()
    await customer.report(event, call(), event, event, producer="p")
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.dead_letters, found.holes) == (2, 0, 0)


async def test_the_same_id_in_another_organization_is_another_event(
    customer: Customer, other_customer: Customer
) -> None:
    event = call()
    await customer.report(event)
    await other_customer.report(event)
    assert (await customer.totals()).records == 1
    assert (await other_customer.totals()).records == 1


CHANGES: dict[str, Any] = {
    "task_id": "another-task",
    "model": "gpt-4o-mini",
    "occurred_at": "2026-11-01T00:00:00Z",
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    "credential_source": "byo",
    "outcome": "failed",
    "attempt": 2,
    "batch": True,
    "cost_reported": "0.01",
    "corrects": "another-event",
    "provider_request_id": "req-1",
}


@pytest.mark.parametrize("field", CHANGES)
async def test_the_same_id_with_other_content_is_parked_and_the_first_counts(
    customer: Customer, field: str
) -> None:
    first = call()
    other = {**first, field: CHANGES[field]}
    await customer.report(first)
    await customer.report(other, first, other, producer="again")
    (letter,) = await customer.letters()
    assert letter.reason == "event_conflict"
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.records_cost_picousd) == (1, CALL_PICOUSD)
    assert (await customer.record(first["event_id"])).task_id == "task-1"


async def test_of_two_contents_in_one_envelope_the_first_counts(customer: Customer) -> None:
    first = call()
    other = {**first, "task_id": "task-2"}
    third = {**first, "task_id": "task-3"}
    await customer.report(first, other, third, other)
    assert (await customer.record(first["event_id"])).task_id == "task-1"
    letters = await customer.letters()
    assert {each.reason for each in letters} == {"event_conflict"}
    assert sorted(each.occurrences for each in letters) == [1, 2]


async def test_each_conflicting_content_is_kept(customer: Customer) -> None:
    first = call()
    await customer.report(first)
    contents = [{**first, "task_id": f"task-{number}"} for number in range(2, 6)]
    await customer.report(*contents)
    bodies = await customer.rows("SELECT body FROM dead_letters WHERE organization_id = $1")
    kept = {number for number in range(2, 6) for row in bodies if b"task-%d" % number in row[0]}
    assert kept == {2, 3, 4, 5}


async def test_every_order_of_duplicates_ends_in_the_same_sums(
    customer: Customer, customers: list[Customer]
) -> None:
    a, b = call(), call(model="gpt-4o-mini")
    bodies = [envelope(a, producer="x"), envelope(b, a, producer="y"), envelope(a, b, producer="z")]
    orders = list(itertools.permutations(bodies))
    for each, order in zip(customers, orders, strict=True):
        await each.publish(*order)
    for each in customers:
        await each.processed()
    found = {(await each.totals()).records_cost_picousd for each in customers}
    assert len(found) == 1
    for each in customers:
        assert (await each.totals()).records == 2


async def test_a_duplicate_years_later_is_still_refused(customer: Customer) -> None:
    """No window: the handler is given an old event with a clock that stands far ahead."""
    event = call()
    await customer.report(event)
    database = customer.stack.database("cost_metering")
    meter = Meter()
    message = Message(
        subject=usage_subject("llm", customer.organization_id, "agent-1"), body=envelope(event)
    )
    async with database.transaction() as db:
        db.now = datetime.now(UTC) + timedelta(days=3650)
        handled = await meter.record_usage([message], db)
        assert handled.parked == []
    await database.close()
    assert (await customer.totals()).records == 1


async def test_replicas_given_the_same_events_at_once_record_them_once(customer: Customer) -> None:
    """Two handlers in overlapping transactions, each with all events, in other orders."""
    events = [call(provider_request_id=f"req-{number}") for number in range(300)]
    conflicting = [{**each, "task_id": "other"} for each in events[:20]]
    random.Random(1).shuffle(events)
    subject = usage_subject("llm", customer.organization_id, "agent-1")
    bodies = [
        [
            envelope(*events[at : at + 50], producer="p", first_seq=at + 1)
            for at in range(0, 300, 50)
        ],
        [envelope(*reversed(events[at : at + 60]), producer="q") for at in range(0, 300, 60)],
        [envelope(*conflicting), *(envelope(*events[at : at + 100]) for at in (0, 100, 200))],
    ]
    databases = [customer.stack.database("cost_metering") for _ in bodies]

    async def replica(number: int) -> None:
        messages = [Message(subject=subject, body=body) for body in bodies[number]]
        async with databases[number].transaction() as db:
            handled = await Meter().record_usage(messages, db)
            await park(db, cost_metering.durables[0].name, handled.parked)
            await asyncio.sleep(0.05 * number)  # hold the rows while the others come

    await asyncio.gather(*(replica(number) for number in range(len(bodies))))
    for database in databases:
        await database.close()
    found = await until(customer.totals, lambda t: t.announced_records == 300)
    assert_agrees(found)
    assert (found.records, found.dead_letters) == (300, 20)

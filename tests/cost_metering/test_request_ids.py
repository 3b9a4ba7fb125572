"""The same response reported under two event ids is one call; a reused request id is a doubt."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cost_metering.handlers.usage import Meter
from shared.bus import Message
from shared.contracts.usage import usage_subject
from shared.database import is_transient
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call, envelope
from tests.stack import until

NOW = datetime.now(UTC)


def response(hours_ago: float = 0, **changes: Any) -> dict[str, Any]:
    """A report of a response with an id of its provider."""
    at = NOW - timedelta(hours=hours_ago)
    return call(**{"provider_request_id": "req-1", "occurred_at": at.isoformat(), **changes})


async def duplicates(customer: Customer) -> dict[str, str]:
    """Which events are kept as duplicates of which."""
    rows = await customer.rows(
        "SELECT event_id, duplicate_of FROM cost_records"
        " WHERE organization_id = $1 AND duplicate_of IS NOT NULL"
    )
    return {row["event_id"]: row["duplicate_of"] for row in rows}


@pytest.mark.parametrize("together", [True, False])
async def test_a_response_told_twice_counts_once(customer: Customer, together: bool) -> None:
    first, again = response(2), response(1, task_id="told by a proxy")
    if together:
        await customer.report(first, again)
    else:
        await customer.report(first)
        await customer.report(again)
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.records_cost_picousd) == (1, CALL_PICOUSD)
    assert found.dead_letters == found.holes == 0
    ((duplicate, original),) = (await duplicates(customer)).items()
    assert {duplicate, original} == {first["event_id"], again["event_id"]}
    assert (await customer.summary()).suspect_records == 0


async def test_a_duplicate_that_comes_again_is_boring_and_changed_is_parked(
    customer: Customer,
) -> None:
    first, again = response(2), response(1)
    await customer.report(first)
    await customer.report(again)
    await customer.report(again)
    assert await customer.letters() == []
    without_its_id = {**again, "provider_request_id": None}
    await customer.report(without_its_id)
    assert [each.reason for each in await customer.letters()] == ["event_conflict"]
    found = await customer.totals()
    assert_agrees(found)
    assert found.records == 1


async def test_the_same_content_after_more_than_a_day_is_another_call(customer: Customer) -> None:
    old, new = response(30), response(5)
    await customer.report(old)
    await customer.report(new)
    assert await duplicates(customer) == {}
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.records_cost_picousd) == (2, 2 * CALL_PICOUSD)
    assert (await customer.record(old["event_id"])).suspect_reason is None
    suspect = await customer.record(new["event_id"])
    assert (suspect.pricing_status, suspect.suspect_reason) == ("suspect", "request_id_reused")
    assert (await customer.summary()).suspect_records == 1


async def test_exactly_a_day_apart_is_still_one_response(customer: Customer) -> None:
    await customer.report(response(24))
    await customer.report(response(0))
    await customer.report(response(48, task_id="a day before the first"))
    assert (await customer.totals()).records == 1
    # Two days after the earliest: a duplicate of the record in between, which is what counts.
    assert set((await duplicates(customer)).values()) == {(await customer.records())[0].event_id}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-4o-mini"},
        {"usage": {"prompt_tokens": 1000, "completion_tokens": 501}},
        {"batch": True},
        {"outcome": "failed"},
    ],
)
async def test_the_same_id_with_another_content_is_suspect(
    customer: Customer, change: dict[str, Any]
) -> None:
    first, other = response(2), response(1, **change)
    await customer.report(first, other)
    await customer.report(response(1, event_id="told-again", **change))
    found = await customer.totals()
    assert_agrees(found)
    assert found.records == 2
    assert (await customer.summary()).suspect_records == 1
    assert list(await duplicates(customer)) == ["told-again"]


async def test_the_same_id_of_another_provider_or_organization_is_no_reuse(
    customer: Customer, other_customer: Customer
) -> None:
    await customer.report(response(2), response(2, provider="azure"))
    await other_customer.report(response(2))
    assert (await customer.totals()).records == 2
    assert (await other_customer.totals()).records == 1
    assert (await customer.summary()).suspect_records == 0


async def test_calls_that_all_have_one_id_are_all_recorded_as_suspect(customer: Customer) -> None:
    """Ollama and its like number their answers `chatcmpl-1`, or not at all."""
    calls = [
        response(
            number / 60,
            provider="ollama",
            model="llama3",
            usage={
                "prompt_tokens": 10 + number,
                "completion_tokens": 5,
            },
        )
        for number in range(300)
    ]
    await customer.report(*calls[:100])
    await customer.report(*calls[100:])
    await customer.report(*calls[50:150], producer="again")
    found = await customer.totals()
    assert_agrees(found)
    assert found.records == 300
    summary = await customer.summary()
    assert (summary.suspect_records, summary.unpriced_records) == (299, 300)
    assert await duplicates(customer) == {}


async def test_a_correction_may_repeat_the_id_of_what_it_corrects(customer: Customer) -> None:
    first = response(2)
    final = response(
        2,
        corrects=first["event_id"],
        usage={
            "prompt_tokens": 1000,
            "completion_tokens": 900,
        },
    )
    await customer.report(first, final)
    await until(customer.totals, lambda t: t.records == 1)
    (record,) = await customer.records()
    assert (record.event_id, record.suspect_reason) == (final["event_id"], None)
    assert record.completion_tokens == 900


async def test_replicas_that_are_told_of_one_response_at_once_count_it_once(
    customer: Customer,
) -> None:
    """Different events, the same responses, in transactions that overlap."""
    subject = usage_subject("llm", customer.organization_id, "agent-1")
    numbers = range(100)
    databases = [customer.stack.database("cost_metering") for _ in range(4)]

    async def replica(replica_number: int) -> None:
        order = numbers if replica_number % 2 else reversed(numbers)
        told = [response(1, provider_request_id=f"req-{n}") for n in order]
        other = [response(1, provider_request_id=f"req-{n}", batch=True) for n in numbers]
        messages = [Message(subject=subject, body=envelope(*each)) for each in (told, other)]
        while True:
            try:
                async with databases[replica_number].transaction() as db:
                    await Meter().record_usage(messages, db)
                    await asyncio.sleep(0.02)
                return
            except Exception as error:
                if not is_transient(error):
                    raise

    await asyncio.gather(*(replica(number) for number in range(4)))
    for database in databases:
        await database.close()
    found = await until(customer.totals, lambda t: t.announced_records >= 200)
    assert_agrees(found)
    # Of each response one record counts, of each other use of its id too, and one owns the id.
    assert found.records == 200
    assert (await customer.summary()).suspect_records == 100
    owners = await customer.rows(
        "SELECT count(*) FROM cost_records WHERE organization_id = $1 AND owns_request_id"
    )
    assert owners[0][0] == 100
    assert len(await duplicates(customer)) == 600

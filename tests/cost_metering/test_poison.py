"""What cannot be recorded is parked with its reason, and its neighbours are recorded."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call, envelope

# Bytes that no JSON text holds are put in where these words stand.
RAW_BYTES = {b"<bad utf-8>": b"caf\xff\xc3", b"<nul>": b"\x00"}


def poisoned(**changes: Any) -> str:
    """An event as text, with something in it that no agent should send."""
    return json.dumps(call(**changes))


def usage(**changes: Any) -> str:
    return poisoned(usage={"prompt_tokens": 1000, "completion_tokens": 500, **changes})


def with_raw_bytes(body: bytes) -> bytes:
    for word, raw in RAW_BYTES.items():
        body = body.replace(word, raw)
    return body


EVENTS = {
    "not JSON": ('{"event_id": oops}', "malformed"),
    "nothing": ("null", "invalid_field"),
    "a number": ("7", "invalid_field"),
    "a list": ("[1, 2]", "invalid_field"),
    "an empty object": ("{}", "invalid_field"),
    "without an event id": (poisoned(event_id=None), "invalid_field"),
    "oversized": (poisoned(note="x" * 20_000), "oversized"),
    "deeply nested": (
        usage(more="<deep>").replace('"<deep>"', "[" * 2000 + "]" * 2000),
        "too_deep",
    ),
    "bad UTF-8": (poisoned(task_id="<bad utf-8>"), "bad_utf8"),
    "a NUL byte": (poisoned(task_id="<nul>"), "malformed"),
    "an escaped NUL": (poisoned(task_id="a\0b"), "invalid_field"),
    "half a surrogate pair": (poisoned(task_id="\ud800"), "malformed"),
    "negative tokens": (usage(prompt_tokens=-1), "invalid_field"),
    "more than int64": (usage(prompt_tokens=2**63), "invalid_field"),
    "far more than int64": (usage(prompt_tokens=10**40), "invalid_field"),
    "more than any call has": (usage(prompt_tokens=2 * 10**9), "too_many_tokens"),
    "half a token": (usage(prompt_tokens=1.5), "invalid_field"),
    "tokens as text": (usage(prompt_tokens="1000"), "invalid_field"),
    "not a number": (usage(prompt_tokens=float("nan")), "malformed"),
    "cache greater than input": (
        usage(prompt_tokens_details={"cached_tokens": 1001}),
        "cache_exceeds_input",
    ),
    "reasoning greater than output": (
        usage(completion_tokens_details={"reasoning_tokens": 501}),
        "reasoning_exceeds_output",
    ),
    "a total of its own": (usage(total_tokens=9), "total_mismatch"),
    "no counts": (poisoned(usage={}), "no_usage"),
    "an unknown format": (poisoned(usage_format="telepathy"), "invalid_field"),
    "another organization": (poisoned(organization_id="somebody-else"), "foreign_organization"),
    "another agent": (poisoned(agent_id="agent-2"), "foreign_agent"),
    "a time without a zone": (poisoned(occurred_at="2026-11-01T10:00:00"), "invalid_field"),
    "a time before all models": (
        poisoned(occurred_at="1999-01-01T00:00:00Z"),
        "time_out_of_range",
    ),
    "no calendar's time": (poisoned(occurred_at="2026-02-30T00:00:00Z"), "invalid_field"),
    "a correction of itself": (poisoned(event_id="me", corrects="me"), "circular_correction"),
}

ENVELOPES = {
    "nothing at all": (b"", "malformed"),
    "not JSON": (b"hello", "malformed"),
    "a list": (b"[]", "invalid_field"),
    "an acknowledgement of the bus": (b'{"stream":"USAGE","seq":5}', "invalid_field"),
    "cut off": (envelope(call())[:-40], "malformed"),
    "deeply nested": (b'{"v": 1, "more": ' + b"[" * 30_000, "too_deep"),
    "bad UTF-8 in its head": (
        with_raw_bytes(envelope(call(), producer="<bad utf-8>")),
        "bad_utf8",
    ),
    "an unknown version": (envelope(call(), v=2), "unknown_version"),
    "a version of another type": (envelope(call(), v="1"), "invalid_field"),
    "a sequence from 0": (envelope(call(), first_seq=0), "invalid_field"),
    "a sequence beyond all numbers": (envelope(call(), first_seq=2**70), "invalid_field"),
    "a producer with spaces": (envelope(call(), producer="a b"), "invalid_field"),
    "events that are no list": (
        b'{"v": 1, "producer": "p", "first_seq": 1, "events": {}}',
        "invalid_field",
    ),
    "no events field": (b'{"v": 1, "producer": "p", "first_seq": 1}', "invalid_field"),
    "too many events": (envelope(*["{}"] * 501), "oversized"),
}


@pytest.mark.parametrize("what", EVENTS)
async def test_a_poisoned_event_is_parked_alone(customer: Customer, what: str) -> None:
    event, reason = EVENTS[what]
    before, after = call(), call()
    body = with_raw_bytes(envelope(before, event, after, producer="p"))
    for _ in range(2):
        await customer.publish(body)
        await customer.processed()

    (letter,) = await customer.letters()
    assert (letter.reason, letter.occurrences) == (reason, 2)
    assert letter.detail.isprintable()
    assert {each.event_id for each in await customer.records()} == {
        before["event_id"],
        after["event_id"],
    }
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.dead_letters, found.holes) == (2, 1, 0)


@pytest.mark.parametrize("what", ENVELOPES)
async def test_a_poisoned_envelope_is_parked_whole(customer: Customer, what: str) -> None:
    body, reason = ENVELOPES[what]
    await customer.publish(body)
    await customer.report(call())
    await customer.publish(body)
    await customer.processed()

    (letter,) = await customer.letters()
    assert (letter.reason, letter.occurrences) == (reason, 2)
    found = await customer.totals()
    assert_agrees(found)
    assert (found.records, found.dead_letters) == (1, 1)


async def test_an_envelope_without_events_is_boring(customer: Customer) -> None:
    await customer.report()
    found = await customer.totals()
    assert (found.records, found.dead_letters, found.holes) == (0, 0, 0)


async def test_every_poison_in_one_envelope_costs_no_good_event(customer: Customer) -> None:
    small = {what: event for what, (event, _) in EVENTS.items() if len(event) < 5000}
    good = [call() for _ in small]
    mixed = [each for pair in zip(good, small.values(), strict=True) for each in pair]
    await customer.publish(with_raw_bytes(envelope(*mixed, producer="p")))
    await customer.processed()
    found = await customer.totals()
    assert_agrees(found)
    assert found.records == len(good)
    assert found.records_cost_picousd == len(good) * CALL_PICOUSD
    assert found.dead_letters == len(small)
    assert found.holes == 0


@pytest.mark.parametrize(
    ("days", "reason"), [(-365, "ancient_time"), (1, "future_time"), (365 * 20, "future_time")]
)
async def test_a_call_far_from_now_is_recorded_and_suspect(
    customer: Customer, days: int, reason: str
) -> None:
    at = datetime.now(UTC) + timedelta(days=days)
    event = call(occurred_at=at.isoformat())
    await customer.report(event)
    found = await customer.record(event["event_id"])
    assert (found.pricing_status, found.suspect_reason) == ("suspect", reason)
    summary = await customer.summary()
    assert (summary.records, summary.suspect_records) == (1, 1)
    assert summary.cost_picousd == CALL_PICOUSD


async def test_an_unknown_model_is_recorded_without_a_price(customer: Customer) -> None:
    event = call(model=f"gpt-9-{customer.organization_id}")
    await customer.report(event)
    found = await customer.record(event["event_id"])
    assert found.pricing_status == "unpriced"
    assert found.prompt_cost_picousd is found.completion_cost_picousd is None
    summary = await customer.summary()
    assert (summary.records, summary.unpriced_records, summary.unpriced_tokens) == (1, 1, 1500)
    assert summary.cost_picousd == 0
    assert await customer.letters() == []

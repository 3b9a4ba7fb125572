"""Events and envelopes: what is recorded, what is marked, what is parked with which reason."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.cost_metering.rules import Call, Parked, decode_call, decode_envelope
from shared.contracts.usage import (
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_EVENTS,
    MAX_EVENT_BYTES,
    UsageEnvelope,
)
from tests.cost_metering.pricing_examples import (
    AGENT,
    NOW,
    ORGANIZATION,
    a_call,
    an_envelope,
    an_event,
    decoded,
    parked,
    tokens,
)

NESTED = b'{"deep":' + b"[" * 5_000 + b"]" * 5_000 + b"}"


def test_a_call_carries_its_subjects_organization_and_agent() -> None:
    call = a_call(task_id="task-9", unheard_of={"x": [1]})
    assert (call.organization_id, call.agent_id, call.event.task_id) == (
        ORGANIZATION,
        AGENT,
        "task-9",
    )
    assert call.tokens == tokens(uncached=1000, text=500)
    assert call.suspect_reason is None
    assert call.context == "standard"


def test_a_time_in_another_zone_becomes_utc() -> None:
    call = a_call(occurred_at="2026-11-20T23:30:00-05:00")
    assert call.occurred_at == datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
    assert call.occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        (
            {"organization_id": "globex"},
            "foreign_organization",
            "Field `organization_id`: `globex` is not the organization it was published for.",
        ),
        (
            {"agent_id": "coder-2"},
            "foreign_agent",
            "Field `agent_id`: `coder-2` is not the agent it was published by.",
        ),
        (
            {"task_id": "a\x00b"},
            "invalid_field",
            "Field `task_id`: Expected `str` without control characters.",
        ),
        (
            {"event_id": ""},
            "invalid_field",
            "Field `event_id`: Expected `str` of length >= 1.",
        ),
        (
            {"organization_id": "org:*"},
            "invalid_field",
            "Field `organization_id`: Expected `str` of 1 to 64 letters, digits, `_` or `-`.",
        ),
        (
            {"occurred_at": "2026-11-20T12:00:00"},
            "invalid_field",
            "Field `occurred_at`: Expected `datetime` with a timezone component.",
        ),
        (
            {"occurred_at": "1970-01-01T00:00:00Z"},
            "time_out_of_range",
            "Field `occurred_at`: the year 1970 is not within 2020 and 2100.",
        ),
        (
            {"occurred_at": "9999-12-31T23:59:59-14:00"},
            "time_out_of_range",
            "Field `occurred_at`: the year 9999 is not within 2020 and 2100.",
        ),
        (
            {"usage": {"input_uncached": -1, "output": 0}},
            "invalid_field",
            "Field `usage.input_uncached`: Expected `int` >= 0.",
        ),
        (
            {"usage": {"input_uncached": True, "output": 0}},
            "invalid_field",
            "Field `usage.input_uncached`: Expected `int | null`, got `bool`.",
        ),
        (
            {"usage": {"input_uncached": 1.5, "output": 0}},
            "invalid_field",
            "Field `usage.input_uncached`: Expected `int | null`, got `float`.",
        ),
        (
            {"usage": {"input_uncached": 2**53 + 1, "output": 0}},
            "invalid_field",
            "Field `usage.input_uncached`: Expected `int` <= 9007199254740992.",
        ),
        (
            {"usage": {"input_uncached": 10**400, "output": 0}},
            "invalid_field",
            "Field `usage.input_uncached`: Expected `int` <= 9007199254740992.",
        ),
        (
            {"usage": {"input_uncached": float("nan"), "output": 0}},
            "malformed",
            None,
        ),
        (
            {"usage": {"prompt_tokens": 5}},
            "no_usage",
            "Field `usage` has none of the counts of the format `disjoint`; "
            "say `usage_source: missing` if so.",
        ),
        ({"usage": None}, "no_usage", None),
        (
            {"usage": [1]},
            "invalid_field",
            "Field `usage`: Expected `object | null`, got `array`.",
        ),
        ({"usage_format": "cohere"}, "invalid_field", None),
        ({"cost_reported": 0.5}, "invalid_field", None),
    ],
)
def test_an_event_that_cannot_be_recorded_is_parked_with_a_reason(
    changes: dict[str, Any], reason: str, detail: str | None
) -> None:
    refused = parked(**changes)
    assert refused.reason == reason
    assert refused.detail == detail or detail is None
    assert refused.detail.isprintable()


def test_a_missing_field_is_named() -> None:
    refused = decoded(b'{"event_id": "e"}')
    assert refused == Parked("invalid_field", "Field `task_id` is required.")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"event_id": "\\ud800"}', "malformed"),
        (an_event().replace(b"task-1", b"task-\xff"), "bad_utf8"),
        (NESTED, "too_deep"),
        (an_event()[:-1] + b', "note": "' + b"x" * MAX_EVENT_BYTES + b'"}', "oversized"),
        (b"[]", "invalid_field"),
        (b"null", "invalid_field"),
    ],
)
def test_bytes_that_are_no_event_are_parked_with_a_reason(raw: bytes, reason: str) -> None:
    refused = decoded(raw)
    assert isinstance(refused, Parked)
    assert refused.reason == reason


def test_a_reason_never_carries_what_postgresql_refuses() -> None:
    refused = parked(usage_format="a\x00\ud7ffb\u202e" + "x" * 1000)
    assert refused.reason == "invalid_field"
    assert refused.detail.isprintable()
    assert len(refused.detail) <= 300


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"occurred_at": "2026-11-22T12:05:01Z"}, "future_time"),
        ({"occurred_at": "2026-11-22T12:04:59Z"}, None),
        ({"occurred_at": "2026-08-24T11:59:59Z"}, "ancient_time"),
        ({"occurred_at": "2026-08-24T12:00:01Z"}, None),
        ({"usage_source": "estimated"}, "usage_estimated"),
        ({"usage_source": "missing", "usage": {}}, "usage_missing"),
        ({"usage_source": "missing", "usage": None}, "usage_missing"),
        ({"usage": {"output": 7}}, "usage_incomplete"),
    ],
)
def test_a_doubtful_event_is_recorded_and_marked(
    changes: dict[str, Any], reason: str | None
) -> None:
    assert a_call(**changes).suspect_reason == reason


@pytest.mark.parametrize(
    ("changes", "context", "doubt"),
    [
        ({}, "standard", None),
        ({"service_tier": "default"}, "standard", None),
        ({"service_tier": "auto"}, "standard", None),
        ({"service_tier": "Priority"}, "priority", None),
        ({"service_tier": "flex"}, "flex", None),
        ({"service_tier": "batch"}, "batch", None),
        ({"batch": True}, "batch", None),
        ({"batch": True, "service_tier": "batch"}, "batch", None),
        ({"speed": "fast"}, "fast", None),
        ({"speed": "ludicrous"}, "standard", "unknown_speed"),
        ({"service_tier": "scale"}, "standard", "unknown_service_tier"),
        ({"batch": True, "service_tier": "priority"}, "standard", "conflicting_price_context"),
        ({"region": "global"}, "standard", None),
        ({"region": "us", "batch": True}, "batch", "region_not_priced"),
    ],
)
def test_a_price_list_is_known_or_in_doubt(
    changes: dict[str, Any], context: str, doubt: str | None
) -> None:
    call = a_call(**changes)
    assert (call.context, call.context_doubt) == (context, doubt)


@pytest.mark.parametrize(
    ("usage", "context", "doubt"),
    [
        ({"service_tier": "batch"}, "batch", None),
        ({"service_tier": "standard", "inference_geo": ""}, "standard", None),
        ({"speed": "fast"}, "fast", None),
        ({"inference_geo": "us"}, "standard", "region_not_priced"),
    ],
)
def test_what_anthropic_reports_decides_the_price_list(
    usage: dict[str, Any], context: str, doubt: str | None
) -> None:
    counts = {"input_tokens": 1, "output_tokens": 1} | usage
    call = a_call(usage_format="anthropic", usage=counts, service_tier="auto")
    assert (call.context, call.context_doubt) == (context, doubt)


@pytest.mark.parametrize(
    ("traffic", "context", "doubt"),
    [
        ("ON_DEMAND_PRIORITY", "priority", None),
        ("PROVISIONED_THROUGHPUT", "standard", "unknown_service_tier"),
    ],
)
def test_googles_traffic_types_are_service_tiers(
    traffic: str, context: str, doubt: str | None
) -> None:
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "trafficType": traffic}
    call = a_call(usage_format="gemini", usage=usage)
    assert (call.context, call.context_doubt) == (context, doubt)


def test_an_envelope_keeps_its_events_raw_and_in_order() -> None:
    envelope = decode_envelope(an_envelope(an_event(event_id="a"), an_event(event_id="b")))
    assert isinstance(envelope, UsageEnvelope)
    assert [bytes(event) for event in envelope.events] == [
        an_event(event_id="a"),
        an_event(event_id="b"),
    ]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"event_id": }', "malformed"),
        (b'{"event_id": "a\x01b, [unbalanced"}', "malformed"),
        (b"", "malformed"),
        (b"NaN", "malformed"),
        (NESTED, "too_deep"),
        (an_event().replace(b"task-1", b"task-\xff"), "bad_utf8"),
        (an_event(task_id="a\x00b"), "invalid_field"),
        (an_event(padding="x" * MAX_EVENT_BYTES), "oversized"),
    ],
)
def test_one_broken_event_does_not_cost_its_neighbours(broken: bytes, reason: str) -> None:
    good = an_event(task_id='quote " and \\ bracket ]')
    envelope = decode_envelope(an_envelope(good, broken, good, first_seq=7))
    assert isinstance(envelope, UsageEnvelope)
    assert envelope.first_seq == 7
    first, second, third = (decode_call(raw, ORGANIZATION, AGENT, NOW) for raw in envelope.events)
    assert isinstance(first, Call)
    assert isinstance(second, Parked)
    assert second.reason == reason
    assert isinstance(third, Call)
    assert third.event.task_id == 'quote " and \\ bracket ]'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"not json", "malformed"),
        (an_envelope(v=2), "unknown_version"),
        (b'{"v": 2, "sender": "p", "items": []}', "unknown_version"),
        (an_envelope(producer="a b"), "invalid_field"),
        (an_envelope(first_seq=0), "invalid_field"),
        (an_envelope(first_seq=True), "invalid_field"),
        (b'{"v": 1, "producer": "p", "first_seq": 1}', "invalid_field"),
        (b'{"v": 1, "producer": "p\xff", "first_seq": 1, "events": []}', "bad_utf8"),
        (b'{"v": 1, "x": ' + NESTED + b', "producer": "p", "first_seq": 1}', "too_deep"),
        (an_envelope(b'{"a": [}', an_event()), "malformed"),
        (an_envelope(an_event())[:-1], "malformed"),
        (an_envelope(*[b"{}"] * (MAX_ENVELOPE_EVENTS + 1)), "oversized"),
        (b" " * (MAX_ENVELOPE_BYTES + 1), "oversized"),
    ],
)
def test_an_envelope_that_cannot_be_read_is_parked_whole(body: bytes, reason: str) -> None:
    refused = decode_envelope(body)
    assert isinstance(refused, Parked)
    assert refused.reason == reason


def test_the_sentence_about_an_unknown_version_says_which_is_read() -> None:
    assert decode_envelope(an_envelope(v=2)) == Parked(
        "unknown_version",
        "Field `v`: 2 is not a version of the envelope; this meter reads 1.",
    )


def test_a_missing_envelope_field_is_named() -> None:
    assert decode_envelope(b'{"v": 1, "producer": "p", "first_seq": 1}') == Parked(
        "invalid_field", "Field `events` is required."
    )


def test_splitting_an_unending_string_takes_no_longer_than_reading_it() -> None:
    hostile = b'{"v":1,"events":["' + b'\\"' * (MAX_ENVELOPE_BYTES // 2 - 20)
    started = datetime.now(UTC)
    assert isinstance(decode_envelope(hostile), Parked)
    # A quadratic scan takes minutes here.
    assert (datetime.now(UTC) - started).total_seconds() < 5

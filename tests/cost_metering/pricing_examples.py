"""Builders of events, calls and overrides for the tests of decoding and pricing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.cost_metering.pricebook import PriceBook, Priced, price_call
from services.cost_metering.rules import Call, Parked, Tokens, Usage, decode_call, read_usage
from shared.contracts.cost_metering import PriceOverride, TokenRates
from shared.contracts.usage import UsageFormat

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORGANIZATION, AGENT = "acme", "coder-1"
BOOK = PriceBook()
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("pricing_cases.jsonl").read_text().splitlines()
]


def an_event(**changes: Any) -> bytes:
    """The JSON of one event, GPT-4o with 1,000 tokens in and 500 out unless told otherwise."""
    event = {
        "event_id": "event-1",
        "task_id": "task-1",
        "provider": "openai",
        "model": "gpt-4o",
        "occurred_at": "2026-11-20T12:00:00Z",
        "usage_format": "disjoint",
        "usage": {"input_uncached": 1000, "output": 500},
    }
    return json.dumps(event | changes).encode()


def an_envelope(*events: bytes, **changes: Any) -> bytes:
    """The JSON of an envelope; `events` go in as they are, valid or not."""
    header = json.dumps({"v": 1, "producer": "p-1", "first_seq": 1} | changes).encode()
    return header[:-1] + b', "events": [' + b",".join(events) + b"]}"


def decoded(raw: bytes, now: datetime = NOW) -> Call | Parked:
    """What becomes of an event published by the agent of these tests."""
    return decode_call(raw, ORGANIZATION, AGENT, now)


def a_call(**changes: Any) -> Call:
    """A call that decodes."""
    call = decoded(an_event(**changes))
    assert isinstance(call, Call), call
    return call


def parked(**changes: Any) -> Parked:
    """An event that does not decode."""
    refused = decoded(an_event(**changes))
    assert isinstance(refused, Parked), refused
    return refused


def priced(book: PriceBook = BOOK, **changes: Any) -> Priced:
    """The price of an event."""
    return price_call(book, a_call(**changes))


def usage_of(usage_format: UsageFormat, **counts: Any) -> Usage:
    """A provider's usage object that can be read."""
    usage = read_usage(usage_format, json.dumps(counts).encode())
    assert isinstance(usage, Usage), usage
    return usage


def refused_usage(usage_format: UsageFormat, **counts: Any) -> Parked:
    """A provider's usage object that contradicts itself."""
    refused = read_usage(usage_format, json.dumps(counts).encode())
    assert isinstance(refused, Parked), refused
    return refused


def tokens(
    uncached: int = 0, read: int = 0, short: int = 0, long: int = 0, text: int = 0, thought: int = 0
) -> Tokens:
    """Six counts in the order of the price book."""
    return Tokens(uncached, read, short, long, text, thought)


def an_override(**changes: Any) -> PriceOverride:
    """Two dollars in and four out for `house-model` of `ollama`, for everybody and for ever."""
    terms: dict[str, Any] = {
        "override_id": "o-1",
        "provider": "ollama",
        "model": "house-model",
        "match": "exact",
        "organization_id": None,
        "rates": TokenRates(input="2", output="4"),
        "effective_from": datetime(2026, 1, 1, tzinfo=UTC),
        "effective_to": None,
        "reason": "our own servers",
        "created_by": "operator",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return PriceOverride(**(terms | changes))

"""How many events a second one core decodes, validates and prices, beside the library per event."""

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

import genai_prices

from services.cost_metering.pricebook import PriceBook, price_call
from services.cost_metering.rules import Call, decode_call

EVENTS, LIBRARY_EVENTS, ROUNDS = 20_000, 2_000, 7
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MODELS = ["gpt-4o", "gpt-5-mini", "gpt-5.4"]


def measure() -> dict[str, float]:
    """Events a second of ours and of the library, and their ratio, taken in turns in one run.

    Ours goes from the bytes of an event to its cost; the library is handed the counts.
    """
    chance = random.Random(7)
    events = [_event(chance, number) for number in range(EVENTS)]
    book = PriceBook()
    calls = [_ours(book, raw) for raw in events[:LIBRARY_EVENTS]]
    ours, library = [], []
    for _ in range(ROUNDS):
        ours.append(_per_second(lambda raw: _ours(book, raw), events))
        library.append(_per_second(_library, calls))
    return {
        "ours_events_per_second": round(median(ours)),
        "library_events_per_second": round(median(library)),
        "ratio": round(median(ours) / median(library), 1),
    }


def _event(chance: random.Random, number: int) -> bytes:
    read, fresh, output = (chance.randrange(20_000) for _ in range(3))
    event = {
        "event_id": f"0192f0c1-7a1b-7c2d-8e3f-{number:012d}",
        "task_id": f"task-{number % 500}",
        "provider": "openai",
        "model": chance.choice(MODELS),
        "occurred_at": f"2026-11-{chance.randint(1, 21):02d}T12:00:00Z",
        "usage_format": "openai_chat",
        "usage": {
            "prompt_tokens": fresh + read,
            "completion_tokens": output,
            "total_tokens": fresh + read + output,
            "prompt_tokens_details": {"cached_tokens": read, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": output // 2},
        },
        "provider_request_id": f"chatcmpl-{number:024d}",
    }
    return json.dumps(event).encode()


def _ours(book: PriceBook, raw: bytes) -> Call:
    call = decode_call(raw, "acme", "coder-1", NOW)
    if not isinstance(call, Call) or price_call(book, call).status != "priced":
        raise ValueError(f"The benchmark's own event was not priced: {call}")
    return call


def _library(call: Call) -> None:
    at, event, counts = call.occurred_at, call.event, call.tokens
    usage = genai_prices.Usage(input_tokens=counts.prompt, output_tokens=counts.completion)
    usage.cache_read_tokens = counts.cache_read
    genai_prices.calc_price(usage, event.model, provider_id="openai", genai_request_timestamp=at)


def _per_second(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    started = time.perf_counter()
    for item in items:
        work(item)
    return len(items) / (time.perf_counter() - started)

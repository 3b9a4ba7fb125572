"""No bytes make decoding or pricing raise, and counts always sum to what the provider says."""

import json
import random
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cost_metering.pricebook import price_call
from services.cost_metering.rules import (
    MAX_CALL_TOKENS,
    Call,
    Parked,
    Usage,
    decode_envelope,
    read_usage,
)
from services.cost_metering.rules.events import decode_event
from services.cost_metering.rules.parking import UNREADABLE
from shared.contracts.usage import LlmCall, UsageEnvelope, UsageFormat
from tests.cost_metering import test_usage_formats as real
from tests.cost_metering.pricing_examples import BOOK, an_envelope, an_event, decoded

BIGINT = 2**63
FORMATS: tuple[UsageFormat, ...] = get_args(UsageFormat)
CORPUS = [
    an_event(usage_format="anthropic", usage=real.ANTHROPIC, model="claude-sonnet-4-5"),
    an_event(usage_format="openai_chat", usage=real.OPENAI_CHAT, service_tier="flex"),
    an_event(usage_format="openai_responses", usage=real.OPENAI_RESPONSES, batch=True),
    an_event(usage_format="gemini", usage=real.GEMINI, provider="google"),
    an_event(usage_format="otel", usage=real.OTEL, region="us"),
    an_event(usage_format="otel", usage=real.OPENLLMETRY, usage_source="estimated"),
    an_event(organization_id="acme", agent_id="coder-1", corrects="event-0", cost_reported="0.5"),
]
count = st.integers(0, 10**7)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=8,
)


def survives(raw: bytes) -> None:
    """Whatever becomes of an event, it is an answer that PostgreSQL can store."""
    outcome = decoded(raw)
    if isinstance(outcome, Parked):
        assert outcome.reason
        assert outcome.detail.isprintable()
        outcome.detail.encode()
        return
    stored = msgspec.structs.asdict(outcome.event).values()
    assert not any("\x00" in text for text in stored if isinstance(text, str))
    assert min(msgspec.structs.astuple(outcome.tokens)) >= 0
    price = price_call(BOOK, outcome)
    if price.status != "unpriced":
        assert price.prompt_picousd is not None
        assert price.completion_picousd is not None
        assert 0 <= price.prompt_picousd + price.completion_picousd < BIGINT


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_no_bytes_make_decoding_raise(raw: bytes) -> None:
    survives(raw)
    assert isinstance(decode_envelope(raw), UsageEnvelope | Parked)
    assert isinstance(decode_envelope(an_envelope(raw)), UsageEnvelope | Parked)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(CORPUS),
    st.dictionaries(st.sampled_from(sorted(json.loads(CORPUS[0]))), anything, max_size=3),
)
def test_no_value_in_any_field_makes_decoding_raise(raw: bytes, changes: dict[str, Any]) -> None:
    survives(json.dumps(json.loads(raw) | changes).encode())


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(CORPUS), st.data())
def test_no_value_in_any_count_makes_decoding_raise(raw: bytes, data: st.DataObject) -> None:
    event = json.loads(raw)
    field = data.draw(st.sampled_from(sorted(event["usage"])))
    event["usage"][field] = data.draw(anything)
    survives(json.dumps(event).encode())


@pytest.mark.parametrize("raw", CORPUS, ids=range(len(CORPUS)))
def test_no_mutation_of_a_real_event_makes_decoding_raise(raw: bytes) -> None:
    chance = random.Random(raw)
    for _ in range(2_000):
        mutant = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mutant))
            mutant[at : at + chance.randint(0, 3)] = chance.choice(
                [b"", b"\x00", b"\xff", b'"', b"{", b"]", b"-", b"9" * 20, b"1e999", b"\\u0000"]
            )
        survives(bytes(mutant))
        assert isinstance(decode_envelope(an_envelope(bytes(mutant), raw)), UsageEnvelope | Parked)


@pytest.mark.parametrize("usage_format", FORMATS)
def test_no_bytes_as_a_usage_raise_anything_else(usage_format: UsageFormat) -> None:
    chance = random.Random(usage_format)
    for _ in range(3_000):
        raw = bytes(chance.choices(b'{}[]":,0123456789.eE-+ntrulfas_\\\x00\xff', k=30))
        try:
            read_usage(usage_format, raw)
        except UNREADABLE:
            continue


def outcome_of(decode: Callable[[bytes], LlmCall], raw: bytes) -> dict[str, Any] | str:
    try:
        return msgspec.structs.asdict(decode(raw)) | {"usage": None}
    except UNREADABLE as error:
        return str(error)


@pytest.mark.parametrize("byte", [*range(0x20), 0x22, 0x5C, 0x7F, 0x80, 0xC0, 0xFF])
def test_the_fast_decoder_is_as_strict_as_the_contract(byte: int) -> None:
    strictly = msgspec.json.Decoder(LlmCall).decode
    texts = {"event_id": "e" * 40, "model": "m" * 9, "task_id": "t", "region": "r" * 17}
    for field, text in texts.items():
        for at in range(len(text)):
            raw = text[:at].encode() + bytes([byte]) + text[at:].encode()
            event = an_event(**(texts | {field: "HERE"})).replace(b"HERE", raw)
            assert outcome_of(decode_event, event) == outcome_of(strictly, event)
    escaped = an_event(task_id=f"t{chr(byte)}")
    assert outcome_of(decode_event, escaped) == outcome_of(strictly, escaped)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(LlmCall.__struct_fields__), st.none() | st.text(max_size=140), min_size=1
    )
)
def test_the_fast_decoder_reads_the_same_texts(changes: dict[str, str | None]) -> None:
    for escape in (True, False):
        raw = json.dumps(json.loads(an_event()) | changes, ensure_ascii=escape)
        event = raw.encode(errors="surrogatepass")
        strictly = msgspec.json.Decoder(LlmCall).decode
        assert outcome_of(decode_event, event) == outcome_of(strictly, event)


def usage_total(usage_format: UsageFormat, counts: dict[str, Any]) -> int:
    usage = read_usage(usage_format, json.dumps(counts).encode())
    assert isinstance(usage, Usage), usage
    assert min(msgspec.structs.astuple(usage.tokens)) >= 0
    return usage.tokens.total


@given(count, count, count, count, count, count)
def test_tokens_sum_to_the_providers_total(
    uncached: int, read: int, short: int, long: int, text: int, thought: int
) -> None:
    given_in = uncached + read + short + long
    total = given_in + text + thought
    writes = {"ttl_30m_tokens": short, "ttl_12h_tokens": long}
    details = {
        "cached_tokens": read,
        "cache_write_tokens": short + long,
        "cache_write_tokens_details": writes,
    }
    chat = {
        "prompt_tokens": given_in,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": total,
    }
    assert usage_total("openai_chat", chat | {"completion_tokens": text + thought}) == total
    # xAI's way of counting gives the same tokens.
    assert usage_total("openai_chat", chat | {"completion_tokens": text}) == total
    responses = {
        "input_tokens": given_in,
        "input_tokens_details": details,
        "output_tokens": text + thought,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": total,
    }
    assert usage_total("openai_responses", responses) == total
    anthropic = {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": text + thought,
        "output_tokens_details": {"thinking_tokens": thought},
    }
    assert usage_total("anthropic", anthropic) == total
    gemini = {
        "promptTokenCount": uncached + read,
        "cachedContentTokenCount": read,
        "toolUsePromptTokenCount": short + long,
        "candidatesTokenCount": text,
        "thoughtsTokenCount": thought,
        "totalTokenCount": total,
    }
    assert usage_total("gemini", gemini) == total


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_no_call_that_is_recorded_costs_more_than_a_bigint(given_in: int, output: int) -> None:
    outcome = decoded(
        an_event(
            provider="openrouter",
            model="openai/o1-pro",
            usage={"input_uncached": given_in, "output": output},
        )
    )
    if given_in + output > MAX_CALL_TOKENS:
        assert isinstance(outcome, Parked)
        assert outcome.reason == "too_many_tokens"
        return
    assert isinstance(outcome, Call)
    price = price_call(BOOK, outcome)
    assert (price.prompt_picousd or 0) + (price.completion_picousd or 0) < BIGINT

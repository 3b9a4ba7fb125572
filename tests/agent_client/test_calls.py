"""Every provider's usage and response is taken as its own library hands it over."""

import enum
import re
from collections import UserDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from services.cost_metering.rules.decoding import Call, decode_call
from shared.agent_client import calls
from shared.agent_client.calls import UnusableCall
from shared.contracts.usage import LlmCall

ANTHROPIC = {
    "input_tokens": 12,
    "output_tokens": 34,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 600,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
    "service_tier": "batch",
}
CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
}
RESPONSES = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 20,
    "total_tokens": 120,
}
GEMINI = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
OTEL = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
DISJOINT = {"input_uncached": 100, "output": 20}


def arrives(event: dict[str, Any]) -> LlmCall:
    """The event as the meter decodes it, after the check that it will."""
    encoded = calls.encode(event)
    assert calls.complaint_about(event, encoded) is None
    return msgspec.json.decode(encoded, type=LlmCall)


def from_usage(usage: object, provider: str = "somebody", **details: object) -> LlmCall:
    given = {"task_id": "task-1", "provider": provider, "model": "some-model", "usage": usage}
    return arrives(calls.from_usage(calls.new_id(), given | details))


def from_response(response: object, **details: object) -> LlmCall:
    given = {"task_id": "task-1", "response": response}
    return arrives(calls.from_response(calls.new_id(), given | details))


@pytest.mark.parametrize(
    ("usage", "provider", "expected"),
    [
        (ANTHROPIC, "bedrock", "anthropic"),
        (CHAT, "azure", "openai_chat"),
        (RESPONSES, "azure", "openai_responses"),
        (GEMINI, "vertex", "gemini"),
        ({"prompt_token_count": 100}, "google", "gemini"),
        (OTEL, "openai", "otel"),
        (DISJOINT, "home-grown", "disjoint"),
        ({"input_tokens": 1, "output_tokens": 2}, "anthropic", "anthropic"),
        ({"input_tokens": 1, "output_tokens": 2}, "openai", "openai_responses"),
    ],
)
def test_a_usage_is_known_by_its_fields(
    usage: dict[str, Any], provider: str, expected: str
) -> None:
    call = from_usage(usage, provider)
    assert call.usage_format == expected
    assert msgspec.json.decode(call.usage) == usage


@pytest.mark.parametrize(
    ("usage", "total"),
    [(ANTHROPIC, 651), (CHAT, 120), (RESPONSES, 120), (GEMINI, 120), (OTEL, 120), (DISJOINT, 120)],
)
def test_the_meter_counts_every_token_of_every_shape(usage: dict[str, Any], total: int) -> None:
    given = {"task_id": "task-1", "provider": "somebody", "model": "m", "usage": usage}
    encoded = calls.encode(calls.from_usage(calls.new_id(), given))
    read = decode_call(encoded, "acme", "agent-1", datetime.now(UTC))
    assert isinstance(read, Call)
    assert (read.tokens.total, read.suspect_reason) == (total, None)


class Modality(enum.Enum):
    TEXT = "TEXT"


class PydanticUsage(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    prompt_token_count: int = 100
    cached_content_token_count: int | None = None
    modality: Modality = Modality.TEXT


class StructUsage(msgspec.Struct):
    prompt_tokens: int = 100
    completion_tokens: int = 20


@dataclass
class DataclassUsage:
    prompt_tokens: int = 100
    completion_tokens: int = 20


class PlainUsage:
    def __init__(self) -> None:
        self.prompt_tokens, self.completion_tokens, self._raw = 100, 20, object()


@pytest.mark.parametrize(
    "usage",
    [
        StructUsage(),
        DataclassUsage(),
        PlainUsage(),
        UserDict(prompt_tokens=100, completion_tokens=20),
        SimpleNamespace(prompt_tokens=100, completion_tokens=20),
    ],
)
def test_a_usage_may_be_an_object_of_any_kind(usage: object) -> None:
    call = from_usage(usage)
    assert msgspec.json.decode(call.usage) == {"prompt_tokens": 100, "completion_tokens": 20}


def test_a_pydantic_usage_travels_under_the_providers_own_names() -> None:
    call = from_usage(PydanticUsage())
    assert msgspec.json.decode(call.usage) == {"promptTokenCount": 100, "modality": "TEXT"}
    assert call.usage_format == "gemini"


def test_a_stream_that_was_cut_before_its_usage_says_so() -> None:
    call = from_usage(None, "openai")
    assert (call.usage_source, bytes(call.usage)) == ("missing", b"{}")
    assert from_usage(None, "somebody").usage_format == "disjoint"


def test_a_named_format_is_not_questioned() -> None:
    assert from_usage({"unknown": 1}, usage_format="otel").usage_format == "otel"
    with pytest.raises(UnusableCall):
        from_usage({"unknown": 1})


def response_of(**fields: object) -> list[object]:
    """A response as an object and as the JSON it came in."""
    return [SimpleNamespace(**fields), fields]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        *(
            (each, ("anthropic", "claude-sonnet-4-5", "msg_1", "anthropic", None))
            for each in response_of(
                id="msg_1", type="message", model="claude-sonnet-4-5", usage=ANTHROPIC
            )
        ),
        *(
            (each, ("openai", "gpt-5", "chatcmpl-1", "openai_chat", "flex"))
            for each in response_of(
                id="chatcmpl-1", model="gpt-5", usage=CHAT, service_tier="flex", choices=[]
            )
        ),
        *(
            (each, ("openai", "gpt-5", "resp_1", "openai_responses", "default"))
            for each in response_of(
                id="resp_1", model="gpt-5", usage=RESPONSES, service_tier="default", output=[]
            )
        ),
        (
            SimpleNamespace(
                response_id="r1", model_version="gemini-3-pro", usage_metadata=PydanticUsage()
            ),
            ("google", "gemini-3-pro", "r1", "gemini", None),
        ),
        (
            {"responseId": "r1", "modelVersion": "gemini-3-pro", "usageMetadata": GEMINI},
            ("google", "gemini-3-pro", "r1", "gemini", None),
        ),
    ],
)
def test_a_whole_response_is_known_by_its_shape(
    response: object, expected: tuple[str | None, ...]
) -> None:
    call = from_response(response)
    assert expected == (
        call.provider,
        call.model,
        call.provider_request_id,
        call.usage_format,
        call.service_tier,
    )


def test_what_is_said_beside_a_response_wins() -> None:
    response = SimpleNamespace(id="msg_1", model="claude-sonnet-4-5", usage=ANTHROPIC)
    call = from_response(response, provider="bedrock", model="anthropic.claude", attempt=2)
    assert (call.provider, call.model, call.attempt) == ("bedrock", "anthropic.claude", 2)
    assert call.usage_format == "anthropic"


def test_a_small_anthropic_usage_is_told_by_its_model() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2}
    assert from_response({"model": "claude-haiku-4-5", "usage": usage}).provider == "anthropic"
    assert from_response({"model": "gpt-5", "usage": usage}).provider == "openai"


def test_a_response_without_usage_is_recorded_as_missing_and_without_model_refused() -> None:
    assert from_response({"model": "gpt-5", "id": "1"}).usage_source == "missing"
    with pytest.raises(UnusableCall, match="use record_llm"):
        from_response(SimpleNamespace(text="hello"))


def test_details_arrive_in_the_contracts_form() -> None:
    paris = timezone(timedelta(hours=1))
    call = from_usage(
        CHAT,
        occurred_at=datetime(2026, 11, 20, 13, 0, tzinfo=paris),
        cost_reported=Decimal("1E-7"),
        batch=True,
        workflow_id=None,
    )
    assert call.occurred_at == datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert (call.cost_reported, call.batch, call.workflow_id) == ("0.0000001", True, None)
    assert from_usage(CHAT, cost_reported=1e-7).cost_reported == "0.0000001"


def test_a_time_without_a_zone_is_local_and_none_is_now() -> None:
    local = datetime(2026, 11, 20, 13, 0)  # noqa: DTZ001
    assert from_usage(CHAT, occurred_at=local).occurred_at == local.astimezone(UTC)
    assert abs(from_usage(CHAT).occurred_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_ids_are_version_7_uuids_in_the_order_of_their_time() -> None:
    ids = [calls.new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [each[:13] for each in ids] == sorted(each[:13] for each in ids)
    form = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(form, each) for each in ids)

"""Turns what a provider's library returned into the event that the meter reads.

Usage objects are known by the names of their fields, so no provider's library is imported.
"""

import os
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

import msgspec

from shared.contracts.usage import (
    CallOutcome,
    CredentialSource,
    LlmCall,
    UsageFormat,
    UsageSource,
)


class UnusableCall(Exception):
    """No event can be made of this call; the message says what is missing."""


class CallDetails(TypedDict, total=False):
    """What may be said about a call beside its usage; see the contract `LlmCall`.

    `occurred_at` is when the call began, now if left out; without a zone it is local time.
    `cost_reported` is in US dollars. `usage_format` is only needed for a usage of unusual shape.
    """

    occurred_at: datetime
    usage_format: UsageFormat
    workflow_id: str | None
    ticket_id: str | None
    sandbox_id: str | None
    request_model: str | None
    provider_request_id: str | None
    attempt: int
    service_tier: str | None
    batch: bool
    speed: str | None
    region: str | None
    usage_source: UsageSource
    outcome: CallOutcome
    credential_source: CredentialSource
    cost_reported: Decimal | float | str | None
    corrects: str | None


class _Shape(NamedTuple):
    usage: str
    model: str
    response_id: str


# Where a response keeps its usage, its model and its id; Gemini's differs, as object and as JSON.
_SHAPES = (
    _Shape("usage", "model", "id"),
    _Shape("usage_metadata", "model_version", "response_id"),
    _Shape("usageMetadata", "modelVersion", "responseId"),
)
_PROVIDERS: dict[str, str] = {"anthropic": "anthropic", "gemini": "google"}
_FORMATS: dict[str, UsageFormat] = {
    "anthropic": "anthropic",
    "google": "gemini",
    "gemini": "gemini",
    "openai": "openai_chat",
}
_ANTHROPIC_ONLY = {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"}
_RESPONSES_ONLY = {"input_tokens_details", "total_tokens"}

_FIELDS = frozenset(LlmCall.__struct_fields__)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LlmCall)
# Not the module's own generator: agents seed that one, and ids would repeat.
_random = random.Random(os.urandom(16))  # noqa: S311
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(16)))


def new_id() -> str:
    """A UUID of version 7: unique everywhere, and sorted by the time it was made."""
    milliseconds = time.time_ns() // 1_000_000
    noise = _random.getrandbits(74)
    bits = milliseconds << 80 | 0x7 << 76 | (noise >> 62) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def from_usage(event_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a call whose parts are given by name; `usage` is the provider's object or None.

    Raises UnusableCall, or whatever the usage object raises when it is read.
    """
    event = {name: value for name, value in given.items() if value is not None}
    provider = str(event.get("provider", ""))
    usage = event.get("usage")
    if usage is None:
        event["usage"] = {}
        event.setdefault("usage_source", "missing")
        event.setdefault("usage_format", _FORMATS.get(provider, "disjoint"))
    else:
        usage = plain(usage)
        event["usage"] = usage
        if "usage_format" not in event:
            event["usage_format"] = format_of(usage, provider)
    event["event_id"] = event_id
    event["occurred_at"] = _instant(event.get("occurred_at"))
    if "cost_reported" in event:
        event["cost_reported"] = _decimal_text(event["cost_reported"])
    return event


def from_response(event_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a whole response: Anthropic's, OpenAI's (both kinds) or Gemini's."""
    parts = dict(given)
    response = parts.pop("response")
    for shape in _SHAPES:
        usage, model = _get(response, shape.usage), _get(response, shape.model)
        if usage is not None or model is not None:
            break
    if model is None and not parts.get("model"):
        raise UnusableCall(f"A {type(response).__name__} does not name a model: use record_llm.")
    if usage is not None:
        usage = plain(usage)
        if "usage_format" not in parts:
            parts["usage_format"] = format_of(usage, str(parts.get("provider") or model))
    parts.setdefault("provider", _PROVIDERS.get(parts.get("usage_format", ""), "openai"))
    found = {
        "usage": usage,
        "model": model,
        "provider_request_id": _get(response, shape.response_id),
        "service_tier": _get(response, "service_tier"),
    }
    return from_usage(event_id, found | {name: v for name, v in parts.items() if v is not None})


def format_of(usage: Mapping[str, Any], hint: str = "") -> UsageFormat:
    """Whose usage this is, by its fields; `hint` (provider or model) settles what fits several.

    Raises UnusableCall when the fields are nobody's.
    """
    if any(name.startswith("gen_ai.") for name in usage):
        return "otel"
    if {"promptTokenCount", "prompt_token_count"} & usage.keys():
        return "gemini"
    if "prompt_tokens" in usage:
        return "openai_chat"
    if "input_uncached" in usage:
        return "disjoint"
    if "input_tokens" not in usage:
        raise UnusableCall(f"Unknown usage with fields {sorted(usage)[:8]}: say usage_format.")
    if _ANTHROPIC_ONLY & usage.keys():
        return "anthropic"
    if _RESPONSES_ONLY & usage.keys():
        return "openai_responses"
    is_anthropic = "anthropic" in hint or "claude" in hint
    return "anthropic" if is_anthropic else "openai_responses"


def plain(value: object) -> dict[str, Any]:
    """A usage object of any kind as a dict of its fields, under the provider's own names."""
    fields = msgspec.to_builtins(value, enc_hook=_fields_of, str_keys=True)
    if not isinstance(fields, dict):
        raise UnusableCall(f"A usage of type {type(value).__name__} has no fields.")
    return fields


def without_content(given: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of a call that failed: names and counts, never what was said in it."""
    kept = dict(given)
    response = kept.pop("response", None)
    if response is not None:
        kept["response_type"] = type(response).__name__
        with suppress(Exception):  # it may be why the call failed
            kept |= {name: _get(response, name) for shape in _SHAPES for name in shape}
    return {name: value for name, value in kept.items() if value is not None}


def encode(event: Mapping[str, Any]) -> bytes:
    """The event as it travels."""
    return _encoder.encode(event)


def complaint_about(event: Mapping[str, Any], encoded: bytes) -> str | None:
    """Why the meter will not record this event, if that can be seen from here."""
    if unknown := event.keys() - _FIELDS:
        return f"unknown details: {', '.join(sorted(unknown))}"
    try:
        _decoder.decode(encoded)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _fields_of(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if callable(dump):  # pydantic, which all the providers' libraries use
        return dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__dict__"):
        return {name: field for name, field in vars(value).items() if not name.startswith("_")}
    raise UnusableCall(f"A {type(value).__name__} in the usage cannot be read.")


def _get(response: object, name: str) -> Any:
    return response.get(name) if isinstance(response, Mapping) else getattr(response, name, None)


def _instant(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    return at if at.tzinfo else at.astimezone(UTC)


def _decimal_text(dollars: object) -> str:
    return f"{Decimal(str(dollars)):f}"

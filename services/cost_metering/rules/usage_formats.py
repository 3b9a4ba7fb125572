"""Reads the providers' own usage objects: who includes what in which count."""

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from services.cost_metering.rules import wire
from services.cost_metering.rules.counting import (
    NO_KINDS,
    NO_WRITES,
    Counts,
    Names,
    Tokens,
    Usage,
    Writes,
    is_complete,
    reasoning_exceeds,
    split_writes,
    take_apart,
    total_mismatch,
)
from services.cost_metering.rules.parking import Parked
from shared.contracts.usage import UsageFormat

# 10**9 tokens at the highest rate a rate card may hold still fit a BIGINT of pico-dollars.
MAX_CALL_TOKENS = 10**9

_CHAT: Final = Names("prompt_tokens", "completion_tokens", "total_tokens")
_RESPONSES: Final = Names("input_tokens", "output_tokens", "total_tokens")
_GEMINI: Final = Names("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
# A document's pages are priced as images.
_GEMINI_KINDS: Final = {"AUDIO": "audio", "DOCUMENT": "image", "IMAGE": "image", "VIDEO": "video"}
_OTEL: Final = Names(
    "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.total_tokens"
)


def read_usage(usage_format: UsageFormat, raw: bytes | msgspec.Raw) -> Usage | Parked | None:
    """Normalise a usage object; None when it holds none of its format's counts.

    Raises what decoding raises (`parking.UNREADABLE`).
    """
    decoders, normalise = _FORMATS[usage_format]
    for decoder in decoders:
        sent = decoder.decode(raw)
        usage = None if sent is None else normalise(sent)
        if usage is not None:
            return usage if isinstance(usage, Parked) else _bounded(usage)
    return None


def _bounded(usage: Usage) -> Usage | Parked:
    if usage.tokens.total <= MAX_CALL_TOKENS:
        return usage
    rule = f"{usage.tokens.total} tokens, more than the {MAX_CALL_TOKENS} of any call"
    return Parked("too_many_tokens", f"Field `usage` counts {rule}.")


def _disjoint(sent: wire.Disjoint) -> Usage | Parked | None:
    if sent.input_uncached is None and sent.output is None:
        return None
    tokens = Tokens(
        sent.input_uncached or 0,
        sent.cache_read or 0,
        sent.cache_write_5m or 0,
        sent.cache_write_1h or 0,
        sent.output or 0,
        sent.reasoning or 0,
    )
    if sent.total_tokens is not None and sent.total_tokens != tokens.total:
        return total_mismatch("total_tokens", sent.total_tokens, tokens.total)
    return Usage(tokens, complete=sent.input_uncached is not None and sent.output is not None)


def _anthropic(sent: wire.Anthropic) -> Usage | Parked | None:
    """`input_tokens` excludes the cache, `output_tokens` includes thinking."""
    if sent.input_tokens is None and sent.output_tokens is None:
        return None
    split = sent.cache_creation
    writes = split_writes(
        sent.cache_creation_input_tokens,
        split.ephemeral_5m_input_tokens if split else None,
        split.ephemeral_1h_input_tokens if split else None,
    )
    if isinstance(writes, Parked):
        return writes
    reads, output = sent.cache_read_input_tokens or 0, sent.output_tokens or 0
    details = sent.output_tokens_details
    thinking = (details.thinking_tokens if details else None) or 0
    if thinking > output:
        return reasoning_exceeds("output_tokens", thinking, output)
    complete = sent.input_tokens is not None and sent.output_tokens is not None
    if sent.iterations:
        # Compaction, advisor and fallback turns are billed beside the sums.
        complete = complete and all(turn.type == "message" for turn in sent.iterations)
    return Usage(
        Tokens(
            sent.input_tokens or 0, reads, writes.short, writes.long, output - thinking, thinking
        ),
        complete=complete,
        cache_ttl_known=writes.ttl_known,
        service_tier=sent.service_tier,
        speed=sent.speed,
        region=sent.inference_geo,
    )


def _openai_chat(sent: wire.OpenAIChat) -> Usage | Parked | None:
    """Prompt includes the cache and completion includes reasoning.

    xAI leaves reasoning out of the completion, which its total shows. DeepSeek and Moonshot
    name their cache reads at the top; Perplexity bills the reasoning and citations it names
    there beside its total, so such a usage is not complete.
    """
    inside, outside = sent.prompt_tokens_details, sent.completion_tokens_details
    writes = _openai_writes(inside)
    if isinstance(writes, Parked):
        return writes
    reads = (
        (inside.cached_tokens if inside else None)
        or sent.prompt_cache_hit_tokens
        or sent.cached_tokens
        or 0
    )
    reasoning = (outside.reasoning_tokens if outside else None) or 0
    completion = sent.completion_tokens
    if reasoning and completion is not None:
        beside_completion = (sent.prompt_tokens or 0) + completion + reasoning
        completion += reasoning if sent.total_tokens == beside_completion else 0
    counts = Counts(sent.prompt_tokens, completion, sent.total_tokens, reads, writes, reasoning)
    whole = not sent.citation_tokens and (bool(reasoning) or not sent.reasoning_tokens)
    return _usage(_CHAT, counts, _openai_kinds(inside, outside), whole=whole)


def _openai_responses(sent: wire.OpenAIResponses) -> Usage | Parked | None:
    """As chat, under other names."""
    inside, outside = sent.input_tokens_details, sent.output_tokens_details
    writes = _openai_writes(inside)
    if isinstance(writes, Parked):
        return writes
    reads = (inside.cached_tokens if inside else None) or 0
    reasoning = (outside.reasoning_tokens if outside else None) or 0
    counts = Counts(
        sent.input_tokens, sent.output_tokens, sent.total_tokens, reads, writes, reasoning
    )
    return _usage(_RESPONSES, counts, _openai_kinds(inside, outside))


def _gemini(sent: wire.Gemini | wire.GeminiSnake) -> Usage | Parked | None:
    """The prompt includes the cache; candidates exclude thoughts; tool results are input too.

    Google leaves counts of zero out, so only the prompt's has to be there.
    """
    if sent.prompt is None and sent.candidates is None and sent.total is None:
        return None
    thoughts = sent.thoughts or 0
    counts = Counts(
        None if sent.prompt is None else sent.prompt + (sent.tool_use or 0),
        (sent.candidates or 0) + thoughts,
        sent.total,
        sent.cached or 0,
        NO_WRITES,
        thoughts,
    )
    tier = sent.service_tier or sent.traffic_type
    return _usage(_GEMINI, counts, _gemini_kinds(sent), service_tier=tier)


def _otel(sent: wire.OTel) -> Usage | Parked | None:
    """Input includes the cache and output includes reasoning; there is no split of writes."""
    writes = split_writes(_first(sent.cache_creation, sent.old_cache_creation))
    if isinstance(writes, Parked):
        return writes
    counts = Counts(
        _first(sent.input_tokens, sent.old_input),
        _first(sent.output_tokens, sent.old_output),
        _first(sent.total_tokens, sent.old_total),
        _first(sent.cache_read, sent.old_cache_read) or 0,
        writes,
        _first(sent.reasoning, sent.old_reasoning) or 0,
    )
    return _usage(_OTEL, counts)


def _usage(
    names: Names,
    counts: Counts,
    other_kinds: frozenset[str] = NO_KINDS,
    *,
    whole: bool = True,
    service_tier: str | None = None,
) -> Usage | Parked | None:
    if counts.input is None and counts.output is None:
        return None
    tokens = take_apart(names, counts)
    if isinstance(tokens, Parked):
        return tokens
    return Usage(
        tokens,
        complete=whole and is_complete(counts),
        cache_ttl_known=counts.writes.ttl_known,
        other_kinds=other_kinds,
        service_tier=service_tier,
    )


def _openai_writes(inside: wire.OpenAIDetails | None) -> Writes | Parked:
    if inside is None:
        return NO_WRITES
    split = inside.cache_write_tokens_details
    if split is None:
        return split_writes(inside.cache_write_tokens)
    return split_writes(inside.cache_write_tokens, split.ttl_30m_tokens, split.ttl_12h_tokens)


def _openai_kinds(*details: wire.OpenAIDetails | None) -> frozenset[str]:
    kinds = NO_KINDS
    for side in details:
        if side is not None and side.audio_tokens:
            kinds |= {"audio"}
        if side is not None and side.image_tokens:
            kinds |= {"image"}
    return kinds


def _gemini_kinds(sent: wire.Gemini | wire.GeminiSnake) -> frozenset[str]:
    kinds = NO_KINDS
    for part in (*(sent.prompt_details or ()), *(sent.candidates_details or ())):
        if part.modality in _GEMINI_KINDS and part.token_count:
            kinds |= {_GEMINI_KINDS[part.modality]}
    return kinds


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


_Reader = tuple[tuple[msgspec.json.Decoder[Any], ...], Callable[[Any], Usage | Parked | None]]


def _reader(normalise: Callable[[Any], Usage | Parked | None], *forms: Any) -> _Reader:
    return tuple(msgspec.json.Decoder(cast("Any", form | None)) for form in forms), normalise


# The forms of one format are tried in turn until one of them holds its counts.
_FORMATS: Final[dict[str, _Reader]] = {
    "anthropic": _reader(_anthropic, wire.Anthropic),
    "disjoint": _reader(_disjoint, wire.Disjoint),
    "gemini": _reader(_gemini, wire.Gemini, wire.GeminiSnake),
    "openai_chat": _reader(_openai_chat, wire.OpenAIChat),
    "openai_responses": _reader(_openai_responses, wire.OpenAIResponses),
    "otel": _reader(_otel, wire.OTel),
}

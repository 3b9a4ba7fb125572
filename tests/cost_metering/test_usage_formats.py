"""Real-shaped usage objects of every provider become six disjoint counts."""

import pytest

from services.cost_metering.rules import MAX_CALL_TOKENS
from shared.contracts.usage import UsageFormat
from tests.cost_metering.pricing_examples import refused_usage, tokens, usage_of

ANTHROPIC = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 12_403,
    "cache_read_input_tokens": 21_181,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_358, "ephemeral_1h_input_tokens": 11_045},
    "output_tokens": 5_226,
    "output_tokens_details": {"thinking_tokens": 4_000},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "not_available",
    "speed": "standard",
    "iterations": [{"type": "message", "input_tokens": 3, "output_tokens": 5_226}],
}
OPENAI_CHAT = {
    "prompt_tokens": 10_120,
    "completion_tokens": 4_308,
    "total_tokens": 14_428,
    "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 2_809,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
OPENAI_RESPONSES = {
    "input_tokens": 5_000,
    "input_tokens_details": {
        "cached_tokens": 1_000,
        "cache_write_tokens": 700,
        "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 200},
    },
    "output_tokens": 900,
    "output_tokens_details": {"reasoning_tokens": 640},
    "total_tokens": 5_900,
}
GEMINI = {
    "promptTokenCount": 2_000,
    "cachedContentTokenCount": 1_500,
    "candidatesTokenCount": 300,
    "thoughtsTokenCount": 700,
    "toolUsePromptTokenCount": 50,
    "totalTokenCount": 3_050,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2_000}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 300}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1_500}],
    "trafficType": "ON_DEMAND",
}
OTEL = {
    "gen_ai.usage.input_tokens": 1_200,
    "gen_ai.usage.cache_read.input_tokens": 800,
    "gen_ai.usage.cache_creation.input_tokens": 100,
    "gen_ai.usage.output_tokens": 350,
    "gen_ai.usage.reasoning.output_tokens": 200,
    "gen_ai.response.id": "chatcmpl-1",
}
OPENLLMETRY = {
    "gen_ai.usage.prompt_tokens": 1_200,
    "gen_ai.usage.cache_read_input_tokens": 800,
    "gen_ai.usage.cache_creation_input_tokens": 100,
    "gen_ai.usage.completion_tokens": 350,
    "gen_ai.usage.reasoning_tokens": 200,
    "llm.usage.total_tokens": 1_550,
}


def test_anthropic_input_excludes_the_cache_and_output_includes_thinking() -> None:
    usage = usage_of("anthropic", **ANTHROPIC)
    assert usage.tokens == tokens(3, 21_181, 1_358, 11_045, 1_226, 4_000)
    assert usage.complete
    assert usage.cache_ttl_known


def test_anthropic_nulls_and_absent_details_count_as_nothing() -> None:
    usage = usage_of(
        "anthropic",
        input_tokens=10,
        output_tokens=5,
        cache_creation=None,
        cache_read_input_tokens=None,
        cache_creation_input_tokens=None,
        iterations=None,
        server_tool_use=None,
        service_tier=None,
    )
    assert usage.tokens == tokens(uncached=10, text=5)
    assert usage.complete
    assert usage.cache_ttl_known


def test_anthropic_cache_writes_without_a_split_are_short_and_say_so() -> None:
    usage = usage_of("anthropic", input_tokens=1, output_tokens=1, cache_creation_input_tokens=500)
    assert usage.tokens.cache_write_5m == 500
    assert not usage.cache_ttl_known


def test_anthropic_cache_writes_that_do_not_add_up_are_parked() -> None:
    refused = refused_usage("anthropic", **(ANTHROPIC | {"cache_creation_input_tokens": 1}))
    assert refused.reason == "ambiguous_cache_writes"
    assert refused.detail == (
        "Field `usage`: cache writes (1) are not the sum of their times to live (12403)."
    )


def test_a_stream_event_without_its_input_is_incomplete() -> None:
    usage = usage_of("anthropic", input_tokens=None, output_tokens=15)
    assert usage.tokens == tokens(text=15)
    assert not usage.complete


def test_an_anthropic_compaction_is_billed_beside_the_sums_so_they_are_incomplete() -> None:
    turns = [{"type": "compaction", "input_tokens": 90_000}, {"type": "message"}]
    assert not usage_of("anthropic", **(ANTHROPIC | {"iterations": turns})).complete


def test_openai_chat_prompt_includes_the_cache_and_completion_the_reasoning() -> None:
    usage = usage_of("openai_chat", **OPENAI_CHAT)
    assert usage.tokens == tokens(9_992, 128, 0, 0, 1_499, 2_809)
    assert usage.complete


def test_xai_leaves_reasoning_out_of_the_completion_and_its_total_shows_it() -> None:
    counts = OPENAI_CHAT | {"completion_tokens": 1_499}
    usage = usage_of("openai_chat", **counts)
    assert usage.tokens == tokens(9_992, 128, 0, 0, 1_499, 2_809)
    assert usage.tokens.total == counts["total_tokens"]


def test_embeddings_have_no_completion_and_their_total_vouches_for_that() -> None:
    usage = usage_of("openai_chat", prompt_tokens=9, total_tokens=9)
    assert usage.tokens == tokens(uncached=9)
    assert usage.complete


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "cached_tokens"])
def test_cache_reads_named_at_the_top_are_read_too(name: str) -> None:
    usage = usage_of(
        "openai_chat", prompt_tokens=100, completion_tokens=1, total_tokens=101, **{name: 64}
    )
    assert usage.tokens == tokens(uncached=36, read=64, text=1)


def test_perplexity_bills_citations_beside_its_total_so_the_usage_is_incomplete() -> None:
    usage = usage_of(
        "openai_chat",
        prompt_tokens=33,
        completion_tokens=7_163,
        total_tokens=7_196,
        citation_tokens=20_016,
        reasoning_tokens=73_997,
    )
    assert not usage.complete


def test_openai_responses_split_cache_writes_into_short_and_long_ones() -> None:
    usage = usage_of("openai_responses", **OPENAI_RESPONSES)
    assert usage.tokens == tokens(3_300, 1_000, 500, 200, 260, 640)


def test_gemini_candidates_exclude_thoughts_and_tool_results_are_input() -> None:
    usage = usage_of("gemini", **GEMINI)
    assert usage.tokens == tokens(550, 1_500, 0, 0, 300, 700)
    assert usage.tokens.total == GEMINI["totalTokenCount"]
    assert usage.service_tier == "ON_DEMAND"


def test_gemini_leaves_zeros_out() -> None:
    usage = usage_of("gemini", promptTokenCount=12, totalTokenCount=12)
    assert usage.tokens == tokens(uncached=12)
    assert usage.complete


def test_gemini_as_googles_python_client_dumps_it() -> None:
    usage = usage_of(
        "gemini",
        prompt_token_count=100,
        cached_content_token_count=None,
        candidates_token_count=20,
        thoughts_token_count=30,
        total_token_count=150,
        prompt_tokens_details=[{"modality": "AUDIO", "token_count": 40}],
    )
    assert usage.tokens == tokens(uncached=100, text=20, thought=30)
    assert usage.other_kinds == {"audio"}


@pytest.mark.parametrize("attributes", [OTEL, OPENLLMETRY], ids=["current", "openllmetry"])
def test_otel_parents_include_their_parts_under_both_namings(attributes: dict[str, int]) -> None:
    usage = usage_of("otel", **attributes)
    assert usage.tokens == tokens(300, 800, 100, 0, 150, 200)
    assert usage.complete
    assert not usage.cache_ttl_known


def test_disjoint_counts_are_taken_as_they_are() -> None:
    usage = usage_of(
        "disjoint",
        input_uncached=1,
        cache_read=2,
        cache_write_5m=3,
        cache_write_1h=4,
        output=5,
        reasoning=600,
        total_tokens=615,
    )
    assert usage.tokens == tokens(1, 2, 3, 4, 5, 600)


@pytest.mark.parametrize(
    ("usage_format", "counts"),
    [
        ("openai_chat", OPENAI_CHAT | {"total_tokens": 14_427}),
        ("openai_responses", OPENAI_RESPONSES | {"total_tokens": 6_600}),
        ("gemini", GEMINI | {"totalTokenCount": 2_300}),
        ("otel", OPENLLMETRY | {"llm.usage.total_tokens": 2_450}),
        ("disjoint", {"input_uncached": 1, "output": 1, "total_tokens": 3}),
    ],
)
def test_a_total_that_its_parts_contradict_is_parked(
    usage_format: UsageFormat, counts: dict[str, int]
) -> None:
    assert refused_usage(usage_format, **counts).reason == "total_mismatch"


@pytest.mark.parametrize(
    ("usage_format", "counts"),
    [
        ("openai_chat", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}),
        ("openai_responses", {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 6}}),
        ("gemini", {"promptTokenCount": 5, "cachedContentTokenCount": 6}),
        ("otel", {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 6}),
    ],
)
def test_more_cache_than_input_is_parked(usage_format: UsageFormat, counts: dict[str, int]) -> None:
    refused = refused_usage(usage_format, **counts)
    assert refused.reason == "cache_exceeds_input"
    assert refused.detail.endswith("which includes them.")


@pytest.mark.parametrize(
    ("usage_format", "counts"),
    [
        (
            "anthropic",
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        ),
        (
            "openai_responses",
            {"output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 2}},
        ),
        (
            "otel",
            {"gen_ai.usage.output_tokens": 1, "gen_ai.usage.reasoning.output_tokens": 2},
        ),
    ],
)
def test_more_reasoning_than_output_is_parked(
    usage_format: UsageFormat, counts: dict[str, int]
) -> None:
    assert refused_usage(usage_format, **counts).reason == "reasoning_exceeds_output"


def test_a_call_larger_than_any_model_allows_is_parked() -> None:
    refused = refused_usage("disjoint", input_uncached=MAX_CALL_TOKENS, output=1)
    assert refused.reason == "too_many_tokens"


def test_audio_and_image_tokens_are_noticed() -> None:
    chat = OPENAI_CHAT | {"prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 7}}
    assert usage_of("openai_chat", **chat).other_kinds == {"audio"}
    parts = [{"modality": "IMAGE", "tokenCount": 258}, {"modality": "VIDEO", "tokenCount": 0}]
    assert usage_of("gemini", **(GEMINI | {"promptTokensDetails": parts})).other_kinds == {"image"}

"""Ten complaints that users of other meters filed, each shown not to happen here.

The issues are named in each test. What is kept once per event id, and budgets, are the store's
and the account's to prove; here stand the parts of those complaints that decoding and pricing own.
"""

import json
from itertools import pairwise
from typing import Any

from services.cost_metering.rules import Call, Tokens
from tests.cost_metering.pricing_examples import (
    a_call,
    an_event,
    decoded,
    parked,
    priced,
    tokens,
    usage_of,
)

SONNET: dict[str, Any] = {"provider": "anthropic", "model": "claude-sonnet-4-5"}


def dollars(prompt: int | None, completion: int | None) -> str:
    return f"{((prompt or 0) + (completion or 0)) / 10**12:.8f}"


def test_1_cached_tokens_are_not_billed_twice() -> None:
    """litellm 9812, 11364: inclusive and exclusive input mixed up. The same call, five ways."""
    counts = [
        usage_of(
            "anthropic",
            input_tokens=100,
            cache_read_input_tokens=9_000,
            cache_creation={"ephemeral_5m_input_tokens": 900, "ephemeral_1h_input_tokens": 0},
            cache_creation_input_tokens=900,
            output_tokens=50,
        ),
        usage_of(
            "openai_chat",
            prompt_tokens=10_000,
            completion_tokens=50,
            prompt_tokens_details={"cached_tokens": 9_000, "cache_write_tokens": 900},
        ),
        usage_of(
            "openai_responses",
            input_tokens=10_000,
            output_tokens=50,
            input_tokens_details={"cached_tokens": 9_000, "cache_write_tokens": 900},
        ),
        usage_of(
            "otel",
            **{
                "gen_ai.usage.input_tokens": 10_000,
                "gen_ai.usage.cache_read.input_tokens": 9_000,
                "gen_ai.usage.cache_creation.input_tokens": 900,
                "gen_ai.usage.output_tokens": 50,
            },
        ),
        usage_of("disjoint", input_uncached=100, cache_read=9_000, cache_write_5m=900, output=50),
    ]
    assert {str(usage.tokens) for usage in counts} == {str(tokens(100, 9_000, 900, 0, 50))}


def test_2_the_same_response_counted_again_is_the_same_call() -> None:
    """litellm 15740, ClaudeBar 207: a reading does not depend on how often it is read."""
    raw = an_event(provider_request_id="msg_01")
    assert decoded(raw) == decoded(raw)


def test_3_the_first_snapshot_of_a_stream_is_not_taken_for_the_usage() -> None:
    """ccusage 888: a `message_start` says output 1; only what is final is published, and the
    cumulative `message_delta` replaces the snapshot instead of adding to it."""
    start = {"input_tokens": 472, "output_tokens": 2, "cache_read_input_tokens": 0}
    final = usage_of("anthropic", **(start | {"output_tokens": 2_048}))
    assert final.tokens == tokens(uncached=472, text=2_048)


def test_4_a_stream_without_usage_is_a_visible_state_not_zero_dollars() -> None:
    """litellm 6633: streamed spend of $0."""
    price = priced(usage_source="missing", usage=None)
    assert price.suspect_reason == "usage_missing"
    assert parked(usage={}).reason == "no_usage"


def test_5_a_cancelled_stream_is_billed_for_what_it_used() -> None:
    """litellm 33736 and 37992: neither dropped nor replaced by an estimate."""
    finished = priced(outcome="succeeded")
    assert priced(outcome="cancelled") == finished
    assert priced(outcome="failed", usage={"input_uncached": 7, "output": 0}).prompt_picousd == (
        7 * 2_500_000
    )


def test_6_one_hour_cache_writes_are_not_billed_at_the_five_minute_rate() -> None:
    """claude-powerline 104: 16.5% too little."""
    short = priced(usage={"input_uncached": 0, "cache_write_5m": 10**6, "output": 0}, **SONNET)
    long = priced(usage={"input_uncached": 0, "cache_write_1h": 10**6, "output": 0}, **SONNET)
    # One million tokens reach the tier above 200,000.
    assert dollars(short.prompt_picousd, 0) == "7.50000000"
    assert dollars(long.prompt_picousd, 0) == "12.00000000"
    unsplit = {"input_tokens": 1, "cache_creation_input_tokens": 500, "output_tokens": 1}
    doubtful = priced(usage_format="anthropic", usage=unsplit, **SONNET)
    assert doubtful.suspect_reason == "unknown_cache_ttl"


def test_7_geminis_thoughts_are_billed() -> None:
    """deepeval 2943: thoughts are not among the candidates."""
    usage = {
        "promptTokenCount": 1_000,
        "candidatesTokenCount": 100,
        "thoughtsTokenCount": 900,
        "totalTokenCount": 2_000,
    }
    google: dict[str, Any] = {
        "provider": "google",
        "model": "gemini-2.5-pro",
        "usage_format": "gemini",
    }
    assert priced(usage=usage, **google).completion_picousd == 1_000 * 10_000_000


def test_8_an_unknown_model_is_not_free() -> None:
    """voidllm 181: unset, free and zero are three things."""
    unknown = priced(model="gpt-9-ultra")
    free = priced(provider="openrouter", model="openai/gpt-oss-20b:free")
    nothing = priced(usage={"input_uncached": 0, "output": 0})
    assert [unknown.status, free.status, nothing.status] == ["unpriced", "free", "priced"]
    assert unknown.prompt_picousd is None
    # A model that was retired keeps its price.
    assert priced(provider="anthropic", model="claude-opus-4-1-20250805").status == "priced"


def test_9_a_cost_never_falls_when_more_is_used() -> None:
    """gbrain 4365: budgets were overshot; the larger call is never the cheaper one, cliffs too."""
    sizes = [0, 1, 199_999, 200_000, 200_001, 272_000, 272_001, 10**6]
    for provider, model in [("openai", "gpt-5.4"), ("google", "gemini-2.5-pro")]:
        costs = [
            priced(provider=provider, model=model, usage={"input_uncached": size, "output": 10})
            for size in sizes
        ]
        totals = [(cost.prompt_picousd or 0) + (cost.completion_picousd or 0) for cost in costs]
        assert all(less < more for less, more in pairwise(totals))


def test_10_a_million_costs_sum_without_drift() -> None:
    """litellm 8867, otari 691 (0.6619999999999999): integers, so the sum is the sum."""
    call = a_call(model="gpt-4o-mini", usage={"input_uncached": 7, "output": 3})
    price = priced(model="gpt-4o-mini", usage={"input_uncached": 7, "output": 3})
    assert isinstance(call, Call)
    one = (price.prompt_picousd or 0) + (price.completion_picousd or 0)
    assert one == 7 * 150_000 + 3 * 600_000
    assert sum([one] * 10**6) == one * 10**6
    assert isinstance(one, int)
    total = priced(model="gpt-4o-mini", usage={"input_uncached": 7 * 10**6, "output": 3 * 10**6})
    assert (total.prompt_picousd or 0) + (total.completion_picousd or 0) == one * 10**6


def test_fees_for_tools_are_not_part_of_a_tokens_cost() -> None:
    """The library's total is not its input plus output when searches were made; ours is."""
    usage = {"input_tokens": 1_000, "output_tokens": 100}
    searched = usage | {"server_tool_use": {"web_search_requests": 5}}
    plain = priced(usage_format="anthropic", usage=usage, **SONNET)
    assert priced(usage_format="anthropic", usage=searched, **SONNET) == plain


def test_counts_survive_the_road_through_json() -> None:
    """Whole numbers up to a billion arrive as they were sent."""
    counts = {"input_uncached": 999_999_999, "output": 1}
    call = decoded(json.dumps(json.loads(an_event(usage=counts))).encode())
    assert isinstance(call, Call)
    assert call.tokens == Tokens(999_999_999, 0, 0, 0, 1, 0)

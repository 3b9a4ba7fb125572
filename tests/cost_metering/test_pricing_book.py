"""Which price applies: dates, hours, price lists, providers' names, overrides, and none at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from services.cost_metering.pricebook import PriceBook, RateCard, cost, refuse_override
from services.cost_metering.rules import PriceContext
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import PriceOverride, SetPriceOverride, TokenRates
from tests.cost_metering.pricing_examples import BOOK, NOW, an_override, priced, tokens

ONE_OF_EACH = tokens(1, 1, 1, 1, 1, 1)


def card(
    model: str,
    provider: str = "openai",
    context: PriceContext = "standard",
    at: datetime = NOW,
    book: PriceBook = BOOK,
    organization_id: str | None = "acme",
) -> RateCard:
    found = book.card_for(provider, model, context, at, organization_id)
    assert found is not None
    return found


def input_rate(*arguments: Any, **named: Any) -> int:
    return cost(card(*arguments, **named), tokens(uncached=1))[0]


def test_the_day_of_the_call_selects_the_price_not_the_day_of_receipt() -> None:
    before = datetime(2025, 6, 9, 23, 59, 59, 999_999, tzinfo=UTC)
    assert input_rate("o3", at=before) == 10_000_000
    assert input_rate("o3", at=before + timedelta(microseconds=1)) == 2_000_000


def test_a_price_announced_for_later_does_not_apply_yet() -> None:
    tiered = card("claude-opus-4-6", "anthropic", at=datetime(2026, 3, 12, 23, tzinfo=UTC))
    assert len(tiered.tiers) == 2
    assert (
        len(card("claude-opus-4-6", "anthropic", at=datetime(2026, 3, 13, tzinfo=UTC)).tiers) == 1
    )


def test_prices_by_the_hour_change_at_the_microsecond() -> None:
    """DeepSeek's off-peak hours, against the library, around every bound of three days."""
    providers = {each.id: each for each in get_snapshot().providers}
    chat: Any = providers["deepseek"].find_model("deepseek-v4-flash")
    instants = [
        datetime(year, month, 20, hour, tzinfo=UTC) + timedelta(microseconds=shift)
        for year, month in ((2025, 3), (2026, 9), (2026, 11))
        for hour in range(24)
        for shift in (-1, 0, 1)
    ]
    rates = {
        at: cost(card("deepseek-v4-flash", "deepseek", at=at), tokens(uncached=10**6))[0]
        for at in instants
    }
    for at, picousd in rates.items():
        assert picousd == chat.get_prices(at).input_mtok * 10**12
    assert len(set(rates.values())) > 1


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    at = datetime.fromisoformat("2025-06-09T20:00:00-05:00")
    assert input_rate("o3", at=at) == 2_000_000


@pytest.mark.parametrize(
    ("context", "picousd"),
    [
        ("standard", 2_500_000),
        ("batch", 1_250_000),
        ("flex", 1_250_000),
        ("priority", 5_000_000),
        ("fast", 5_000_000),
    ],
)
def test_each_price_list_has_its_own_rates(context: PriceContext, picousd: int) -> None:
    found = card("gpt-5.4", context=context)
    assert found.context == context
    assert input_rate("gpt-5.4", context=context) == picousd


@pytest.mark.parametrize(
    "changes",
    [
        # DeepSeek sells no batches; Claude's batches on Vertex, and any before they were listed,
        # have prices that the book does not know.
        {"provider": "deepseek", "model": "deepseek-chat", "batch": True},
        {"provider": "vertex_ai", "model": "claude-sonnet-4-5", "batch": True},
        {"model": "gpt-4o", "batch": True, "occurred_at": "2026-10-01T00:00:00Z"},
        {"model": "gpt-4o", "service_tier": "flex"},
    ],
)
def test_a_price_list_the_book_does_not_have_is_marked_not_assumed(changes: dict[str, Any]) -> None:
    price = priced(**changes)
    assert price.status == "priced"
    assert price.suspect_reason == "no_price_for_context"
    assert price.rate_card is not None
    assert price.rate_card.context == "standard"


def test_a_doubt_about_the_call_goes_before_one_about_its_price() -> None:
    assert priced(service_tier="scale").suspect_reason == "unknown_service_tier"
    assert priced(service_tier="scale", usage_source="estimated").suspect_reason == (
        "usage_estimated"
    )


def test_an_unpriced_call_keeps_its_doubt_until_a_price_is_found() -> None:
    price = priced(model="gpt-9-ultra", service_tier="scale")
    assert (price.status, price.suspect_reason) == ("unpriced", "unknown_service_tier")


def test_long_cache_writes_without_a_rate_of_their_own_are_marked() -> None:
    usage = {"input_uncached": 0, "cache_write_1h": 10, "output": 1}
    assert priced(model="gpt-6-sol", usage=usage).suspect_reason == "no_rate_for_long_cache"
    claude = priced(provider="anthropic", model="claude-sonnet-4-5", usage=usage)
    assert claude.suspect_reason is None


def test_audio_is_marked_where_it_costs_more_than_text() -> None:
    parts = [{"modality": "AUDIO", "tokenCount": 40}]
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 1, "promptTokensDetails": parts}

    def spoken_to(model: str) -> str | None:
        call = priced(provider="google", model=model, usage_format="gemini", usage=usage)
        return call.suspect_reason

    assert spoken_to("gemini-2.5-flash") == "no_rate_for_kind"
    assert spoken_to("gemini-2.5-pro") is None


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("OpenAI", "GPT-4o", "openai/gpt-4o"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("vertex_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.gemini", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gemini", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("xai", "grok-4", "x-ai/grok-4-0709"),
        ("azure_openai", "gpt-4o", "azure/gpt-4o"),
        ("litellm", "openai/gpt-4o", "openai/gpt-4o"),
        ("litellm", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
    ],
)
def test_a_provider_is_known_by_its_other_names(
    provider: str, model: str, found: str | None
) -> None:
    listed = card(model, provider)
    expected = found or "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert f"{listed.provider}/{listed.model}" == expected


def test_fireworks_is_found_under_the_name_that_litellm_gives_it() -> None:
    fireworks = next(each for each in get_snapshot().providers if each.id == "fireworks")
    model = f"accounts/fireworks/models/{fireworks.models[0].id}"
    assert card(model, "fireworks_ai") == card(model, "fireworks")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-9-ultra"),
        ("ollama", "llama3"),
        ("openai-compatible", "gpt-4o"),
        ("openai_like", "gpt-4o"),
        ("local-openai", "gpt-4o"),
        ("hosted_vllm", "gpt-4o"),
        ("litellm", "ollama/llama3"),
        ("litellm", "gpt-4o"),
        ("my-proxy", "gpt-4o"),
        ("", ""),
        # Priced by the page and by the minute, not by the token.
        ("mistral", "mistral-ocr-2512"),
        ("groq", "whisper-large-v3"),
        # Listed once, without any price today.
        ("cerebras", "qwen-3-coder-480b"),
    ],
)
def test_a_model_without_a_price_is_unpriced(provider: str, model: str) -> None:
    assert BOOK.card_for(provider, model, "standard", NOW, "acme") is None


def test_unpriced_is_no_cost_and_free_is_a_cost_of_zero() -> None:
    unpriced = priced(model="gpt-9-ultra")
    assert (unpriced.status, unpriced.rate_card) == ("unpriced", None)
    assert (unpriced.prompt_picousd, unpriced.completion_picousd) == (None, None)
    free = priced(provider="openrouter", model="openai/gpt-oss-20b:free")
    assert free.status == "free"
    assert (free.prompt_picousd, free.completion_picousd) == (0, 0)
    assert free.rate_card is not None


def test_an_override_prices_what_the_book_does_not_know() -> None:
    book = PriceBook([an_override()])
    price = priced(book, provider="Ollama", model="House-Model")
    assert price.status == "priced"
    assert (price.prompt_picousd, price.completion_picousd) == (2_000_000_000, 2_000_000_000)
    assert price.rate_card is not None
    assert price.rate_card.source == "override o-1"
    assert book.card_for("ollama", "house-model-2", "standard", NOW, "acme") is None


def test_an_override_of_zero_makes_a_model_free() -> None:
    book = PriceBook([an_override(rates=TokenRates(input="0", output="0.000000"))])
    assert priced(book, provider="ollama", model="house-model").status == "free"


def test_missing_rates_of_an_override_follow_the_others() -> None:
    def rates(**given: str) -> tuple[int, ...]:
        override = an_override(rates=TokenRates(input="3", output="15", **given))
        return tuple(card("house-model", "ollama", book=PriceBook([override])).tiers[0].rates)

    assert rates() == (3_000_000, 3_000_000, 3_000_000, 3_000_000, 15_000_000, 15_000_000)
    assert rates(cache_write_5m="3.75") == (
        3_000_000, 3_000_000, 3_750_000, 3_750_000, 15_000_000, 15_000_000,
    )  # fmt: skip
    assert rates(
        cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6", reasoning="0.000001"
    ) == (3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000, 1)


def costing(dollars: int, **changes: Any) -> PriceOverride:
    rates = TokenRates(input=str(dollars), output="0")
    return an_override(override_id=f"o-{dollars}", provider="openai", rates=rates, **changes)


def test_the_most_specific_override_wins_then_the_latest() -> None:
    later = datetime(2026, 6, 1, tzinfo=UTC)
    overrides = [
        costing(11, model="gpt-", match="prefix"),
        costing(12, model="gpt-4", match="prefix"),
        costing(13, model="gpt-4o"),
        costing(14, model="gpt-4o", effective_from=later),
        costing(15, model="gpt-", match="prefix", organization_id="globex"),
    ]
    for book in (PriceBook(overrides), PriceBook(overrides[::-1])):
        before = later - timedelta(microseconds=1)
        assert input_rate("gpt-4o", book=book) == 14_000_000
        assert input_rate("gpt-4o", book=book, at=before) == 13_000_000
        assert input_rate("gpt-4.1", book=book) == 12_000_000
        assert input_rate("gpt-5", book=book) == 11_000_000
        assert input_rate("gpt-4o", book=book, organization_id="globex") == 15_000_000
        assert input_rate("o3", book=book) == 2_000_000


def test_an_override_begins_and_ends_at_its_instant() -> None:
    starts, ends = datetime(2026, 11, 20, 9, 30, tzinfo=UTC), datetime(2026, 11, 20, 17, tzinfo=UTC)
    book = PriceBook([costing(1, model="gpt-4o", effective_from=starts, effective_to=ends)])
    tick = timedelta(microseconds=1)
    for at, picousd in [
        (starts - tick, 2_500_000),
        (starts, 1_000_000),
        (ends - tick, 1_000_000),
        (ends, 2_500_000),
        (ends + timedelta(days=1), 2_500_000),
    ]:
        assert input_rate("gpt-4o", book=book, at=at) == picousd


def test_an_override_is_the_price_on_every_price_list_and_beyond_doubt() -> None:
    book = PriceBook([costing(1, model="gpt-4o")])
    for changes in ({"batch": True}, {"service_tier": "scale"}, {"region": "eu"}):
        price = priced(book, **changes)
        assert price.prompt_picousd == 1_000_000_000
        assert price.suspect_reason is None


def test_an_override_under_a_providers_other_name_is_the_same() -> None:
    book = PriceBook([an_override(provider="gcp.gemini", model="gemini-2.5-pro")])
    assert input_rate("gemini-2.5-pro", "vertex_ai", book=book) == 2_000_000


def asked(**changes: Any) -> SetPriceOverride:
    request: dict[str, Any] = {
        "provider": "ollama",
        "model": "house-model",
        "rates": TokenRates(input="2", output="4"),
        "reason": "our own servers",
        "requested_by": "operator",
    }
    return SetPriceOverride(**(request | changes))


def test_an_override_that_can_be_kept_is_not_refused() -> None:
    rates = TokenRates(input="0.083333", output="9000", cache_read="0")
    assert refuse_override(asked(rates=rates)) is None
    assert refuse_override(asked(effective_from=NOW, effective_to=NOW + timedelta(1))) is None


@pytest.mark.parametrize(
    "rate", ["0.0000001", "9000.000001", "-1", "1e3", "NaN", "", ".5", "1,5", "１", "1" * 400]
)
def test_a_rate_that_is_no_whole_number_of_picodollars_is_refused(rate: str) -> None:
    refusal = refuse_override(asked(rates=TokenRates(input="1", output=rate)))
    assert refusal == Refusal(
        code="invalid_rate",
        detail=(
            "Field `rates.output` must be US dollars per million tokens, from 0 to 9000 with at "
            "most 6 decimals, so that it is a whole number of pico-dollars per token."
        ),
        status=422,
    )


def test_an_optional_rate_is_checked_too() -> None:
    refusal = refuse_override(asked(rates=TokenRates(input="1", output="1", cache_read="")))
    assert refusal is not None
    assert "`rates.cache_read`" in refusal.detail


def test_an_override_that_ends_before_it_begins_is_refused() -> None:
    refusal = refuse_override(asked(effective_from=NOW, effective_to=NOW))
    assert refusal is not None
    assert refusal.detail == "`effective_to` must be later than `effective_from`."
    naive = refuse_override(asked(effective_from=NOW.replace(tzinfo=None)))
    assert naive is not None
    assert naive.code == "invalid_time"


def test_what_is_remembered_has_a_limit_and_forgets_the_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searches: list[str] = []

    def find(provider: str, model: str) -> None:
        searches.append(f"{provider}/{model}")

    monkeypatch.setattr("services.cost_metering.pricebook.book.find_model", find)
    book = PriceBook(remember=100)
    for number in range(10_000):
        book.card_for("openai", f"invented-{number}", "standard", NOW, None)
        book.card_for("openai", "asked-for-again", "standard", NOW, None)
    assert len(book._days._young) + len(book._days._old) <= 200
    assert len(book._named._young) + len(book._named._old) <= 200
    # Misses are remembered as well as hits.
    assert searches.count("openai/asked-for-again") == 1

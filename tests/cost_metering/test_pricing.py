"""Prices are exact: the agreed cases, the library over all of its models, and the cliffs."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot

from services.cost_metering.pricebook import MAX_RATE_PICOUSD, RateCard, cost
from services.cost_metering.pricebook.list_prices import ListedModel, card_at
from services.cost_metering.rules import MAX_CALL_TOKENS, PriceContext, Tokens
from shared.money import PICOUSD_PER_USD
from tests.cost_metering.pricing_examples import BOOK, CASES, priced, tokens

DATES = [
    datetime(2024, 12, 24, 3, 15, tzinfo=UTC),
    datetime(2025, 6, 11, 0, 12, tzinfo=UTC),
    datetime(2026, 3, 13, tzinfo=UTC),
    datetime(2026, 10, 13, 17, 45, tzinfo=UTC),
    datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
]
CONTEXTS: dict[PriceContext, dict[str, str]] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}


def context_of(case: dict[str, Any]) -> dict[str, Any]:
    """A case's price context as fields of an event."""
    context = dict(case["price_context"])
    return {"batch": context.pop("processing", None) == "batch"} | context


def expected_picousd(case: dict[str, Any]) -> tuple[int, int] | None:
    expected = case["expected"]
    if expected["status"] == "unpriced":
        return None
    prompt, completion = (
        int(Decimal(expected[f"{part}_cost"]) * PICOUSD_PER_USD)
        for part in ("prompt", "completion")
    )
    assert prompt + completion == expected["total_pico_usd"]
    return prompt, completion


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_an_agreed_case_is_exact_from_its_event(case: dict[str, Any]) -> None:
    price = priced(
        provider=case["provider"],
        model=case["model"],
        occurred_at=case["occurred_at"],
        usage=case["tokens"],
        **context_of(case),
    )
    assert price.status == case["expected"]["status"]
    exact = expected_picousd(case)
    assert (price.prompt_picousd, price.completion_picousd) == (exact or (None, None))
    if price.rate_card is not None:
        assert f"{price.rate_card.provider}/{price.rate_card.model}" == case["matched_model"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_an_agreed_case_is_exact_from_its_rate_card(case: dict[str, Any]) -> None:
    at = datetime.fromisoformat(case["occurred_at"])
    context: PriceContext = next(
        name for name, wanted in CONTEXTS.items() if wanted == case["price_context"]
    )
    card = BOOK.card_for(case["provider"], case["model"], context, at, "acme")
    counts = Tokens(*case["tokens"].values())
    assert counts.prompt == case["prompt_tokens"]
    assert counts.completion == case["completion_tokens"]
    assert (card and cost(card, counts)) == expected_picousd(case)


def library_picousd(
    model: ListedModel, counts: Tokens, at: datetime, context: PriceContext
) -> tuple[Decimal, Decimal]:
    """What genai-prices itself says, without its fees for tools and requests."""
    usage = genai_prices.Usage(
        input_tokens=counts.prompt,
        cache_read_tokens=counts.cache_read,
        cache_write_tokens=counts.cache_write_5m + counts.cache_write_1h,
        cache_write_5m_tokens=counts.cache_write_5m,
        cache_write_1h_tokens=counts.cache_write_1h,
        output_tokens=counts.completion,
        output_reasoning_tokens=counts.output_reasoning,
    )
    seller = next(each for each in get_snapshot().providers if each.id == model.provider)
    price = model.info.calc_price(
        usage, seller, genai_request_timestamp=at, price_context=CONTEXTS[context]
    )
    return price.input_price * PICOUSD_PER_USD, price.output_price * PICOUSD_PER_USD


def agrees(card: RateCard | None, counts: Tokens, expected: tuple[Decimal, Decimal]) -> bool:
    """Equal, or rounded to whole pico-dollars per token and marked as such."""
    if card is None:
        return not any(expected)
    slack = 0 if card.exact else counts.total
    ours = cost(card, counts)
    return all(abs(our - exact) <= slack for our, exact in zip(ours, expected, strict=True))


def test_every_model_date_and_price_list_costs_what_the_library_says() -> None:
    chance = random.Random(20261122)
    compared = inexact = unpriced = 0
    for seller in get_snapshot().providers:
        for info in seller.models:
            model = ListedModel(seller.id, info, borrowed=False)
            for at in DATES:
                for context in CONTEXTS:
                    size = chance.choice([1_000, 60_000, 400_000])
                    counts = Tokens(*(chance.randrange(size) for _ in Tokens.__struct_fields__))
                    card = card_at(model, context, at)
                    expected = library_picousd(model, counts, at, context)
                    assert agrees(card, counts, expected), (seller.id, info.id, at, context)
                    compared += 1
                    unpriced += card is None
                    inexact += card is not None and not card.exact
    assert compared > 50_000
    # Models priced by the page, the minute or the image; and prices with float noise.
    assert unpriced < compared * 0.05
    assert inexact < compared * 0.02


@pytest.mark.parametrize(
    ("prompt", "picousd_per_token"),
    [(271_999, 2_500_000), (272_000, 2_500_000), (272_001, 5_000_000)],
)
def test_a_tier_is_a_cliff_for_the_whole_request(prompt: int, picousd_per_token: int) -> None:
    price = priced(model="gpt-5.4", usage={"input_uncached": prompt, "output": 0})
    assert price.prompt_picousd == prompt * picousd_per_token


def test_cached_tokens_count_towards_the_tier() -> None:
    usage = {"input_uncached": 1, "cache_read": 272_000, "output": 0}
    assert priced(model="gpt-5.4", usage=usage).prompt_picousd == 5_000_000 + 272_000 * 500_000


def test_reasoning_without_a_rate_of_its_own_costs_what_output_does() -> None:
    plain = priced(model="o3", usage={"input_uncached": 0, "output": 700})
    thought = priced(model="o3", usage={"input_uncached": 0, "output": 1, "reasoning": 699})
    assert plain.completion_picousd == thought.completion_picousd == 700 * 8_000_000


def test_the_dearest_call_fits_a_bigint() -> None:
    assert MAX_CALL_TOKENS * MAX_RATE_PICOUSD < 2**63


def test_a_rate_card_is_known_by_the_hash_of_its_content() -> None:
    at = DATES[-1]
    card = BOOK.card_for("openai", "gpt-4o", "standard", at, None)
    again = BOOK.card_for("OpenAI", "gpt-4o-2024-08-06", "standard", DATES[-2], None)
    batch = BOOK.card_for("openai", "gpt-4o", "batch", at, None)
    assert card is not None
    assert again is not None
    assert batch is not None
    assert card.id == again.id
    assert card.id != batch.id
    assert 0 <= card.id < 2**63
    assert card.source == f"genai-prices {genai_prices.__version__}"
    assert cost(card, tokens(uncached=1, text=1)) == (2_500_000, 10_000_000)

"""The list prices of the genai-prices package, as rate cards; nothing else here imports it.

Its own lookups keep every name they were ever asked for, so only the parts without a memory are
used. It never reaches the network: its updater is not started.
"""

from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

import genai_prices
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    TieredPrices,
    TimeOfDateConstraint,
)

from services.cost_metering.pricebook.cards import MAX_RATE_PICOUSD, RateCard, Rates, Tier
from services.cost_metering.pricebook.providers import is_own_server, plain_name
from services.cost_metering.rules import PriceContext

SOURCE: Final = f"genai-prices {genai_prices.__version__}"

# One special word at a time, so a mix of two lists can never be asked for. OpenAI sells speed
# as a service tier, Anthropic as a speed.
_CONTEXTS: Final[dict[PriceContext, dict[str, str]]] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
# Of each kind of tokens, the rates that apply, the first that a model has.
_RATE_KEYS: Final = (
    ("input_mtok",),
    ("cache_read_mtok", "input_mtok"),
    ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    ("output_mtok",),
    ("output_reasoning_mtok", "output_mtok"),
)
_TOKEN_KEYS: Final = frozenset(key for keys in _RATE_KEYS for key in keys)
_OTHER_KINDS: Final = ("audio", "image", "video")
_PICOUSD_PER_TOKEN: Final = 10**6  # of one dollar per million tokens


class ListedModel(NamedTuple):
    """A model of the list; `borrowed` when the provider sells it at its maker's price."""

    provider: str
    info: ModelInfo
    borrowed: bool


def identify(provider: str, model: str) -> tuple[str, str]:
    """The names that prices go by: the list's own provider where it knows it, models lowered."""
    name, wanted = plain_name(provider), model.lower()
    if name == "litellm" and "/" in wanted:
        prefix, _, wanted = wanted.partition("/")
        name = plain_name(prefix)
    listed = None if is_own_server(name) else find_provider_by_id(get_snapshot().providers, name)
    return (listed.id if listed else name), wanted


def find_model(provider: str, model: str) -> ListedModel | None:
    """The listed model of identified names, or None. Slow (up to 0.4 ms): keep the answer."""
    providers = get_snapshot().providers
    seller = next((each for each in providers if each.id == provider), None)
    info = seller.find_model(model, all_providers=providers) if seller else None
    if seller is None or info is None:
        return None
    return ListedModel(seller.id, info, all(info is not own for own in seller.models))


def changes_within(model: ListedModel, day: date) -> list[datetime]:
    """The instants of a UTC day at which a price by time of day may change, without midnight."""
    bounds: list[time] = []
    for price in [*_conditional(model.info), *(model.info.price_variants or ())]:
        if isinstance(price.constraint, TimeOfDateConstraint):
            bounds += [price.constraint.start_time, price.constraint.end_time]
    return [
        datetime.combine(day, datetime.combine(day, bound).astimezone(UTC).time(), UTC)
        for bound in (each if each.tzinfo else each.replace(tzinfo=UTC) for each in bounds)
    ]


def card_at(model: ListedModel, context: PriceContext, at: datetime) -> RateCard | None:
    """The card at an instant; None when the list has no price per token.

    Without a price for the context, the standard card is returned and says so in `context`.
    """
    wanted = _CONTEXTS[context]
    listed = not model.borrowed and any(
        _applies(variant, wanted, at) for variant in model.info.price_variants or ()
    )
    prices = model.info.get_prices(at, wanted if listed else None)
    return _compile(model, prices, context if listed else "standard")


def _applies(variant: PriceVariant, wanted: dict[str, str], at: datetime) -> bool:
    in_time = variant.constraint is None or variant.constraint.active(at)
    return in_time and variant.when.items() <= wanted.items()


def _conditional(info: ModelInfo) -> list[ConditionalPrice]:
    return info.prices if isinstance(info.prices, list) else []


def _compile(model: ListedModel, prices: ModelPrice, context: PriceContext) -> RateCard | None:
    listed = {key: price for key, price in vars(prices).items() if price is not None}
    # An empty entry is a free model only if its name says so; else the list knows no price.
    if not listed.keys() & _TOKEN_KEYS and not (model.info.id.endswith(":free") and not listed):
        return None
    exact_tiers = {start: _rates_above(start, listed) for start in _starts(listed)}
    if any(rate > MAX_RATE_PICOUSD for rates in exact_tiers.values() for rate in rates):
        return None
    tiers = [
        Tier(start, Rates(*(int(rate.to_integral_value(ROUND_HALF_EVEN)) for rate in rates)))
        for start, rates in exact_tiers.items()
    ]
    exact = all(rate == int(rate) for rates in exact_tiers.values() for rate in rates)
    return RateCard.of(
        provider=model.provider,
        model=model.info.id,
        source=SOURCE,
        context=context,
        tiers=tiers,
        exact=exact,
        long_writes="cache_write_1h_mtok" in listed,
        dear_kinds=frozenset(kind for kind in _OTHER_KINDS if any(kind in key for key in listed)),
    )


def _starts(listed: dict[str, Decimal | TieredPrices]) -> list[int]:
    tiered = [price for key, price in listed.items() if isinstance(price, TieredPrices)]
    return sorted({0, *(tier.start for price in tiered for tier in price.tiers)})


def _rates_above(start: int, listed: dict[str, Decimal | TieredPrices]) -> list[Decimal]:
    """Pico-dollars per token of the six kinds for a request just past `start` prompt tokens."""
    rates = []
    for keys in _RATE_KEYS:
        price = next((listed[key] for key in keys if key in listed), Decimal(0))
        if isinstance(price, TieredPrices):
            reached = [tier.price for tier in price.tiers if tier.start <= start and start > 0]
            price = reached[-1] if reached else price.base
        rates.append(price * _PICOUSD_PER_TOKEN)
    return rates

"""Rate cards: whole pico-dollars (1e-12 USD) per token, so that a cost is an exact integer."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Self

import msgspec

from services.cost_metering.rules import PriceContext, Tokens

# $9,000 per million tokens. Times `MAX_CALL_TOKENS` this is just below 2**63, so that every
# cost fits a BIGINT; the dearest list price today is $600.
MAX_RATE_PICOUSD = 9 * 10**9


class Rates(NamedTuple):
    """Pico-dollars per token of each of the six kinds of `Tokens`."""

    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output_text: int
    output_reasoning: int


class Tier(NamedTuple):
    """Rates of a whole request that has more than `start` prompt tokens."""

    start: int
    rates: Rates


class RateCard(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The resolved price of one model on one price list; never changes, so records point at it.

    `id` is the hash of what follows. `model` is the id that matched, `source` the book and its
    version or the override. `context` is None when the price holds on every price list.
    `exact` is false when a list price had to be rounded to whole pico-dollars. `long_writes`
    says that long cache writes have a rate of their own, `dear_kinds` which other kinds of
    tokens (audio, image, …) have one that this card does not hold.
    """

    id: int
    provider: str
    model: str
    source: str
    context: PriceContext | None
    tiers: tuple[Tier, ...]
    exact: bool
    free: bool
    long_writes: bool
    dear_kinds: frozenset[str]

    @classmethod
    def of(
        cls,
        *,
        provider: str,
        model: str,
        source: str,
        context: PriceContext | None,
        tiers: Iterable[Tier],
        exact: bool = True,
        long_writes: bool = True,
        dear_kinds: frozenset[str] = frozenset(),
    ) -> Self:
        """Complete a card with its id and whether everything on it is free."""
        ladder = tuple(tiers)
        facts = (provider, model, source, context, ladder, exact, long_writes, sorted(dear_kinds))
        digest = hashlib.blake2b(msgspec.json.encode(facts), digest_size=8).digest()
        return cls(
            # 63 bits: a BIGINT has a sign.
            id=int.from_bytes(digest) >> 1,
            provider=provider,
            model=model,
            source=source,
            context=context,
            tiers=ladder,
            exact=exact,
            free=not any(any(tier.rates) for tier in ladder),
            long_writes=long_writes,
            dear_kinds=dear_kinds,
        )


def cost(card: RateCard, tokens: Tokens) -> tuple[int, int]:
    """Prompt and completion cost in pico-dollars; nothing else is charged, so they sum to all.

    A tier is a cliff: one token past its start, the whole request is at its rates.
    """
    rates = card.tiers[0].rates
    if len(card.tiers) > 1:
        prompt = tokens.prompt
        for tier in card.tiers[1:]:
            if prompt > tier.start:
                rates = tier.rates
    return (
        tokens.input_uncached * rates[0]
        + tokens.cache_read * rates[1]
        + tokens.cache_write_5m * rates[2]
        + tokens.cache_write_1h * rates[3],
        tokens.output_text * rates[4] + tokens.output_reasoning * rates[5],
    )

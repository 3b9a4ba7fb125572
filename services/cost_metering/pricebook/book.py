"""Finds the rate card of a call and prices it, remembering what was asked a moment ago."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from services.cost_metering.pricebook.cards import RateCard, cost
from services.cost_metering.pricebook.list_prices import (
    ListedModel,
    card_at,
    changes_within,
    find_model,
    identify,
)
from services.cost_metering.pricebook.overrides import Overrides
from services.cost_metering.rules import Call, PriceContext
from shared.contracts.cost_metering import PriceOverride

# Agents may send any string as a model, so what is remembered has a limit.
MAX_REMEMBERED = 16_384

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Priced(msgspec.Struct, frozen=True, gc=False):
    """What a call costs, in pico-dollars; both costs are None while it is `unpriced`.

    `free` is a price of zero. `suspect_reason` says why the figure is in doubt.
    """

    status: Literal["priced", "free", "unpriced"]
    rate_card: RateCard | None
    prompt_picousd: int | None
    completion_picousd: int | None
    suspect_reason: str | None


class PriceBook:
    """Overrides first, then the list. Build a new one when overrides change."""

    def __init__(
        self, overrides: Iterable[PriceOverride] = (), *, remember: int = MAX_REMEMBERED
    ) -> None:
        self._overrides = Overrides(overrides)
        self._named: _Recent[tuple[str, str], _Named] = _Recent(remember)
        self._days: _Recent[_DayKey, _Day] = _Recent(remember)

    def card_for(
        self,
        provider: str,
        model: str,
        context: PriceContext,
        at: datetime,
        organization_id: str | None,
    ) -> RateCard | None:
        """The price in force at `at` (aware) for an organization, or None: unpriced."""
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        own = organization_id if organization_id in self._overrides.organizations else None
        key = (provider, model, context, at.toordinal(), own)
        day = self._days.get(key)
        if day is None:
            day = self._days.put(key, self._day(provider, model, context, at, own))
        if len(day.cards) == 1:
            return day.cards[0]
        return day.cards[bisect_right(day.starts, at) - 1]

    def _day(
        self, provider: str, model: str, context: PriceContext, at: datetime, own: str | None
    ) -> "_Day":
        """All prices of one UTC day, each from its own instant on."""
        named = self._named.get((provider, model))
        if named is None:
            identified = identify(provider, model)
            named = _Named(*identified, find_model(*identified))
            self._named.put((provider, model), named)
        overridden = (named.provider, named.model, own)
        starts = {datetime.combine(at.date(), datetime.min.time(), UTC)}
        starts.update(self._overrides.changes_within(*overridden, at.date()))
        if named.listed is not None:
            starts.update(changes_within(named.listed, at.date()))
        ordered = sorted(starts)
        cards = [
            self._overrides.card_at(*overridden, start)
            or (named.listed and card_at(named.listed, context, start))
            for start in ordered
        ]
        if all(card == cards[0] for card in cards):
            return _Day((), (cards[0],))
        return _Day(tuple(ordered), tuple(cards))


def price_call(book: PriceBook, call: Call) -> Priced:
    """Price a call as it was normalised; its doubts and those about its price come along."""
    event = call.event
    card = book.card_for(
        event.provider, event.model, call.context, call.occurred_at, call.organization_id
    )
    if card is None:
        # The doubt about its price list is kept for the day when a price is found.
        reason = call.suspect_reason or call.context_doubt
        return Priced("unpriced", None, None, None, reason)
    prompt, completion = cost(card, call.usage.tokens)
    reason = call.suspect_reason or _doubt(call, card)
    return Priced("free" if card.free else "priced", card, prompt, completion, reason)


def _doubt(call: Call, card: RateCard) -> str | None:
    """Why a card may not be the price of this call; an operator's override is beyond doubt."""
    if card.context is None or card.free:
        return None
    if call.context_doubt is not None:
        return call.context_doubt
    if card.context != call.context:
        return "no_price_for_context"
    usage = call.usage
    if card.long_writes:
        if not usage.cache_ttl_known:
            return "unknown_cache_ttl"
    elif usage.tokens.cache_write_1h:
        return "no_rate_for_long_cache"
    if usage.other_kinds and usage.other_kinds & card.dear_kinds:
        return "no_rate_for_kind"
    return None


class _Named(NamedTuple):
    """What a call's names mean."""

    provider: str
    model: str
    listed: ListedModel | None


class _Day(NamedTuple):
    """The cards of one UTC day and, if there are several, from when each holds."""

    starts: tuple[datetime, ...]
    cards: tuple[RateCard | None, ...]


_DayKey = tuple[str, str, PriceContext, int, str | None]


class _Recent(Generic[K, V]):
    """At most twice `size` entries in two generations: what is asked for again survives."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What is remembered, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> V:
        """Remember, and forget the older half when full."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value

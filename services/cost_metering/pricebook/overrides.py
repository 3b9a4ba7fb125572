"""Operators' prices, asked before the list, for one organization or for all."""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.cost_metering.pricebook.cards import MAX_RATE_PICOUSD, RateCard, Rates, Tier
from services.cost_metering.pricebook.list_prices import identify
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import PriceOverride, SetPriceOverride, TokenRates

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?\Z")
_PICOUSD_PER_TOKEN = 10**6  # of one dollar per million tokens


class _Priced(NamedTuple):
    """An override with its names identified and its card made."""

    terms: PriceOverride
    model: str
    card: RateCard

    def fits(self, model: str, organization_id: str | None) -> bool:
        if self.terms.organization_id not in {None, organization_id}:
            return False
        return model == self.model or (
            self.terms.match == "prefix" and model.startswith(self.model)
        )


class Overrides:
    """All overrides, ready to be asked which one prices a call.

    Providers and models are asked for by their identified names. An override is the price on
    every price list (batch, priority, …).
    """

    def __init__(self, overrides: Iterable[PriceOverride]) -> None:
        """Make the cards; raises ValueError for rates that `refuse_override` refuses."""
        self._by_provider: defaultdict[str, list[_Priced]] = defaultdict(list)
        self.organizations: set[str | None] = set()
        for terms in sorted(overrides, key=_precedence, reverse=True):
            provider, model = identify(terms.provider, terms.model)
            self._by_provider[provider].append(_Priced(terms, model, _card(terms, provider)))
            self.organizations.add(terms.organization_id)

    def card_at(
        self, provider: str, model: str, organization_id: str | None, at: datetime
    ) -> RateCard | None:
        """The card of the most specific override in force, then the latest."""
        for override in self._by_provider.get(provider, ()):
            ends = override.terms.effective_to
            in_force = override.terms.effective_from <= at and (ends is None or at < ends)
            if in_force and override.fits(model, organization_id):
                return override.card
        return None

    def changes_within(
        self, provider: str, model: str, organization_id: str | None, day: date
    ) -> list[datetime]:
        """The instants of a UTC day at which an override of the model begins or ends."""
        first = datetime.combine(day, datetime.min.time(), UTC)
        return [
            bound.astimezone(UTC)
            for override in self._by_provider.get(provider, ())
            if override.fits(model, organization_id)
            for bound in (override.terms.effective_from, override.terms.effective_to)
            if bound is not None and first < bound < first + timedelta(days=1)
        ]


def refuse_override(request: SetPriceOverride) -> Refusal | None:
    """Why an override cannot be set, or None: its rates must be whole pico-dollars per token."""
    try:
        _compile(request.rates)
    except ValueError as error:
        return Refusal(code="invalid_rate", detail=str(error), status=422)
    starts, ends = request.effective_from, request.effective_to
    for bound in (starts, ends):
        if bound is not None and bound.tzinfo is None:
            sentence = "`effective_from` and `effective_to` need a time zone."
            return Refusal(code="invalid_time", detail=sentence, status=422)
    if starts is not None and ends is not None and ends <= starts:
        sentence = "`effective_to` must be later than `effective_from`."
        return Refusal(code="invalid_time", detail=sentence, status=422)
    return None


def _precedence(override: PriceOverride) -> tuple[bool, bool, int, datetime, datetime, str]:
    # An organization's own price beats a general one, an exact model a prefix, a longer prefix
    # a shorter one; among equals the later price wins.
    return (
        override.organization_id is not None,
        override.match == "exact",
        len(override.model),
        override.effective_from,
        override.created_at,
        override.override_id,
    )


def _card(override: PriceOverride, provider: str) -> RateCard:
    return RateCard.of(
        provider=provider,
        model=override.model if override.match == "exact" else f"{override.model}*",
        source=f"override {override.override_id}",
        context=None,
        tiers=[Tier(0, _compile(override.rates))],
    )


def _compile(rates: TokenRates) -> Rates:
    """Cache reads and short writes default to the input's rate, long writes to the short ones',
    reasoning to the output's.
    """
    given, output = rates.input, rates.output
    read = given if rates.cache_read is None else rates.cache_read
    short = given if rates.cache_write_5m is None else rates.cache_write_5m
    long = short if rates.cache_write_1h is None else rates.cache_write_1h
    reasoning = output if rates.reasoning is None else rates.reasoning
    return Rates(
        input_uncached=_picousd_per_token("input", given),
        cache_read=_picousd_per_token("cache_read", read),
        cache_write_5m=_picousd_per_token("cache_write_5m", short),
        cache_write_1h=_picousd_per_token("cache_write_1h", long),
        output_text=_picousd_per_token("output", output),
        output_reasoning=_picousd_per_token("reasoning", reasoning),
    )


def _picousd_per_token(name: str, usd_per_million: str) -> int:
    if _DECIMAL.match(usd_per_million):
        picousd = Decimal(usd_per_million) * _PICOUSD_PER_TOKEN
        if picousd == int(picousd) and picousd <= MAX_RATE_PICOUSD:
            return int(picousd)
    most = MAX_RATE_PICOUSD // _PICOUSD_PER_TOKEN
    raise ValueError(
        f"Field `rates.{name}` must be US dollars per million tokens, from 0 to {most} with at "
        "most 6 decimals, so that it is a whole number of pico-dollars per token."
    )

"""Prices change: overrides are set, and records are priced again by appending revisions."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from services.cost_metering.handlers.usage import Meter
from services.cost_metering.pricebook import PriceBook, RateCard, cost, refuse_override
from services.cost_metering.rules import Tokens
from services.cost_metering.store import corrections, prices, rollups
from services.cost_metering.store.rollups import Delta
from shared.contracts.base import Done, Event, Refusal, Reply
from shared.contracts.cost_metering import (
    ListPriceOverrides,
    ListUnpricedModels,
    PriceBookChanged,
    PriceOverrides,
    RepriceCosts,
    SetPriceOverride,
    UnpricedModels,
)
from shared.database import Db

# Records revised in one transaction.
PAGE = 500
PAGES = 10
GROUPS = 200
# Doubts about a price, not about a call: a new price may settle them.
PRICE_DOUBTS = frozenset(
    {"no_price_for_context", "no_rate_for_long_cache", "no_rate_for_kind", "unknown_cache_ttl"}
)
AUTOMATIC = "price book"

Answer = Reply | tuple[Reply, Sequence[Event]]


async def set_price_override(request: SetPriceOverride, db: Db) -> Answer:
    """Keep an operator's price; what waits for it is priced within seconds."""
    refusal = refuse_override(request)
    if refusal is not None:
        return refusal
    override = await prices.add_override(db, request)
    changed = PriceBookChanged(
        organization_id=request.organization_id or "all", override_id=override.override_id
    )
    return PriceOverrides(overrides=(override,)), [changed]


async def list_price_overrides(request: ListPriceOverrides, db: Db) -> PriceOverrides:
    """The latest overrides."""
    return PriceOverrides(overrides=await prices.list_overrides(db, request.limit))


async def list_unpriced_models(request: ListUnpricedModels, db: Db) -> UnpricedModels:
    """What waits for a price."""
    return UnpricedModels(models=await prices.list_unpriced(db, request.limit))


async def order_repricing(request: RepriceCosts, db: Db) -> Answer:
    """Keep an operator's order to price again; answers how many records it covers."""
    bounds = (request.occurred_from, request.occurred_to)
    if any(bound.tzinfo is None for bound in bounds) or bounds[0] >= bounds[1]:
        return Refusal(
            code="invalid_time",
            detail="`occurred_from` must be earlier than `occurred_to`, both with a time zone.",
            status=422,
        )
    await prices.add_order(db, request)
    return Done(affected=await prices.count_covered(db, request), at=db.now)


class Repricing:
    """The jobs that append revisions; each row says why and by whose order."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def price_the_unpriced(self, db: Db) -> Sequence[Event]:
        """Price records that had no price when they came and have one now."""
        book = await self._meter.book(db)
        for group in await prices.unpriced_groups(db, GROUPS):
            after = ""
            for _ in range(PAGES):
                page = await prices.unpriced_page(db, group, after, PAGE)
                if not page:
                    break
                await self._revise(db, book, page, "a price was found", AUTOMATIC)
                after = page[-1]["event_id"]
        return ()

    async def work_off_orders(self, db: Db) -> Sequence[Event]:
        """Take the oldest order one page further."""
        order = await prices.next_order(db)
        if order is None:
            return ()
        page = await prices.priced_page(db, order, PAGE)
        revised = await self._revise(
            db, await self._meter.book(db), page, order.reason, order.ordered_by
        )
        after = page[-1]["event_id"] if page else order.after_event_id
        await prices.set_order_progress(db, order, after, revised, finished=len(page) < PAGE)
        return ()

    async def apply_corrections(self, db: Db) -> Sequence[Event]:
        """Stop counting records whose correction has come.

        Of two corrections of one response (told twice, corrected twice) the first stays counted.
        """
        due = await corrections.list_due(db, PAGE)
        ready = [each for each in due if each.target is not None]
        wanted = [(each.organization_id, id_) for each in ready for id_ in each[2:] if id_]
        rows = await prices.current_records(db, wanted)
        replaced: dict[tuple[str, str], Any] = {}
        for each in ready:
            target = (each.organization_id, each.target or "")
            if not rows[target]["counted"] or target in replaced:
                target = (each.organization_id, each.event_id)
            if rows[target]["counted"]:
                replaced[target] = rows[target]
        await prices.add_revisions(db, [_uncounted(row, db) for row in replaced.values()])
        await rollups.add_deltas(db, [_less(row) for row in replaced.values()])
        await prices.forget_unpriced(db, list(replaced.values()))
        await corrections.set_applied(db, ready)
        await corrections.put_off(db, [each for each in due if each.target is None])
        return ()

    async def _revise(
        self, db: Db, book: PriceBook, rows: Sequence[Any], reason: str, made_by: str
    ) -> int:
        """Append a revision to each record whose price is another now; answers how many."""
        revisions: list[dict[str, Any]] = []
        deltas: list[Delta] = []
        settled: list[Any] = []
        cards: dict[int, RateCard] = {}
        for row in rows:
            card = _card(book, row)
            if card is None or card.id == row["card_now"] or not row["counted"]:
                continue
            cards[card.id] = card
            revision = _revision(row, card, db, reason, made_by)
            revisions.append(revision)
            deltas.append(_difference(row, revision))
            settled.append(row)
        await self._meter.keep_cards(db, cards)
        await prices.add_revisions(db, revisions)
        await rollups.add_deltas(db, deltas)
        await prices.forget_unpriced(db, settled)
        return len(revisions)


def _card(book: PriceBook, row: Any) -> RateCard | None:
    return book.card_for(
        row["provider"],
        row["model"],
        row["price_context"],
        row["occurred_at"].astimezone(UTC),
        row["organization_id"],
    )


def _tokens(row: Any) -> Tokens:
    return Tokens(*(row[name] for name in Tokens.__struct_fields__))


def _revision(row: Any, card: RateCard, db: Db, reason: str, made_by: str) -> dict[str, Any]:
    prompt, completion = cost(card, _tokens(row))
    doubt = row["suspect_reason"]
    if doubt is None or doubt in PRICE_DOUBTS:
        fits = card.context is None or card.free or card.context == row["price_context"]
        doubt = None if fits else "no_price_for_context"
    return {
        "organization_id": row["organization_id"],
        "event_id": row["event_id"],
        "revision": row["revision"] + 1,
        "counted": True,
        "pricing_status": "free" if card.free else "priced",
        "suspect_reason": doubt,
        "rate_card_id": card.id,
        "prompt_cost_picousd": prompt,
        "completion_cost_picousd": completion,
        "reason": reason,
        "made_by": made_by,
        "made_at": db.now,
    }


def _uncounted(row: Any, db: Db) -> dict[str, Any]:
    return {
        "organization_id": row["organization_id"],
        "event_id": row["event_id"],
        "revision": row["revision"] + 1,
        "counted": False,
        "pricing_status": row["status_now"],
        "suspect_reason": row["suspect_now"],
        "rate_card_id": row["card_now"],
        "prompt_cost_picousd": row["prompt_now"],
        "completion_cost_picousd": row["completion_now"],
        "reason": "replaced by a correction",
        "made_by": "agent",
        "made_at": db.now,
    }


def _delta(row: Any, change: Callable[[str], int]) -> Delta:
    return Delta(
        row["organization_id"],
        row["occurred_at"].astimezone(UTC).replace(minute=0, second=0, microsecond=0),
        row["provider"],
        row["model"],
        row["billable"],
        *(change(name) for name in rollups.DELTA_COLUMNS[5:]),
    )


def _difference(row: Any, revision: dict[str, Any]) -> Delta:
    unpriced = int(row["status_now"] == "unpriced")
    changes = {
        "records": 0,
        "tokens": 0,
        "unpriced_records": -unpriced,
        "unpriced_tokens": -unpriced * _tokens(row).total,
        "suspect_records": int(revision["suspect_reason"] is not None)
        - int(row["suspect_now"] is not None),
        "cost_picousd": revision["prompt_cost_picousd"]
        + revision["completion_cost_picousd"]
        - (row["prompt_now"] or 0)
        - (row["completion_now"] or 0),
    }
    return _delta(row, changes.__getitem__)


def _less(row: Any) -> Delta:
    unpriced = int(row["status_now"] == "unpriced")
    tokens = _tokens(row).total
    changes = {
        "records": -1,
        "tokens": -tokens,
        "unpriced_records": -unpriced,
        "unpriced_tokens": -unpriced * tokens,
        "suspect_records": -int(row["suspect_now"] is not None),
        "cost_picousd": -(row["prompt_now"] or 0) - (row["completion_now"] or 0),
    }
    return _delta(row, changes.__getitem__)

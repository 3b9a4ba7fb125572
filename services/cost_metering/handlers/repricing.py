"""Records are priced again, or no longer counted, by appending revisions."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

from services.cost_metering.handlers.usage import Meter
from services.cost_metering.pricebook import PriceBook, RateCard, cost
from services.cost_metering.rules import Tokens
from services.cost_metering.store import corrections, revisions, rollups
from services.cost_metering.store.rollups import Delta
from shared.contracts.base import Event
from shared.database import Db

# Records looked at in one statement, and statements in one turn of a job.
PAGE = 500
PAGES = 10
# Doubts about a price, not about a call: another price may settle them.
PRICE_DOUBTS = frozenset(
    {
        "conflicting_price_context",
        "no_price_for_context",
        "no_rate_for_kind",
        "no_rate_for_long_cache",
        "region_not_priced",
        "unknown_cache_ttl",
        "unknown_service_tier",
        "unknown_speed",
    }
)
AUTOMATIC = "price book"


class Repricing:
    """The jobs that append revisions; each row says why and by whose order."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def price_the_unpriced(self, db: Db) -> Sequence[Event]:
        """Price records that had no price when they came and have one in today's price book."""
        await revisions.hold(db)
        edition, book = await self._meter.book(db)
        for _ in range(PAGES):
            page = await revisions.unpriced_page(db, edition, PAGE)
            if not page:
                break
            await self._revise(db, book, page, "a price was found", AUTOMATIC)
            await revisions.set_looked_at(db, page, edition)
        return ()

    async def work_off_orders(self, db: Db) -> Sequence[Event]:
        """Take the oldest order some pages further."""
        await revisions.hold(db)
        order = await revisions.next_order(db)
        if order is None:
            return ()
        _, book = await self._meter.book(db)
        after, revised, finished = order.after_event_id, 0, False
        for _ in range(PAGES):
            page = await revisions.priced_page(db, order, after, PAGE)
            revised += await self._revise(db, book, page, order.reason, order.ordered_by)
            finished = len(page) < PAGE
            if finished:
                break
            after = page[-1]["event_id"]
        await revisions.set_order_progress(db, order, after, revised, finished=finished)
        return ()

    async def apply_corrections(self, db: Db) -> Sequence[Event]:
        """Stop counting one record for each correction whose original has come."""
        await revisions.hold(db)
        due = await corrections.list_due(db, PAGE)
        ready = [each for each in due if each.target is not None]
        replaced = await _replaced(db, ready)
        await revisions.add_revisions(db, [_uncounted(row, db) for row in replaced])
        await rollups.add_deltas(db, [_less(row) for row in replaced])
        await revisions.forget_unpriced(db, replaced)
        await corrections.set_applied(db, ready)
        await corrections.put_off(db, [each for each in due if each.target is None])
        return ()

    async def _revise(
        self, db: Db, book: PriceBook, rows: Sequence[Any], reason: str, made_by: str
    ) -> int:
        """Append a revision to each record whose price is another now; answers how many."""
        changed: list[tuple[Any, dict[str, Any]]] = []
        cards: dict[int, RateCard] = {}
        for row in rows:
            card = _card(book, row)
            if card is not None and card.id != row["card_now"] and row["counted"]:
                cards[card.id] = card
                changed.append((row, _revision(row, card, db, reason, made_by)))
        await self._meter.keep_cards(db, cards)
        await revisions.add_revisions(db, [revision for _, revision in changed])
        await rollups.add_deltas(db, [_difference(row, revision) for row, revision in changed])
        await revisions.forget_unpriced(db, [row for row, _ in changed])
        return len(changed)


async def _replaced(db: Db, ready: Sequence[corrections.Due]) -> list[Any]:
    """For each correction the record that counts no longer: what it takes the place of.

    When that place was taken before (one response, told and corrected twice), it is the correction
    itself, or whichever counts for it by now: the first correction of a response stays counted,
    and every order in which they take effect leaves one.
    """
    successors = await corrections.list_successors(db, ready)
    names = [(each.organization_id, each.event_id) for each in ready]
    names += [(each.organization_id, each.target or "") for each in ready]
    names += [(key[0], event_id) for key, event_id in successors.items()]
    rows = await revisions.current_records(db, names)
    replaced: dict[tuple[str, str], Any] = {}
    for each in ready:
        key = (each.organization_id, each.target or "")
        if not rows[key]["counted"] or key in replaced:
            key = (each.organization_id, each.event_id)
        while not rows[key]["counted"] or key in replaced:
            key = (each.organization_id, successors[key])
        replaced[key] = rows[key]
        successors[each.organization_id, each.corrected_event_id] = each.event_id
    return list(replaced.values())


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
    return {
        "organization_id": row["organization_id"],
        "event_id": row["event_id"],
        "revision": row["revision"] + 1,
        "counted": True,
        "pricing_status": "free" if card.free else "priced",
        "suspect_reason": _doubt(row, card),
        "rate_card_id": card.id,
        "prompt_cost_picousd": prompt,
        "completion_cost_picousd": completion,
        "reason": reason,
        "made_by": made_by,
        "made_at": db.now,
    }


def _doubt(row: Any, card: RateCard) -> str | None:
    """What remains of the doubt that a record came with; an override's price is beyond doubt."""
    doubt: str | None = row["suspect_reason"]
    if doubt is not None and doubt not in PRICE_DOUBTS:
        return doubt
    if card.context is None or card.free:
        return None
    if doubt in {None, "no_price_for_context"}:
        return None if card.context == row["price_context"] else "no_price_for_context"
    return None if doubt == "no_rate_for_long_cache" and card.long_writes else doubt


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

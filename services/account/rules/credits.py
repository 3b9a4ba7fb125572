"""What happens to credits: granted, taken, reversed with their purchase, applied, restored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.account.rules.holds import is_live
from services.account.rules.ledger import (
    burn_order,
    merged,
    negated,
    open_lot,
    pick,
    post,
    settle,
    total,
    unpin,
)
from services.account.tables.rows import Book, LedgerAccount, Lot, Origin, Part, Piece
from shared.contracts.account import LotKind

# Beyond this an expiry is a mistake, and calendars end.
LATEST_EXPIRY = timedelta(days=36_525)


def is_usable_until(expires_at: datetime | None, at: datetime) -> bool:
    """Whether credits or holds may end then: later than now, with a zone, within a century."""
    if expires_at is None:
        return True
    # Before any comparison, for times without a zone cannot be compared with others.
    if expires_at.tzinfo is None:
        return False
    return at < expires_at < at + LATEST_EXPIRY


def grant(
    book: Book,
    lot_id: str,
    kind: LotKind,
    cents: int,
    origin: Origin,
    counter: LedgerAccount,
    expires_at: datetime | None = None,
) -> None:
    """Open a lot of credits; a debt is paid from it at once. Raises ValueError below one cent."""
    if cents < 1:
        raise ValueError(f"credits are granted by whole positive cents, not {cents}")
    open_lot(book, lot_id, kind, cents, expires_at)
    post(book, "granted", origin, [Part(lot_id, cents)], counter, expires_at)
    settle(book, origin.reference)


def take(book: Book, cents: int, origin: Origin) -> int:
    """Take at most what is free; answers how much that was."""
    parts = pick(book, cents)
    if parts:
        post(book, "taken_back", origin, negated(parts), "adjustments")
    return total(parts)


def take_back_purchase(book: Book, cents: int, origin: Origin, own_lot: str) -> None:
    """Undo a purchase that was refunded or disputed: its own lot gives first, then what else was
    bought, then what was given; what cannot be had is debt.

    So a debt never stands beside free credits, and it does not matter which of a customer's
    purchases and reversals we hear of first.
    """

    def order(lot: Lot) -> tuple[bool, bool, tuple[int, datetime, int]]:
        return lot.lot_id != own_lot, lot.kind != "purchased", burn_order(lot)

    parts = pick(book, cents, order)
    if parts:
        post(book, "taken_back", origin, negated(parts), "stripe_clearing")
    owed = cents - total(parts)
    if owed:
        post(book, "debt", origin, [Part(None, -owed)], "stripe_clearing")


def taken_and_kept(history: Sequence[Piece]) -> list[Part]:
    """What the reversals of a purchase took and have not given back, oldest first."""
    stack: list[Part] = []
    for piece in history:
        if piece.kind == "reinstated":
            unwind(stack, piece.part.cents)
        else:
            stack.append(Part(piece.part.lot_id, -piece.part.cents))
    return stack


def unwind(stack: list[Part], cents: int) -> list[Part]:
    """Take `cents` off the end of what was taken, the last first."""
    undone: list[Part] = []
    while cents > 0 and stack:
        last = stack.pop()
        part = min(cents, last.cents)
        undone.append(Part(last.lot_id, part))
        if part < last.cents:
            stack.append(Part(last.lot_id, last.cents - part))
        cents -= part
    return undone


def reinstate(
    book: Book, cents: int, origin: Origin, history: Sequence[Piece], new_lot: str
) -> None:
    """A reversal was reversed: each lot gets back what was taken from it, the last first.

    What had become debt cancels debt. Where that was paid meanwhile, by a grant that is gone
    into it, the customer gets a lot instead.
    """
    undone = unwind(taken_and_kept(history), cents)
    to_lots = [part for part in undone if part.lot_id is not None]
    owed = total(undone) - total(to_lots)
    canceled = min(owed, book.now.debt_cents)
    parts = merged(to_lots)
    if canceled:
        parts.append(Part(None, canceled))
    if owed > canceled:
        open_lot(book, new_lot, "purchased", owed - canceled)
        parts.append(Part(new_lot, owed - canceled))
    if parts:
        post(book, "reinstated", origin, parts, "stripe_clearing")
    settle(book, origin.reference)


def apply(
    book: Book, cents: int, hold_ids: Sequence[str], least_left_cents: int, origin: Origin
) -> int:
    """Burn credits for an invoice: from the holds named, then from what is free; the holds end.

    Answers how much was burned. What is left to pay is nothing or at least `least_left_cents`.
    """
    held = [book.holds[hold_id] for hold_id in dict.fromkeys(hold_ids) if hold_id in book.holds]
    live = [hold for hold in held if is_live(hold)]
    pinned = [part for hold in live for part in hold.parts]
    burned = min(cents, total(pinned) + book.spendable_cents)
    if 0 < cents - burned < least_left_cents:
        burned = max(0, cents - least_left_cents)
    parts = _first(pinned, burned)
    # Chosen before the holds end, so that what they pinned is not chosen again.
    parts += pick(book, burned - total(parts))
    for hold in live:
        unpin(book, hold, "spent")
    if parts:
        post(book, "burned", origin, negated(merged(parts)), "revenue")
    settle(book, origin.reference)
    return burned


def _first(parts: Sequence[Part], cents: int) -> list[Part]:
    chosen: list[Part] = []
    for part in parts:
        taken = min(part.cents, cents)
        if taken:
            chosen.append(Part(part.lot_id, taken))
            cents -= taken
    return chosen


def restore(book: Book, burned: Sequence[Piece], origin: Origin) -> int:
    """Give an invoice's credits back to the lots that paid, the last first; answers how much.

    A lot whose time has passed meanwhile takes them with it.
    """
    parts = negated(piece.part for piece in reversed(burned))
    if parts:
        post(book, "restored", origin, parts, "revenue")
    settle(book, origin.reference)
    return total(parts)


def falls_low(book: Book, threshold_cents: int) -> bool:
    """Whether to say that credits are low: once, until they have been at the threshold again."""
    if book.spendable_cents >= threshold_cents:
        book.now.low_armed = True
        return False
    was_armed, book.now.low_armed = book.now.low_armed, False
    return was_armed

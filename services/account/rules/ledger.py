"""The book's own moves: which lots pay, what a transaction writes, what a hold pins."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from services.account.tables.rows import (
    Book,
    Entry,
    Hold,
    HoldStatus,
    LedgerAccount,
    Lot,
    Origin,
    Part,
    Posting,
)
from shared.contracts.account import CreditEntryKind, LotKind

# What was given is spent before what was bought, unless an operator's lot says otherwise.
PRIORITIES: dict[LotKind, int] = {"promotional": 10, "purchased": 20}
NEVER = datetime.max.replace(tzinfo=UTC)

Order = Callable[[Lot], Any]


def burn_order(lot: Lot) -> tuple[int, datetime, int]:
    """By priority, then earliest expiry, then age."""
    return lot.priority, lot.expires_at or NEVER, lot.sequence


def is_expired(lot: Lot, at: datetime) -> bool:
    """Whether a lot is past its time; what is held of it stays until the hold is settled."""
    return lot.expires_at is not None and lot.expires_at <= at


def pick(book: Book, cents: int, order: Order = burn_order) -> list[Part]:
    """Up to `cents` of free credits, lot by lot, in this order."""
    parts: list[Part] = []
    for lot in sorted(book.lots.values(), key=order):
        taken = min(lot.free_cents, cents)
        if taken > 0 and not is_expired(lot, book.at):
            parts.append(Part(lot.lot_id, taken))
            cents -= taken
    return parts


def total(parts: Iterable[Part]) -> int:
    """The cents of all parts."""
    return sum(part.cents for part in parts)


def negated(parts: Iterable[Part]) -> list[Part]:
    """The same parts drawn instead of filled, or the reverse."""
    return [Part(part.lot_id, -part.cents) for part in parts]


def merged(parts: Iterable[Part]) -> list[Part]:
    """One part per lot, where its first one stood."""
    sums: dict[str | None, int] = {}
    for part in parts:
        sums[part.lot_id] = sums.get(part.lot_id, 0) + part.cents
    return [Part(lot_id, cents) for lot_id, cents in sums.items()]


def open_lot(
    book: Book, lot_id: str, kind: LotKind, cents: int, expires_at: datetime | None = None
) -> None:
    """A new lot, still empty: the transaction that comes next fills it."""
    book.lots[lot_id] = Lot(
        lot_id=lot_id,
        kind=kind,
        priority=PRIORITIES[kind],
        sequence=book.now.sequence + 1,
        amount_cents=cents,
        remaining_cents=0,
        held_cents=0,
        expires_at=expires_at,
    )
    book.new_lots.add(lot_id)


def post(
    book: Book,
    kind: CreditEntryKind,
    origin: Origin,
    parts: Sequence[Part],
    counter: LedgerAccount,
    expires_at: datetime | None = None,
) -> Posting:
    """Write one transaction: lots, sum and debt follow its parts; `counter` takes the other side.

    A part fills (positive) or draws (negative) a lot; without a lot it pays or makes debt.
    """
    credits_cents = total(part for part in parts if part.lot_id is not None)
    debt_cents = total(part for part in parts if part.lot_id is None)
    for part in parts:
        if part.lot_id is not None:
            book.lots[part.lot_id].remaining_cents += part.cents
            book.changed_lots.add(part.lot_id)
    book.now.ledger_cents += credits_cents
    book.now.debt_cents -= debt_cents
    book.now.sequence += 1
    kinds = {book.lots[part.lot_id].kind for part in parts if part.lot_id is not None}
    posting = Posting(
        sequence=book.now.sequence,
        kind=kind,
        origin=origin,
        lot_kind=kinds.pop() if len(kinds) == 1 else None,
        # Paying a debt moves credits to it: what the customer sees is what it cost.
        amount_cents=credits_cents if kind == "debt_paid" else credits_cents + debt_cents,
        balance_after_cents=book.now.ledger_cents,
        debt_after_cents=book.now.debt_cents,
        spendable_cents=book.spendable_cents,
        expires_at=expires_at,
        entries=_entries(parts, counter, credits_cents + debt_cents),
    )
    book.postings.append(posting)
    return posting


def _entries(parts: Sequence[Part], counter: LedgerAccount, cents: int) -> tuple[Entry, ...]:
    entries = [
        Entry("debt" if part.lot_id is None else "credits", part.lot_id, part.cents)
        for part in parts
    ]
    return (*entries, Entry(counter, None, -cents)) if cents else tuple(entries)


def pin(book: Book, hold: Hold) -> None:
    """Set a hold's credits aside in their lots."""
    _pin(book, hold, 1)
    book.holds[hold.hold_id] = hold
    book.new_holds.add(hold.hold_id)


def unpin(book: Book, hold: Hold, status: HoldStatus) -> None:
    """End a hold: what it pinned is free again."""
    _pin(book, hold, -1)
    set_hold(book, hold, status, None)


def _pin(book: Book, hold: Hold, sign: int) -> None:
    for part in hold.parts:
        if part.lot_id is not None:
            book.lots[part.lot_id].held_cents += sign * part.cents
            book.changed_lots.add(part.lot_id)
    book.now.held_cents += sign * total(hold.parts)


def set_hold(book: Book, hold: Hold, status: HoldStatus, expires_at: datetime | None) -> None:
    """Note how a hold stands from now on."""
    hold.status, hold.expires_at = status, expires_at
    book.changed_holds.add(hold.hold_id)


def settle(book: Book, reference: str) -> None:
    """Leave nothing free that is not the customer's: past its time it goes, a debt comes first."""
    for lot in sorted(book.lots.values(), key=burn_order):
        if lot.free_cents > 0 and is_expired(lot, book.at):
            origin = Origin("lot", lot.lot_id, "Credits expired")
            post(book, "expired", origin, [Part(lot.lot_id, -lot.free_cents)], "breakage")
    paid = pick(book, book.now.debt_cents)
    if paid:
        origin = Origin("debt", reference, "Credits owed were settled")
        post(book, "debt_paid", origin, [*negated(paid), Part(None, total(paid))], "debt")

"""Holds: how they begin, which may become what, and when they end by themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from services.account.rules.ledger import pick, pin, set_hold, settle, unpin
from services.account.tables.rows import Book, Hold, HoldStatus

Action = Literal["commit", "renew", "release"]

# What a hold becomes; a pair that is not here is refused. Ended holds take a late word calmly.
MOVES: Mapping[tuple[HoldStatus, Action], HoldStatus] = {
    ("held", "commit"): "committed",
    ("held", "renew"): "held",
    ("held", "release"): "released",
    ("committed", "commit"): "committed",
    ("committed", "renew"): "committed",
    ("committed", "release"): "released",
    ("released", "release"): "released",
    ("expired", "release"): "expired",
    ("spent", "release"): "spent",
    ("spent", "commit"): "spent",
}


def is_live(hold: Hold) -> bool:
    """Whether a hold still pins credits."""
    return hold.status in {"held", "committed"}


def hold_credits(book: Book, hold_id: str, cents: int, expires_at: datetime) -> bool:
    """Pin credits for a reservation, in the order in which they would burn; False beyond them."""
    if cents > book.spendable_cents:
        return False
    pin(book, Hold(hold_id, cents, "held", expires_at, tuple(pick(book, cents))))
    return True


def refuse_before_it_came(book: Book, hold_id: str) -> None:
    """Note that a hold was let go before it was asked for, so that it is not granted later."""
    pin(book, Hold(hold_id, 0, "released", None))


def settle_hold(book: Book, hold: Hold, action: Action, expires_at: datetime | None) -> int | None:
    """Carry out an action; answers how many cents became free, None when it is refused."""
    status = MOVES.get((hold.status, action))
    if status is None:
        return None
    if is_live(hold) and status == "released":
        unpin(book, hold, status)
        settle(book, hold.hold_id)
        return hold.amount_cents
    if hold.status == "held" and status == "committed":
        set_hold(book, hold, status, None)
    elif hold.status == "held" and hold.expires_at and expires_at:
        # Requests may overtake each other: a hold is only ever prolonged.
        set_hold(book, hold, status, max(hold.expires_at, expires_at))
    return 0


def end_expired(book: Book) -> int:
    """Let go of holds that nobody committed in time; answers how many."""
    due = [
        hold
        for hold in book.holds.values()
        if hold.status == "held" and hold.expires_at is not None and hold.expires_at <= book.at
    ]
    for hold in due:
        unpin(book, hold, "expired")
    settle(book, "holds")
    return len(due)

"""Opening and closing an organization's book of credits, the same way for everything."""

from collections.abc import Sequence

import msgspec

from services.account.handlers import audit
from services.account.handlers.accounts import open_account
from services.account.rules.credits import falls_low
from services.account.rules.ledger import settle
from services.account.store import books
from services.account.tables.rows import Book, Posting
from shared.contracts.account import CreditBalance, CreditsChanged, CreditsLow
from shared.contracts.base import Event
from shared.database import Db

LOW_CREDIT_CENTS = 500


class Note(msgspec.Struct, frozen=True):
    """What the audit log says about a change of credits."""

    actor: str
    action: str
    subject: str


class Books:
    """Opens a book under its account's lock, and closes it: written once, told once."""

    def __init__(self) -> None:
        self.low_credit_cents = LOW_CREDIT_CENTS

    async def open(self, db: Db, organization_id: str, *, skip_locked: bool = False) -> Book | None:
        """The book as it stands at this moment: what has expired by now is gone already."""
        book = await books.open_book(db, organization_id, skip_locked=skip_locked)
        if book is not None:
            settle(book, "expiry")
        return book

    async def begin(self, db: Db, organization_id: str) -> tuple[list[Event], Book]:
        """The book of an organization; its account is opened, and told of, if it has none."""
        opened: list[Event] = []
        book = await self.open(db, organization_id)
        if book is None:
            opened = await open_account(db, organization_id)
            book = await self.open(db, organization_id)
        if book is None:
            raise LookupError("an account that was opened is not there")
        return opened, book

    async def close(self, db: Db, book: Book, note: Note) -> list[Event]:
        """Write everything, with who did it; returns the facts to tell."""
        events: list[Event] = [_changed(book, posting) for posting in book.postings]
        if falls_low(book, self.low_credit_cents):
            low = CreditsLow(
                organization_id=book.organization_id,
                balance_cents=book.spendable_cents,
                threshold_cents=self.low_credit_cents,
                noticed_at=book.at,
            )
            events.append(low)
        await books.write_book(db, book)
        if book.postings:
            told = _told(book)
            await audit.note(db, book.organization_id, note.actor, note.action, note.subject, told)
        return events


def balance(book: Book, changed_cents: int, total_cents: int) -> CreditBalance:
    """How credits stand after a request."""
    return CreditBalance(
        balance_cents=book.spendable_cents,
        held_cents=book.now.held_cents,
        debt_cents=book.now.debt_cents,
        changed_cents=changed_cents,
        total_cents=total_cents,
    )


def _changed(book: Book, posting: Posting) -> CreditsChanged:
    return CreditsChanged(
        organization_id=book.organization_id,
        sequence=posting.sequence,
        kind=posting.kind,
        amount_cents=posting.amount_cents,
        balance_cents=posting.spendable_cents,
        debt_cents=posting.debt_after_cents,
        reference=posting.origin.reference,
        changed_at=book.at,
    )


def _told(book: Book) -> dict[str, str]:
    """The transactions by number, and what they made of the sums."""
    told = {
        f"entry {posting.sequence}": f"{posting.kind} {posting.amount_cents}"
        for posting in book.postings
    }
    sums: Sequence[tuple[str, int, int]] = (
        ("ledger_cents", book.found.ledger_cents, book.now.ledger_cents),
        ("debt_cents", book.found.debt_cents, book.now.debt_cents),
    )
    return told | {name: f"{was} → {now}" for name, was, now in sums if was != now}

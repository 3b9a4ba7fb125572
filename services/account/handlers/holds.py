"""Reservations hold credits, and settle or let go of them."""

from collections.abc import Sequence

from services.account.handlers import audit
from services.account.handlers.books import Books, Note, balance
from services.account.handlers.credits import BAD_TIME, Answer
from services.account.rules import holds as rules
from services.account.rules.credits import is_usable_until
from services.account.store import books as store
from services.account.tables.rows import Book
from shared.contracts.account import CreditBalance, HoldCredits, SettleHold
from shared.contracts.base import Event, Refusal
from shared.database import Db

UNKNOWN_HOLD = Refusal(code="hold_not_found", detail="There is no such hold.", status=404)
ENDED_HOLD = Refusal(code="hold_ended", detail="This hold has ended; ask for a new one.")
OTHER_HOLD = Refusal(code="hold_conflict", detail="This hold stands with another amount.")
SUSPENDED = Refusal(
    code="account_suspended",
    detail="This account is suspended until its invoices are paid.",
    status=402,
)
NOT_COVERED = Refusal(
    code="insufficient_credits", detail="There are not enough credits for this.", status=402
)


class Holds:
    """Answers what sets credits aside."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def hold_credits(self, request: HoldCredits, db: Db) -> Answer:
        """Set credits aside, once per hold id."""
        answers, events = await self.hold_many(request.organization_id, [request], db)
        (answer,) = answers
        return answer if isinstance(answer, Refusal) else (answer, events)

    async def hold_many(
        self, organization_id: str, requests: Sequence[HoldCredits], db: Db
    ) -> tuple[list[CreditBalance | Refusal], list[Event]]:
        """The same for many requests of one organization, each answered as if it came alone."""
        book = await self._books.open(db, organization_id)
        if book is None:
            return [NOT_COVERED for _ in requests], []
        await store.read_holds(db, book, [request.hold_id for request in requests])
        answers = [_hold(book, request) for request in requests]
        if not book.new_holds:
            return answers, []
        return answers, await self._books.close(db, book, _noted("holds"))

    async def settle_hold(self, request: SettleHold, db: Db) -> Answer:
        """Make a hold permanent, renew it, or let it go."""
        if request.action == "renew" and (
            request.expires_at is None or not is_usable_until(request.expires_at, db.now)
        ):
            return BAD_TIME
        book = await self._books.open(db, request.organization_id)
        if book is None:
            return UNKNOWN_HOLD
        await store.read_holds(db, book, [request.hold_id])
        hold = book.holds.get(request.hold_id)
        freed: int | None = 0
        if hold is not None:
            freed = rules.settle_hold(book, hold, request.action, request.expires_at)
        elif request.action == "release":
            rules.refuse_before_it_came(book, request.hold_id)
        else:
            return UNKNOWN_HOLD
        if freed is None:
            return ENDED_HOLD
        events = await self._books.close(db, book, _noted(request.hold_id))
        amount = hold.amount_cents if hold is not None else 0
        return balance(book, freed, amount), events


def _hold(book: Book, request: HoldCredits) -> CreditBalance | Refusal:
    known = book.holds.get(request.hold_id)
    if known is not None:
        if not rules.is_live(known):
            return ENDED_HOLD
        if known.amount_cents != request.amount_cents:
            return OTHER_HOLD
        return balance(book, 0, known.amount_cents)
    if book.status == "suspended":
        return SUSPENDED
    if not is_usable_until(request.expires_at, book.at):
        return BAD_TIME
    if not rules.hold_credits(book, request.hold_id, request.amount_cents, request.expires_at):
        return NOT_COVERED
    return balance(book, request.amount_cents, request.amount_cents)


def _noted(subject: str) -> Note:
    # A hold is no transaction; what it may cause is that credits expire or pay a debt.
    return Note(audit.OURSELVES, "credits_settled", subject)

"""Purchases of credits are granted once, and taken back as far as Stripe says they are reversed."""

from collections.abc import Sequence

import msgspec

from services.account.handlers import audit
from services.account.handlers.books import Books, Note
from services.account.rules import credits as rules
from services.account.store import books as store
from services.account.store import orders
from services.account.store.orders import Purchase
from services.account.tables.rows import Book, Origin
from shared.clock import new_id
from shared.contracts.account import CreditEntryKind
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import PurchasePaid, PurchaseReversed
from shared.database import Db

REVERSALS: Sequence[CreditEntryKind] = ("taken_back", "debt", "reinstated")


class Purchases:
    """Hears what Stripe says about purchases of credits."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def grant_purchase(self, event: PurchasePaid, db: Db) -> Sequence[Event]:
        """Grant what was bought, once per session; what was reversed before we heard is taken."""
        if event.kind != "credits":
            return ()
        opened, book = await self._books.begin(db, event.organization_id)
        known = await orders.get_purchase(db, event.organization_id, event.session_id)
        if known.paid_at is not None:
            return opened
        origin = Origin("purchase", event.session_id, "Credits purchased")
        lot_id = new_id()
        rules.grant(book, lot_id, "purchased", event.amount_cents, origin, "stripe_clearing")
        paid = msgspec.structs.replace(
            known, amount_cents=event.amount_cents, lot_id=lot_id, paid_at=event.paid_at
        )
        if reversed_cents := _reversed(paid, known.reversed_cents):
            rules.take_back_purchase(book, reversed_cents, _reversal(event.session_id), lot_id)
        await orders.set_purchase(db, event.organization_id, event.session_id, paid)
        note = Note(audit.STRIPE_GATEWAY, "credits_purchased", event.session_id)
        return [*opened, *await self._books.close(db, book, note)]

    async def reverse_purchase(self, event: PurchaseReversed, db: Db) -> Sequence[Event]:
        """Bring what was taken back of a purchase to what Stripe says; older news is ignored."""
        if event.kind != "credits":
            return ()
        opened, book = await self._books.begin(db, event.organization_id)
        known = await orders.get_purchase(db, event.organization_id, event.session_id)
        if event.version <= known.reversal_version:
            return opened
        now = msgspec.structs.replace(
            known, reversed_cents=event.reversed_cents, reversal_version=event.version
        )
        await self._move(db, book, event.session_id, known, now)
        await orders.set_purchase(db, event.organization_id, event.session_id, now)
        note = Note(audit.STRIPE_GATEWAY, "purchase_reversed", event.session_id)
        return [*opened, *await self._books.close(db, book, note)]

    async def _move(
        self, db: Db, book: Book, session_id: str, was: Purchase, now: Purchase
    ) -> None:
        if was.lot_id is None:
            return  # not paid as far as we know: the grant will take it into account
        change = _reversed(now, now.reversed_cents) - _reversed(was, was.reversed_cents)
        if change > 0:
            rules.take_back_purchase(book, change, _reversal(session_id), was.lot_id)
        elif change < 0:
            history = await store.list_pieces(db, book, "purchase", session_id, REVERSALS)
            origin = Origin("purchase", session_id, "Reversal of a purchase reinstated")
            rules.reinstate(book, -change, origin, history, new_id())


def _reversed(purchase: Purchase, cents: int) -> int:
    """Never more than was granted, whatever fees a bank adds."""
    return max(0, min(cents, purchase.amount_cents or 0))


def _reversal(session_id: str) -> Origin:
    return Origin("purchase", session_id, "Purchase refunded or disputed")

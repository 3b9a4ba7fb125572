"""Operators grant and take credits, invoices burn them and give them back."""

import hashlib
from collections.abc import Sequence

import msgspec

from services.account.handlers import audit
from services.account.handlers.books import Books, Note, balance
from services.account.rules import credits as rules
from services.account.store import books as store
from services.account.store import entries, orders
from services.account.store.orders import Action, Application, Order
from services.account.tables.rows import Book, LedgerAccount, Origin
from shared.clock import new_id
from shared.contracts.account import (
    ApplyCredits,
    CreditBalance,
    CreditEntries,
    GrantCredits,
    ListCreditEntries,
    RestoreCredits,
    TakeCredits,
)
from shared.contracts.base import Event, Refusal
from shared.database import Db

# Far above anything bought; a sum that fits every integer on its way.
LARGEST_BALANCE_CENTS = 10**14

NO_ACCOUNT = Refusal(
    code="account_not_found", detail="This organization has no billing account.", status=404
)
USED_ID = Refusal(
    code="id_reused", detail="This id was used for another order; use a new one for a new order."
)
BAD_TIME = Refusal(
    code="invalid_expiry",
    detail="`expires_at` must have a time zone and lie in the future, within a century.",
    status=422,
)

Answer = Refusal | tuple[CreditBalance, Sequence[Event]]


class Credits:
    """Answers what changes credits."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def grant_credits(self, request: GrantCredits, db: Db) -> Answer:
        """Give credits, once per grant id."""
        if not rules.is_usable_until(request.expires_at, db.now):
            return BAD_TIME
        book = await self._books.open(db, request.organization_id)
        if book is None:
            return NO_ACCOUNT
        known = await orders.find_order(db, request.organization_id, "grant", request.grant_id)
        if known is not None:
            return _known(book, known, request)
        if book.now.ledger_cents + request.amount_cents > LARGEST_BALANCE_CENTS:
            return Refusal(code="balance_limit", detail="No account may hold that many credits.")
        counter: LedgerAccount = "promotions" if request.kind == "promotional" else "adjustments"
        rules.grant(
            book,
            new_id(),
            request.kind,
            request.amount_cents,
            Origin("grant", request.grant_id, request.description or "Credits granted"),
            counter,
            request.expires_at,
        )
        return await self._carry_out(db, book, "grant", request, request.grant_id)

    async def take_credits(self, request: TakeCredits, db: Db) -> Answer:
        """Take credits, once per taking id; at most what is free."""
        book = await self._books.open(db, request.organization_id)
        if book is None:
            return NO_ACCOUNT
        known = await orders.find_order(db, request.organization_id, "take", request.taking_id)
        if known is not None:
            return _known(book, known, request)
        origin = Origin("taking", request.taking_id, request.description or "Credits taken back")
        taken = rules.take(book, request.amount_cents, origin)
        return await self._carry_out(db, book, "take", request, request.taking_id, taken)

    async def _carry_out(
        self,
        db: Db,
        book: Book,
        action: Action,
        request: GrantCredits | TakeCredits,
        order_id: str,
        moved_cents: int | None = None,
    ) -> Answer:
        moved = request.amount_cents if moved_cents is None else moved_cents
        order = Order(_content_hash(request), moved)
        by = request.requested_by
        await orders.add_order(db, request.organization_id, action, order_id, order, by)
        events = await self._books.close(db, book, Note(by, f"credits_{action}", order_id))
        return balance(book, moved, moved), events

    async def apply_credits(self, request: ApplyCredits, db: Db) -> Answer:
        """Burn credits for an invoice, once; a repetition learns what was burned then."""
        organization_id, invoice_id = request.organization_id, request.invoice_id
        opened, book = await self._books.begin(db, organization_id)
        known = await orders.find_application(db, organization_id, invoice_id)
        if known is not None:
            if known.asked_cents != request.amount_cents and known.restored_at is None:
                return USED_ID
            return balance(book, 0, known.applied_cents), opened
        await store.read_holds(db, book, request.hold_ids)
        origin = Origin("invoice", invoice_id, "Credits applied to an invoice")
        applied = rules.apply(
            book, request.amount_cents, request.hold_ids, request.least_left_cents, origin
        )
        application = Application(request.amount_cents, applied, None)
        await orders.add_application(db, organization_id, invoice_id, application)
        note = Note(audit.INVOICING, "credits_applied", invoice_id)
        events = await self._books.close(db, book, note)
        return balance(book, applied, applied), [*opened, *events]

    async def restore_credits(self, request: RestoreCredits, db: Db) -> Answer:
        """Give back what an invoice burned, once; one that comes too early forbids the burning."""
        organization_id, invoice_id = request.organization_id, request.invoice_id
        opened, book = await self._books.begin(db, organization_id)
        known = await orders.find_application(db, organization_id, invoice_id)
        if known is None:
            await orders.add_application(db, organization_id, invoice_id, Application(0, 0, db.now))
            return balance(book, 0, 0), opened
        if known.restored_at is not None:
            return balance(book, 0, known.applied_cents), opened
        burned = await store.list_pieces(db, book, "invoice", invoice_id, ["burned"])
        origin = Origin("invoice", invoice_id, "Credits of a voided invoice restored")
        restored = rules.restore(book, burned, origin)
        await orders.set_restored(db, organization_id, invoice_id)
        note = Note(audit.INVOICING, "credits_restored", invoice_id)
        events = await self._books.close(db, book, note)
        return balance(book, restored, restored), [*opened, *events]


def _known(book: Book, order: Order, request: GrantCredits | TakeCredits) -> Answer:
    if order.content_hash != _content_hash(request):
        return USED_ID
    return balance(book, 0, order.moved_cents), ()


def _content_hash(request: GrantCredits | TakeCredits) -> bytes:
    # Another operator may repeat the order; what it says must be the same.
    said = msgspec.structs.replace(request, requested_by="-")
    return hashlib.sha256(msgspec.json.encode(said)).digest()


async def list_credit_entries(request: ListCreditEntries, db: Db) -> CreditEntries | Refusal:
    """One page of the ledger."""
    page = await entries.list_entries(db, request)
    if page is None:
        return Refusal(
            code="invalid_cursor",
            detail="`cursor` is not one that a page of credits gave.",
            status=422,
        )
    return page

"""Books of credits: read under the account's lock, written back once."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert

from services.account.tables.rows import Book, Hold, Lot, Part, Piece, Source, Totals
from services.account.tables.schema import credit_lots, ledger_entries, ledger_transactions
from shared.clock import new_id
from shared.contracts.account import CreditEntryKind
from shared.database import Db
from shared.failpoints import failpoint

_LOCK = """
SELECT status, ledger_cents, held_cents, debt_cents, ledger_sequence AS sequence,
       low_credit_armed AS low_armed
FROM accounts WHERE organization_id = $1
"""
_LOTS = """
SELECT lot_id::text AS lot_id, kind, priority, sequence, amount_cents, remaining_cents,
       held_cents, expires_at
FROM credit_lots WHERE organization_id = $1
"""


async def open_book(db: Db, organization_id: str, *, skip_locked: bool = False) -> Book | None:
    """Lock an organization's credits and read them; None when it has no account.

    With `skip_locked` also None when somebody else is at them.
    """
    wait = "SKIP LOCKED" if skip_locked else ""
    row = await db.driver.fetchrow(f"{_LOCK} FOR UPDATE {wait}", organization_id)
    if row is None:
        return None
    # A statement of its own: one that had waited for the lock would see older lots.
    lots = await db.driver.fetch(f"{_LOTS} AND remaining_cents > 0", organization_id)
    totals = dict(row)
    status = totals.pop("status")
    return Book(
        organization_id=organization_id,
        at=db.now,
        status=status,
        found=Totals(**totals),
        now=Totals(**totals),
        lots={lot["lot_id"]: Lot(**dict(lot)) for lot in lots},
    )


async def read_lots(db: Db, book: Book, lot_ids: Iterable[str | None]) -> None:
    """Add lots that may be empty to an open book."""
    missing = [lot_id for lot_id in lot_ids if lot_id and lot_id not in book.lots]
    if missing:
        wanted = f"{_LOTS} AND lot_id = ANY($2::uuid[])"
        lots = await db.driver.fetch(wanted, book.organization_id, missing)
        book.lots.update({lot["lot_id"]: Lot(**dict(lot)) for lot in lots})


_HOLDS = """
SELECT h.hold_id, h.amount_cents, h.status, h.expires_at,
       array_agg(l.lot_id::text ORDER BY l.position) AS lot_ids,
       array_agg(l.amount_cents ORDER BY l.position) AS cents
FROM holds h LEFT JOIN hold_lots l USING (organization_id, hold_id)
WHERE h.organization_id = $1 AND h.hold_id = ANY($2::text[])
GROUP BY h.organization_id, h.hold_id
"""


async def read_holds(db: Db, book: Book, hold_ids: Sequence[str]) -> None:
    """Add holds to an open book; those that do not exist are left out."""
    if not hold_ids:
        return
    rows = await db.driver.fetch(_HOLDS, book.organization_id, hold_ids)
    for row in rows:
        pairs = zip(row["lot_ids"], row["cents"], strict=True)
        book.holds[row["hold_id"]] = Hold(
            hold_id=row["hold_id"],
            amount_cents=row["amount_cents"],
            status=row["status"],
            expires_at=row["expires_at"],
            parts=tuple(Part(lot_id, cents) for lot_id, cents in pairs if lot_id),
        )


_HISTORY = """
SELECT t.kind, e.lot_id::text AS lot_id, e.amount_cents
FROM ledger_transactions t JOIN ledger_entries e USING (organization_id, sequence)
WHERE t.organization_id = $1 AND t.source = $2 AND t.reference = $3
  AND t.kind = ANY($4::text[]) AND e.ledger_account IN ('credits', 'debt')
ORDER BY e.sequence, e.position
"""


async def list_pieces(
    db: Db, book: Book, source: Source, reference: str, kinds: Sequence[CreditEntryKind]
) -> list[Piece]:
    """What transactions of these kinds did to lots and debt, in order; their lots join the book."""
    rows = await db.driver.fetch(_HISTORY, book.organization_id, source, reference, list(kinds))
    await read_lots(db, book, [row["lot_id"] for row in rows])
    return [Piece(row["kind"], Part(row["lot_id"], row["amount_cents"])) for row in rows]


_WRITE_ACCOUNT = """
UPDATE accounts SET
    ledger_cents = ledger_cents + $3, held_cents = held_cents + $4, debt_cents = debt_cents + $5,
    ledger_sequence = ledger_sequence + $6, low_credit_armed = $7
WHERE organization_id = $1 AND ledger_sequence = $2
"""


async def write_book(db: Db, book: Book) -> None:
    """Write what happened in a book: lots, transactions, holds, and at last the account's sums."""
    await _write_lots(db, book)
    await _write_postings(db, book)
    failpoint("account.posted")
    await _write_holds(db, book)
    was, now = book.found, book.now
    if was == now:
        return
    written = await db.driver.execute(
        _WRITE_ACCOUNT,
        book.organization_id,
        was.sequence,
        now.ledger_cents - was.ledger_cents,
        now.held_cents - was.held_cents,
        now.debt_cents - was.debt_cents,
        now.sequence - was.sequence,
        now.low_armed,
    )
    if written != "UPDATE 1":
        raise RuntimeError("a book was written without its account's lock")


_SET_LOT = """
UPDATE credit_lots SET remaining_cents = $3, held_cents = $4
WHERE organization_id = $1 AND lot_id = $2::uuid
"""


async def _write_lots(db: Db, book: Book) -> None:
    if book.new_lots:
        keys = {"organization_id": book.organization_id, "created_at": book.at}
        new = [msgspec.structs.asdict(book.lots[each]) | keys for each in sorted(book.new_lots)]
        await db.execute(insert(credit_lots), new)
    lots = [book.lots[each] for each in sorted(book.changed_lots - book.new_lots)]
    changed = [
        (book.organization_id, lot.lot_id, lot.remaining_cents, lot.held_cents) for lot in lots
    ]
    await _execute_many(db, _SET_LOT, changed)


async def _write_postings(db: Db, book: Book) -> None:
    if not book.postings:
        return
    organization_id = book.organization_id
    transactions = []
    entries = []
    for posting in book.postings:
        row = msgspec.structs.asdict(posting) | msgspec.structs.asdict(posting.origin)
        row |= {"organization_id": organization_id, "entry_id": new_id(), "created_at": book.at}
        transactions.append({column.name: row[column.name] for column in ledger_transactions.c})
        keys = {"organization_id": organization_id, "sequence": posting.sequence}
        entries += [
            msgspec.structs.asdict(entry) | keys | {"position": position}
            for position, entry in enumerate(posting.entries)
        ]
    await db.execute(insert(ledger_transactions), transactions)
    await db.execute(insert(ledger_entries), entries)


_ADD_HOLD = """
INSERT INTO holds (organization_id, hold_id, amount_cents, status, expires_at, created_at,
                   changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
"""
_ADD_HOLD_LOT = """
INSERT INTO hold_lots (organization_id, hold_id, position, lot_id, amount_cents)
VALUES ($1, $2, $3, $4::uuid, $5)
"""
_SET_HOLD = """
UPDATE holds SET status = $3, expires_at = $4, changed_at = $5
WHERE organization_id = $1 AND hold_id = $2
"""


async def _write_holds(db: Db, book: Book) -> None:
    organization_id = book.organization_id
    new = [book.holds[hold_id] for hold_id in sorted(book.new_holds)]
    rows = [
        (organization_id, hold.hold_id, hold.amount_cents, hold.status, hold.expires_at, book.at)
        for hold in new
    ]
    lots = [
        (organization_id, hold.hold_id, position, part.lot_id, part.cents)
        for hold in new
        for position, part in enumerate(hold.parts)
    ]
    changed = [
        (organization_id, hold.hold_id, hold.status, hold.expires_at, book.at)
        for hold in (book.holds[each] for each in sorted(book.changed_holds - book.new_holds))
    ]
    await _execute_many(db, _ADD_HOLD, rows)
    await _execute_many(db, _ADD_HOLD_LOT, lots)
    await _execute_many(db, _SET_HOLD, changed)


async def _execute_many(db: Db, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        await db.driver.executemany(statement, rows)

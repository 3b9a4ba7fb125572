"""The customer's statement, page by page."""

from shared.contracts.account import CreditEntries, CreditEntry, ListCreditEntries
from shared.database import Db

_PAGE = """
SELECT entry_id::text AS entry_id, sequence, kind, lot_kind, amount_cents, balance_after_cents,
       debt_after_cents, description, reference, expires_at, created_at
FROM ledger_transactions
WHERE organization_id = $1 AND ($2::bigint IS NULL OR sequence < $2)
ORDER BY sequence DESC LIMIT $3
"""
# As many digits as a sequence can have: longer ones are not ours.
MAX_CURSOR_DIGITS = 18


async def list_entries(db: Db, request: ListCreditEntries) -> CreditEntries | None:
    """A page of the ledger, newest first; None when the cursor is not one of ours."""
    before: int | None = None
    if request.cursor is not None:
        digits = request.cursor
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_CURSOR_DIGITS):
            return None
        before = int(digits)
    rows = await db.driver.fetch(_PAGE, request.organization_id, before, request.limit + 1)
    entries = tuple(CreditEntry(**dict(row)) for row in rows[: request.limit])
    more = len(rows) > request.limit
    return CreditEntries(entries=entries, next_cursor=str(entries[-1].sequence) if more else None)

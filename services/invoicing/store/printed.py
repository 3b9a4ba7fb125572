"""What is printed beside an invoice itself: how it was paid, and notes that correct it."""

import msgspec

from services.invoicing.tables import CreditNoteRow, PaymentRow
from shared.database import Db

MOST_NOTES = 200

_PAYING = """
SELECT * FROM payments
WHERE organization_id = $1 AND invoice_id = $2
  AND status IN ('succeeded', 'refunded', 'partially_refunded') AND NOT surplus
"""
_NOTES = """
SELECT * FROM credit_notes
WHERE organization_id = $1 AND ($2::text IS NULL OR invoice_id = $2)
ORDER BY number DESC LIMIT $3
"""


async def find_paying(db: Db, organization_id: str, invoice_id: str) -> PaymentRow | None:
    """The payment that paid an invoice, refunded or not."""
    row = await db.driver.fetchrow(_PAYING, organization_id, invoice_id)
    return None if row is None else msgspec.convert(dict(row), PaymentRow)


async def list_notes(db: Db, organization_id: str, invoice_id: str | None) -> list[CreditNoteRow]:
    """The newest credit notes of an organization, or of one of its invoices."""
    rows = await db.driver.fetch(_NOTES, organization_id, invoice_id, MOST_NOTES)
    return [msgspec.convert(dict(row), CreditNoteRow) for row in rows]

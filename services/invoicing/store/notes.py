"""Credit notes: added once, never changed."""

import msgspec
from sqlalchemy import insert

from services.invoicing.tables import CreditNoteRow
from services.invoicing.tables.schema import credit_notes
from shared.database import Db

_FIND = "SELECT * FROM credit_notes WHERE organization_id = $1 AND credit_note_id = $2"
_UNDER_WAY = """
SELECT EXISTS (
    SELECT 1 FROM payments
    WHERE organization_id = $1 AND invoice_id = $2 AND status IN ('pending', 'requires_action')
)
"""
_PAID_BY = """
SELECT payment_id FROM payments
WHERE organization_id = $1 AND invoice_id = $2 AND status IN ('succeeded', 'partially_refunded')
  AND NOT surplus
"""


async def find_note(db: Db, organization_id: str, credit_note_id: str) -> CreditNoteRow | None:
    """A credit note by the id of who asked for it."""
    row = await db.driver.fetchrow(_FIND, organization_id, credit_note_id)
    return None if row is None else msgspec.convert(dict(row), CreditNoteRow)


async def add_note(db: Db, row: CreditNoteRow) -> None:
    """Keep a credit note."""
    await db.execute(insert(credit_notes).values(msgspec.structs.asdict(row)))


async def is_being_paid(db: Db, organization_id: str, invoice_id: str) -> bool:
    """Whether an attempt to collect an invoice is under way."""
    return bool(await db.driver.fetchval(_UNDER_WAY, organization_id, invoice_id))


async def find_paying(db: Db, organization_id: str, invoice_id: str) -> str | None:
    """The payment that paid an invoice, if something of it is left to be refunded."""
    found: str | None = await db.driver.fetchval(_PAID_BY, organization_id, invoice_id)
    return found

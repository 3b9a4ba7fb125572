"""Credit notes: added once, never changed; one whose refund failed is void."""

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.invoicing.tables import CreditNoteRow
from services.invoicing.tables.schema import credit_notes, failed_refunds
from shared.contracts.invoicing import CreditNoteKind
from shared.database import Db

# Newest first, with when their refunds failed.
MOST_NOTES = 200
_NOTES = """
SELECT n.*, f.failed_at AS voided_at FROM credit_notes n
LEFT JOIN failed_refunds f USING (organization_id, credit_note_id)
WHERE organization_id = $1 AND ($2::text IS NULL OR credit_note_id = $2)
  AND ($3::text IS NULL OR invoice_id = $3)
ORDER BY number DESC LIMIT $4
"""
_ISSUED = """
SELECT coalesce(sum(amount_cents), 0)::bigint FROM credit_notes n
WHERE organization_id = $1 AND invoice_id = $2 AND ($3::text IS NULL OR kind = $3)
  AND NOT EXISTS (
      SELECT FROM failed_refunds f
      WHERE f.organization_id = n.organization_id AND f.credit_note_id = n.credit_note_id
  )
"""
_FAILED = """
SELECT EXISTS (SELECT FROM failed_refunds WHERE organization_id = $1 AND credit_note_id = $2)
"""

_IN_FLIGHT = """
SELECT EXISTS (SELECT FROM steps WHERE status <> 'concluded' AND kind = $1
               AND state ->> 'organization_id' = $2 AND state ->> 'credit_note_id' = $3)
"""


async def is_in_flight(db: Db, kind: str, organization_id: str, credit_note_id: str) -> bool:
    """Whether a step of this kind is about to issue a credit note, or is parked by it."""
    found: bool = await db.driver.fetchval(_IN_FLIGHT, kind, organization_id, credit_note_id)
    return found


async def find_note(db: Db, organization_id: str, credit_note_id: str) -> CreditNoteRow | None:
    """A credit note by the id of who asked for it."""
    row = await db.driver.fetchrow(_NOTES, organization_id, credit_note_id, None, 1)
    return None if row is None else msgspec.convert(dict(row), CreditNoteRow)


async def list_notes(db: Db, organization_id: str, invoice_id: str | None) -> list[CreditNoteRow]:
    """The newest credit notes of an organization, or of one of its invoices."""
    rows = await db.driver.fetch(_NOTES, organization_id, None, invoice_id, MOST_NOTES)
    return [msgspec.convert(dict(row), CreditNoteRow) for row in rows]


async def sum_issued(
    db: Db, organization_id: str, invoice_id: str, kind: CreditNoteKind | None = None
) -> int:
    """What credit notes of an invoice have credited, in cents; what is only set aside is not in."""
    return int(await db.driver.fetchval(_ISSUED, organization_id, invoice_id, kind))


async def add_note(db: Db, row: CreditNoteRow) -> None:
    """Keep a credit note."""
    values = msgspec.structs.asdict(row)
    del values["voided_at"]
    await db.execute(insert(credit_notes).values(values))


async def add_failed_refund(db: Db, organization_id: str, credit_note_id: str) -> bool:
    """Keep that a refund failed, whether its credit note is there yet or not; False if known."""
    row = {
        "organization_id": organization_id,
        "credit_note_id": credit_note_id,
        "failed_at": db.now,
    }
    added = await db.execute(insert(failed_refunds).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


async def has_refund_failed(db: Db, organization_id: str, credit_note_id: str) -> bool:
    """Whether the refund of a credit note is known to have failed."""
    return bool(await db.driver.fetchval(_FAILED, organization_id, credit_note_id))

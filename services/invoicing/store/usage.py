"""Usage records: added once, billed once."""

from collections.abc import Sequence

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.invoicing.tables import UsageRow
from services.invoicing.tables.schema import usage_records
from shared.database import Db

_PAGE = """
SELECT * FROM usage_records
WHERE organization_id = $1
  AND ($2::boolean IS NULL OR (billed_at IS NOT NULL) = $2)
  AND ($3::timestamptz IS NULL OR (recorded_at, record_id) < ($3, $4))
ORDER BY recorded_at DESC, record_id DESC LIMIT $5
"""


async def add_record(db: Db, row: UsageRow) -> bool:
    """Add a use; False when it is on record already."""
    added = await db.execute(
        insert(usage_records)
        .values(msgspec.structs.asdict(row))
        .on_conflict_do_nothing(constraint="usage_records_once")
    )
    return added.rowcount == 1


async def list_records(
    db: Db,
    organization_id: str,
    *,
    billed: bool | None,
    before: tuple[object, str] | None,
    limit: int,
) -> Sequence[UsageRow]:
    """Newest first, those before a moment and a record."""
    at, record_id = before or (None, None)
    rows = await db.driver.fetch(_PAGE, organization_id, billed, at, record_id, limit)
    return [msgspec.convert(dict(row), UsageRow) for row in rows]


_OF_INVOICE = """
SELECT * FROM usage_records
WHERE organization_id = $1 AND invoice_id = $2 AND ($3::integer IS NULL OR position = $3)
  AND ($4::timestamptz IS NULL OR (recorded_at, record_id) < ($4, $5))
ORDER BY recorded_at DESC, record_id DESC LIMIT $6
"""


async def list_invoice_records(
    db: Db,
    organization_id: str,
    invoice_id: str,
    *,
    position: int | None,
    before: tuple[object, str] | None,
    limit: int,
) -> Sequence[UsageRow]:
    """What is behind an invoice, or behind one line, newest first."""
    at, record_id = before or (None, None)
    arguments = (organization_id, invoice_id, position, at, record_id, limit)
    rows = await db.driver.fetch(_OF_INVOICE, *arguments)
    return [msgspec.convert(dict(row), UsageRow) for row in rows]

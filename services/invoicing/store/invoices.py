"""Invoices and their lines: written once, numbered once, and read in the order of time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.invoicing.tables import InvoiceRow, LineRow
from shared.contracts.invoicing import UsageType
from shared.database import Db

_COLUMNS = InvoiceRow.__struct_fields__
_LINE_COLUMNS = LineRow.__struct_fields__
_KEYS = ("organization_id", "invoice_id")
_CHANGING = tuple(name for name in _COLUMNS if name not in _KEYS)


def _numbered(count: int, first: int = 1) -> str:
    return ", ".join(f"${number}" for number in range(first, first + count))


_ADD = f"""
INSERT INTO invoices ({", ".join(_COLUMNS)}) VALUES ({_numbered(len(_COLUMNS))})
"""  # noqa: S608 -- constants
_SAVE = f"""
UPDATE invoices SET ({", ".join(_CHANGING)}) = ROW({_numbered(len(_CHANGING), 3)})
WHERE organization_id = $1 AND invoice_id = $2
"""  # noqa: S608 -- constants
_ADD_LINE = f"""
INSERT INTO invoice_lines ({", ".join(_LINE_COLUMNS)}) VALUES ({_numbered(len(_LINE_COLUMNS))})
"""  # noqa: S608 -- constants
_FIND = "SELECT * FROM invoices WHERE organization_id = ANY($1::text[]) AND invoice_id = $2"
_MANY = """
SELECT * FROM invoices
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_DRAFT = """
SELECT * FROM invoices WHERE organization_id = $1 AND status = 'draft' AND kind = 'usage'
"""
_FINALIZED_AFTER = """
SELECT * FROM invoices
WHERE organization_id = $1 AND kind = 'usage' AND finalized_at > $2 AND status <> 'void'
ORDER BY number DESC LIMIT 1
"""
_LAST_NUMBER = """
SELECT i.invoice_number FROM invoices i JOIN invoice_lines l USING (organization_id, invoice_id)
WHERE organization_id = $1 AND l.usage_type = $2 AND i.number IS NOT NULL AND i.status <> 'void'
ORDER BY i.number DESC LIMIT 1
"""
# A draft that came to nothing is kept, and shown to nobody.
_PAGE = """
SELECT * FROM invoices
WHERE organization_id = $1 AND ($2::text IS NULL OR status = $2)
  AND NOT (status = 'void' AND finalized_at IS NULL AND kind = 'usage')
  AND ($3::timestamptz IS NULL OR (created_at, invoice_id) < ($3, $4))
ORDER BY created_at DESC, invoice_id DESC LIMIT $5
"""
_LINES = """
SELECT * FROM invoice_lines
WHERE (organization_id, invoice_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY organization_id, invoice_id, position
"""

Lines = dict[str, tuple[LineRow, ...]]


async def add_invoices(db: Db, rows: Sequence[InvoiceRow], lines: Sequence[LineRow]) -> None:
    """Add invoices with all of their lines."""
    await db.driver.executemany(_ADD, [_values(row, _COLUMNS) for row in rows])
    await db.driver.executemany(_ADD_LINE, [_values(line, _LINE_COLUMNS) for line in lines])


async def save_invoices(db: Db, rows: Sequence[InvoiceRow]) -> None:
    """Write invoices anew; what a final one says is refused to change."""
    names = (*_KEYS, *_CHANGING)
    await db.driver.executemany(_SAVE, [_values(row, names) for row in rows])


async def find_invoice(
    db: Db, organization_ids: Sequence[str], invoice_id: str
) -> InvoiceRow | None:
    """An invoice, if it is one of these organizations'."""
    return _row(await db.driver.fetchrow(_FIND, list(organization_ids), invoice_id))


async def get_invoices(db: Db, invoices: Mapping[str, str]) -> dict[str, InvoiceRow]:
    """One invoice of each of these organizations."""
    rows = await db.driver.fetch(_MANY, list(invoices), list(invoices.values()))
    return {row["organization_id"]: invoice_row(row) for row in rows}


async def find_draft(db: Db, organization_id: str) -> InvoiceRow | None:
    """The invoice that is under way."""
    return _row(await db.driver.fetchrow(_DRAFT, organization_id))


async def find_finalized_after(db: Db, organization_id: str, moment: datetime) -> InvoiceRow | None:
    """An invoice of ours that became final after a moment."""
    return _row(await db.driver.fetchrow(_FINALIZED_AFTER, organization_id, moment))


async def find_last_number(db: Db, organization_id: str, usage_type: UsageType) -> str | None:
    """The number of the last invoice that billed this kind of use."""
    found: str | None = await db.driver.fetchval(_LAST_NUMBER, organization_id, usage_type)
    return found


async def list_invoices(
    db: Db,
    organization_id: str,
    *,
    status: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[InvoiceRow]:
    """Newest first, those before a moment and an invoice."""
    at, invoice_id = before or (None, None)
    rows = await db.driver.fetch(_PAGE, organization_id, status, at, invoice_id, limit)
    return [invoice_row(row) for row in rows]


async def list_lines(db: Db, invoices: Sequence[InvoiceRow]) -> Lines:
    """The lines of invoices, by invoice."""
    organizations = [row.organization_id for row in invoices]
    ids = [row.invoice_id for row in invoices]
    lines: dict[str, list[LineRow]] = {each: [] for each in ids}
    for row in await db.driver.fetch(_LINES, organizations, ids):
        lines[row["invoice_id"]].append(msgspec.convert(dict(row), LineRow))
    return {invoice_id: tuple(found) for invoice_id, found in lines.items()}


def invoice_row(row: Any) -> InvoiceRow:
    """A row as it comes from the driver."""
    return msgspec.convert(dict(row), InvoiceRow)


def _row(row: Any) -> InvoiceRow | None:
    return None if row is None else invoice_row(row)


def _values(row: msgspec.Struct, names: Sequence[str]) -> tuple[Any, ...]:
    values = (getattr(row, name) for name in names)
    return tuple(
        msgspec.json.encode(value).decode() if isinstance(value, dict) else value
        for value in values
    )

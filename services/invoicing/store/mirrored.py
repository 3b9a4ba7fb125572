"""Stripe's own invoices, found by the id that Stripe gave them."""

import msgspec

from services.invoicing.store.invoices import add_invoices, invoice_row, save_invoices
from services.invoicing.tables import InvoiceRow, LineRow
from shared.database import Db

_FIND = "SELECT * FROM invoices WHERE organization_id = $1 AND stripe_invoice_id = $2"


async def find_mirrored(db: Db, organization_id: str, stripe_invoice_id: str) -> InvoiceRow | None:
    """An invoice of Stripe's that we were told of before."""
    row = await db.driver.fetchrow(_FIND, organization_id, stripe_invoice_id)
    return None if row is None else invoice_row(row)


async def keep_mirrored(
    db: Db, row: InvoiceRow, before: InvoiceRow | None, lines: list[LineRow]
) -> bool:
    """Write an invoice down as it stands, its lines once; False when nothing has changed."""
    if before is None:
        await add_invoices(db, [row], lines)
        return True
    await save_invoices(db, [row])
    unchanged = {"version": 0, "stripe_version": 0, "updated_at": row.updated_at}
    return msgspec.structs.replace(before, **unchanged) != msgspec.structs.replace(row, **unchanged)

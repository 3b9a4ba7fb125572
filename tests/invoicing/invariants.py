"""What must be true of an organization's invoices at any time, read from the tables."""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from services.invoicing.rules.invoices import content_hash
from services.invoicing.rules.payments import COLLECTED
from services.invoicing.store.invoices import invoice_row
from services.invoicing.tables import InvoiceRow, LineRow
from shared.contracts.stripe_gateway import Charge
from shared.money import PICOUSD_PER_CENT

# Usage that money must come for = what invoices that stand bill + what rounding left over + what
# is not billed yet.
_CONSERVED = """
SELECT
  (SELECT coalesce(sum(total_picousd), 0) FROM usage_records WHERE organization_id = $1) AS used,
  (SELECT coalesce(sum(total_picousd), 0) FROM usage_records
   WHERE organization_id = $1 AND invoice_id IS NULL) AS unbilled,
  (SELECT coalesce(sum(l.total_cents), 0) FROM invoice_lines l
   JOIN invoices i USING (organization_id, invoice_id)
   WHERE organization_id = $1 AND i.kind = 'usage' AND i.status <> 'void') AS billed_cents,
  (SELECT coalesce(sum(carry_picousd), 0) FROM carries WHERE organization_id = $1) AS carried
"""
_RECORDS = """
SELECT u.invoice_id, u.position, count(*) FROM usage_records u
WHERE u.organization_id = $1 AND u.invoice_id IS NOT NULL GROUP BY 1, 2
"""


_COLLECTED = """
SELECT p.payment_id, p.amount_cents, p.refunded_cents, p.surplus, p.invoice_id,
       i.amount_paid_cents, i.amount_refunded_cents
FROM payments p JOIN invoices i USING (organization_id, invoice_id)
WHERE organization_id = $1 AND p.status IN ('succeeded', 'partially_refunded', 'refunded')
"""


async def check_collected(
    connection: asyncpg.Connection, organization_id: str, charges: Mapping[str, Charge]
) -> None:
    """I8, counted in the ledger of who took the money: what nobody owed is on its way back."""
    rows = await connection.fetch(_COLLECTED, organization_id)
    collected = {
        name: (charge.amount_cents, charge.refunded_cents)
        for name, charge in charges.items()
        if charge.status in COLLECTED
    }
    assert {
        row["payment_id"]: (row["amount_cents"], row["refunded_cents"]) for row in rows
    } == collected
    kept = [row for row in rows if not row["surplus"]]
    assert len({row["invoice_id"] for row in kept}) == len(kept)
    for row in kept:
        paid = (row["amount_paid_cents"], row["amount_refunded_cents"])
        assert paid == (row["amount_cents"], row["refunded_cents"])
    assert all(row["refunded_cents"] == row["amount_cents"] for row in rows if row["surplus"])


async def check_invoices(connection: asyncpg.Connection, organization_id: str) -> None:
    """I5, I7, I10 and the sums of each invoice."""
    (sums,) = await connection.fetch(_CONSERVED, organization_id)
    billed = sums["billed_cents"] * PICOUSD_PER_CENT
    assert sums["used"] == sums["unbilled"] + billed + sums["carried"]
    rows = await connection.fetch(
        "SELECT * FROM invoices WHERE organization_id = $1 AND kind = 'usage'", organization_id
    )
    invoices = [invoice_row(_decoded(row)) for row in rows]
    lines = [
        LineRow(**dict(row))
        for row in await connection.fetch(
            "SELECT * FROM invoice_lines WHERE organization_id = $1 ORDER BY position",
            organization_id,
        )
    ]
    numbers = sorted(row.number for row in invoices if row.number is not None)
    assert numbers == [*range(1, len(numbers) + 1)]
    standing = {row.invoice_id for row in invoices if row.status != "void"}
    for record in await connection.fetch(_RECORDS, organization_id):
        assert record["invoice_id"] in standing
    for row in invoices:
        _check(row, [line for line in lines if line.invoice_id == row.invoice_id])


def _decoded(row: Any) -> dict[str, Any]:
    """A row; on a bare connection JSON is text."""
    values = dict(row)
    for name in ("seller", "buyer"):
        if isinstance(values[name], str):
            values[name] = json.loads(values[name])
    return values


def _check(row: InvoiceRow, lines: list[LineRow]) -> None:
    assert [line.position for line in lines] == [*range(1, len(lines) + 1)]
    assert row.subtotal_cents == sum(line.total_cents for line in lines)
    if row.finalized_at is not None:
        assert row.content_hash == content_hash(row, lines)
        assert row.amount_due_cents == 0 or row.amount_due_cents >= 50
    if row.status == "paid":
        assert row.amount_paid_cents + row.credited_cents >= row.amount_due_cents

"""What the auditor compares: usage, lines, invoices, payments, in one snapshot."""

# ruff: noqa: S608 -- queries are put together from fragments of ours

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from services.invoicing.store.invoices import invoice_row
from services.invoicing.tables import InvoiceRow
from shared.contracts.invoicing import InvoicingTotals
from shared.control import count_untold
from shared.database import Db

# Why an account is parked begins like this when the auditor says so.
AUDITOR = "Auditor: "
# Final invoices whose content is hashed anew at a look: the newest ones.
HASHED_INVOICES = 200

_UNTIL = """usage_type = 'workflow_completion'
    AND ($2::timestamptz IS NULL OR recorded_at <= $2)"""
_CHARGEABLE = f"{_UNTIL} AND covered_by NOT IN ('plan', 'free')"
_STANDING = (
    "SELECT * FROM invoices WHERE organization_id = $1 AND kind = 'usage' AND status <> 'void'"
)
_FINAL = f"{_STANDING} AND finalized_at IS NOT NULL"
# Stripe's own invoices are paid at Stripe, not by charges of ours.
_BY_CHARGES = """NOT EXISTS (
    SELECT FROM invoices i WHERE i.organization_id = paid.organization_id
      AND i.invoice_id = paid.invoice_id AND i.kind = 'stripe')"""
# Usage that will never be billed, or that a void invoice still holds.
_MISPLACED = """
SELECT record_id FROM usage_records u WHERE organization_id = $1 AND (
    (billed_at IS NOT NULL AND invoice_id IS NULL AND total_picousd <> 0)
    OR EXISTS (SELECT FROM invoices i WHERE i.organization_id = u.organization_id
               AND i.invoice_id = u.invoice_id AND i.status = 'void'))"""
_NOTED = """
SELECT invoice_id, amount_cents FROM credit_notes n WHERE organization_id = $1
  AND NOT EXISTS (SELECT FROM failed_refunds f
                  WHERE f.organization_id = n.organization_id
                    AND f.credit_note_id = n.credit_note_id)"""
# One statement, so that all of it is one snapshot.
_TOTALS = f"""
WITH uses AS (SELECT * FROM usage_records WHERE organization_id = $1),
standing AS ({_STANDING}),
of_lines AS (SELECT l.* FROM invoice_lines l JOIN standing USING (organization_id, invoice_id)),
numbered AS (SELECT number FROM invoices WHERE organization_id = $1 AND number IS NOT NULL),
paid AS (SELECT * FROM payments WHERE organization_id = $1 AND succeeded_at IS NOT NULL),
profile AS (SELECT * FROM billing_profiles WHERE organization_id = $1)
SELECT
    (SELECT max(last_invoice_number) FROM profile) AS sequence,
    (SELECT count(*) FROM uses WHERE {_UNTIL}) AS usage_until,
    (SELECT sum(unit_price_cents) FROM uses WHERE {_CHARGEABLE}) AS chargeable_cents_until,
    (SELECT sum(u.total_picousd) FROM uses u JOIN standing USING (organization_id, invoice_id))
        AS invoiced_picousd,
    (SELECT sum(exact_picousd) FROM of_lines WHERE usage_type IS NOT NULL) AS lines_picousd,
    (SELECT sum(total_cents) * 10000000000 FROM of_lines WHERE usage_type IS NOT NULL)
        AS rounded_picousd,
    (SELECT sum(carry_picousd) FROM carries WHERE organization_id = $1) AS carried_picousd,
    (SELECT sum(total_cents) FROM of_lines) AS lines_cents,
    (SELECT sum(subtotal_cents) FROM standing) AS subtotals_cents,
    (SELECT count(*) FROM numbered) AS numbered,
    (SELECT max(number) FROM numbered) AS highest_number,
    (SELECT sum(credits_applied_cents) FROM standing WHERE finalized_at IS NOT NULL)
        AS credits_applied_cents,
    (SELECT sum(amount_paid_cents) FROM standing) AS paid_cents,
    (SELECT sum(p.amount_cents) FROM paid p JOIN standing USING (organization_id, invoice_id)
        WHERE NOT p.surplus) AS standing_payments_cents,
    (SELECT sum(amount_cents) FROM paid WHERE {_BY_CHARGES}) AS payments_cents,
    (SELECT count(*) - count(DISTINCT invoice_id) FROM paid WHERE NOT surplus) AS paid_again,
    (SELECT count(*) FROM ({_MISPLACED}) AS m) AS misplaced,
    (SELECT sum(credited_cents) FROM standing) AS credited_cents,
    (SELECT sum(amount_cents) FROM ({_NOTED}) AS n) AS noted_cents,
    (SELECT count(*) FROM standing WHERE status = 'draft') AS drafts,
    (SELECT count(*) FROM steps WHERE status = 'prepared'
        AND state ->> 'organization_id' = $1) AS unsettled,
    (SELECT count(*) FROM profile WHERE parked_reason NOT LIKE '{AUDITOR}%') AS parked_by_itself
"""
BOOKS: Mapping[str, str] = {
    "usage": f"""
        SELECT source_id AS key, 1 AS amount FROM usage_records
        WHERE organization_id = $1 AND {_UNTIL}""",
    "chargeable": f"""
        SELECT source_id AS key, unit_price_cents AS amount FROM usage_records
        WHERE organization_id = $1 AND {_CHARGEABLE}""",
    "lines_by_usage": f"""
        SELECT u.invoice_id || ' ' || lpad(u.position::text, 6, '0') AS key,
               sum(u.total_picousd) AS amount
        FROM usage_records u JOIN ({_STANDING}) AS i USING (organization_id, invoice_id)
        GROUP BY 1""",
    "lines": f"""
        SELECT l.invoice_id || ' ' || lpad(l.position::text, 6, '0') AS key,
               l.exact_picousd AS amount
        FROM invoice_lines l JOIN ({_STANDING}) AS i USING (organization_id, invoice_id)
        WHERE l.usage_type IS NOT NULL""",
    "subtotals": f"SELECT invoice_id AS key, subtotal_cents AS amount FROM ({_STANDING}) AS i",
    "subtotals_by_lines": f"""
        SELECT invoice_id AS key, sum(l.total_cents) AS amount
        FROM invoice_lines l JOIN ({_STANDING}) AS i USING (organization_id, invoice_id)
        GROUP BY invoice_id""",
    "credits_applied": f"""
        SELECT invoice_id AS key, credits_applied_cents AS amount FROM ({_FINAL}) AS i
        WHERE credits_applied_cents > 0""",
    "paid": f"""
        SELECT invoice_id AS key, amount_paid_cents AS amount FROM ({_STANDING}) AS i
        WHERE amount_paid_cents > 0""",
    "paid_by_payments": f"""
        SELECT invoice_id AS key, sum(p.amount_cents) AS amount
        FROM payments p JOIN ({_STANDING}) AS i USING (organization_id, invoice_id)
        WHERE p.succeeded_at IS NOT NULL AND NOT p.surplus GROUP BY invoice_id""",
    "payments": f"""
        SELECT payment_id AS key, amount_cents AS amount FROM payments AS paid
        WHERE organization_id = $1 AND succeeded_at IS NOT NULL AND {_BY_CHARGES}""",
    "misplaced": f"SELECT record_id AS key, 1 AS amount FROM ({_MISPLACED}) AS m",
    "credited": f"""
        SELECT invoice_id AS key, credited_cents AS amount FROM ({_STANDING}) AS i
        WHERE credited_cents > 0""",
    "noted": f"""
        SELECT invoice_id AS key, sum(amount_cents) AS amount FROM ({_NOTED}) AS n
        GROUP BY invoice_id""",
    "paid_again": """
        SELECT invoice_id AS key, count(*) - 1 AS amount FROM payments
        WHERE organization_id = $1 AND succeeded_at IS NOT NULL AND NOT surplus
        GROUP BY invoice_id HAVING count(*) > 1""",
}
_NEWEST = """
SELECT * FROM invoices WHERE organization_id = $1 AND content_hash IS NOT NULL
ORDER BY created_at DESC, invoice_id DESC LIMIT $2
"""


async def get_totals(
    db: Db, organization_id: str, until: datetime | None, altered: int
) -> InvoicingTotals:
    """An organization's billing by every road, in one snapshot."""
    row = await db.driver.fetchrow(_TOTALS, organization_id, until)
    sums = {name: int(value or 0) for name, value in dict(row or {}).items()}
    untold = await count_untold(db, organization_id)
    return msgspec.convert({**sums, "altered": altered, "untold": untold}, InvoicingTotals)


async def list_final(db: Db, organization_id: str) -> Sequence[InvoiceRow]:
    """The newest invoices whose content is final."""
    rows = await db.driver.fetch(_NEWEST, organization_id, HASHED_INVOICES)
    return [invoice_row(row) for row in rows]

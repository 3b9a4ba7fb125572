"""What the auditor compares: sums that must be one another's, and the rows behind them."""

# ruff: noqa: S608 -- queries are put together from fragments of ours

from collections.abc import Mapping

import msgspec

from shared.contracts.account import AccountTotals
from shared.control import count_untold
from shared.database import Db

_LIVE_PINS = """
SELECT p.lot_id, p.amount_cents FROM holds h JOIN hold_lots p USING (organization_id, hold_id)
WHERE h.organization_id = $1 AND h.status IN ('held', 'committed')
"""
_KIND_SIGNS = (
    "('granted', 'burned', 'restored', 'taken_back', 'reinstated', 'expired', 'debt_paid', 'debt')"
)
# One statement, so that all of it is one snapshot.
_TOTALS = f"""
WITH row AS (SELECT * FROM accounts WHERE organization_id = $1),
entries AS (SELECT * FROM ledger_entries WHERE organization_id = $1),
sums AS (SELECT sequence, sum(amount_cents) AS cents FROM entries GROUP BY sequence),
transactions AS (SELECT * FROM ledger_transactions WHERE organization_id = $1),
lots AS (SELECT * FROM credit_lots WHERE organization_id = $1),
bought AS (SELECT * FROM purchases WHERE organization_id = $1 AND paid_at IS NOT NULL),
moved AS (SELECT * FROM money_movements WHERE organization_id = $1)
SELECT
    (SELECT max(ledger_sequence) FROM row) AS sequence,
    (SELECT max(ledger_cents) FROM row) AS account_ledger_cents,
    (SELECT max(held_cents) FROM row) AS account_held_cents,
    (SELECT max(debt_cents) FROM row) AS account_debt_cents,
    (SELECT max(total_amount_spent_cents) FROM row) AS account_spent_cents,
    (SELECT max(audit_sequence) FROM row) AS audit_sequence,
    (SELECT count(*) FROM transactions) AS transactions,
    (SELECT sum(abs(coalesce(s.cents, 1)))
        FROM transactions t LEFT JOIN sums s USING (sequence)) AS unbalanced_cents,
    (SELECT sum(amount_cents) FROM entries WHERE ledger_account = 'credits')
        AS credits_ledger_cents,
    (SELECT -sum(amount_cents) FROM entries WHERE ledger_account = 'debt') AS debt_ledger_cents,
    -- A debt, and what of a reinstatement canceled one, moved no credits.
    coalesce((SELECT sum(amount_cents) FROM transactions WHERE kind IN {_KIND_SIGNS}), 0)
        - coalesce((SELECT sum(e.amount_cents) FROM entries e JOIN transactions t USING (sequence)
            WHERE e.ledger_account = 'debt' AND t.kind <> 'debt_paid'), 0) AS statement_cents,
    (SELECT sum(remaining_cents) FROM lots) AS lots_cents,
    (SELECT sum(held_cents) FROM lots) AS lots_held_cents,
    (SELECT sum(amount_cents) FROM ({_LIVE_PINS}) AS pins) AS pinned_cents,
    (SELECT count(*) FROM holds WHERE organization_id = $1 AND status = 'held'
        AND amount_cents > 0) AS holds_open,
    (SELECT count(*) FROM moved) AS movements,
    (SELECT sum(amount_cents) FROM moved) AS movements_cents,
    (SELECT count(*) FROM audit_entries WHERE organization_id = $1) AS audit_entries,
    (SELECT sum(amount_cents) FROM bought) AS purchases_cents,
    (SELECT sum(least(reversed_cents, amount_cents)) FROM bought) AS purchases_reversed_cents,
    (SELECT sum(applied_cents) FROM applications
        WHERE organization_id = $1 AND restored_at IS NULL) AS applied_cents,
    (SELECT count(*) FROM dead_letters WHERE organization_id = $1 AND state = 'parked')
        AS dead_letters
"""

BOOKS: Mapping[str, str] = {
    "transactions": """
        SELECT t.sequence::text AS key, coalesce(sum(e.amount_cents), 1) AS amount
        FROM ledger_transactions t LEFT JOIN ledger_entries e USING (organization_id, sequence)
        WHERE t.organization_id = $1 GROUP BY t.sequence""",
    "lots": """
        SELECT lot_id::text AS key, remaining_cents AS amount
        FROM credit_lots WHERE organization_id = $1""",
    "lots_by_entries": """
        SELECT lot_id::text AS key, sum(amount_cents) AS amount
        FROM ledger_entries WHERE organization_id = $1 AND lot_id IS NOT NULL GROUP BY lot_id""",
    "lots_held": """
        SELECT lot_id::text AS key, held_cents AS amount
        FROM credit_lots WHERE organization_id = $1 AND held_cents <> 0""",
    "lots_by_pins": f"""
        SELECT lot_id::text AS key, sum(amount_cents) AS amount FROM ({_LIVE_PINS}) AS pins
        GROUP BY lot_id""",
    "movements": """
        SELECT movement_id AS key, amount_cents AS amount
        FROM money_movements WHERE organization_id = $1""",
    "purchases": """
        SELECT session_id AS key, amount_cents AS amount
        FROM purchases WHERE organization_id = $1 AND paid_at IS NOT NULL""",
    "reversals": """
        SELECT session_id AS key, least(reversed_cents, amount_cents) AS amount
        FROM purchases WHERE organization_id = $1 AND paid_at IS NOT NULL""",
    "open_holds": """
        SELECT hold_id AS key, 1 AS amount
        FROM holds WHERE organization_id = $1 AND status = 'held' AND amount_cents > 0""",
    "applications": """
        SELECT invoice_id AS key, applied_cents AS amount
        FROM applications
        WHERE organization_id = $1 AND restored_at IS NULL AND applied_cents > 0""",
}


async def get_totals(db: Db, organization_id: str) -> AccountTotals:
    """An account's sums by every road, in one snapshot."""
    row = await db.driver.fetchrow(_TOTALS, organization_id)
    sums = {name: int(value or 0) for name, value in dict(row or {}).items()}
    return msgspec.convert(
        {**sums, "untold": await count_untold(db, organization_id)}, AccountTotals
    )

"""What must hold of an organization's credits after every step, read from the tables themselves."""

from typing import Any

import asyncpg

# I4 and I6, and that every sum kept beside the ledger is the ledger's own.
_CHECKS = {
    "every transaction sums to zero": """
        SELECT coalesce(sum(abs(total)), 0) = 0 FROM (
            SELECT sum(amount_cents) AS total FROM ledger_entries WHERE organization_id = $1
            GROUP BY sequence) AS t""",
    "the account's sum is the ledger's": """
        SELECT ledger_cents = (SELECT coalesce(sum(amount_cents), 0) FROM ledger_entries
            WHERE organization_id = $1 AND ledger_account = 'credits')
        FROM accounts WHERE organization_id = $1""",
    "the account's sum is what its lots hold": """
        SELECT ledger_cents = (SELECT coalesce(sum(remaining_cents), 0) FROM credit_lots
            WHERE organization_id = $1)
        FROM accounts WHERE organization_id = $1""",
    "each lot holds what its entries say": """
        SELECT NOT EXISTS (
            SELECT FROM credit_lots l WHERE organization_id = $1 AND remaining_cents <> (
                SELECT coalesce(sum(amount_cents), 0) FROM ledger_entries e
                WHERE e.organization_id = $1 AND e.lot_id = l.lot_id))""",
    "the debt is the ledger's": """
        SELECT debt_cents = (SELECT coalesce(-sum(amount_cents), 0) FROM ledger_entries
            WHERE organization_id = $1 AND ledger_account = 'debt')
        FROM accounts WHERE organization_id = $1""",
    "nobody owes and has": """
        SELECT debt_cents = 0 OR ledger_cents = held_cents FROM accounts
        WHERE organization_id = $1""",
    "what is held is what holds pin": """
        SELECT held_cents = (SELECT coalesce(sum(p.amount_cents), 0)
            FROM holds h JOIN hold_lots p USING (organization_id, hold_id)
            WHERE organization_id = $1 AND h.status IN ('held', 'committed'))
        FROM accounts WHERE organization_id = $1""",
    "each lot pins what holds say": """
        SELECT NOT EXISTS (
            SELECT FROM credit_lots l WHERE organization_id = $1 AND held_cents <> (
                SELECT coalesce(sum(p.amount_cents), 0)
                FROM holds h JOIN hold_lots p USING (organization_id, hold_id)
                WHERE organization_id = $1 AND h.status IN ('held', 'committed')
                  AND p.lot_id = l.lot_id))""",
    "the sequence has no gap": """
        SELECT a.ledger_sequence = count(t.sequence)
               AND a.ledger_sequence = coalesce(max(t.sequence), 0)
        FROM accounts a LEFT JOIN ledger_transactions t USING (organization_id)
        WHERE organization_id = $1 GROUP BY a.ledger_sequence""",
    "granted minus what left is the balance": """
        SELECT ledger_cents = (
            SELECT coalesce(sum(amount_cents) FILTER (
                WHERE kind IN ('granted', 'burned', 'restored', 'taken_back', 'reinstated',
                               'expired', 'debt_paid', 'debt')), 0)
            FROM ledger_transactions WHERE organization_id = $1) + (
            -- A debt, and what of a reinstatement canceled one, moved no credits.
            SELECT coalesce(-sum(e.amount_cents), 0)
            FROM ledger_entries e JOIN ledger_transactions t USING (organization_id, sequence)
            WHERE organization_id = $1 AND e.ledger_account = 'debt' AND t.kind <> 'debt_paid')
        FROM accounts WHERE organization_id = $1""",
    "what was spent is what moved": """
        SELECT total_amount_spent_cents = (SELECT coalesce(sum(amount_cents), 0)
            FROM money_movements WHERE organization_id = $1)
        FROM accounts WHERE organization_id = $1""",
    "the audit log has no gap": """
        SELECT a.audit_sequence = count(e.sequence) AND a.audit_sequence = max(e.sequence)
        FROM accounts a JOIN audit_entries e USING (organization_id)
        WHERE organization_id = $1 GROUP BY a.audit_sequence""",
}
# One statement, so that all of it is one snapshot.
_CHECK_ALL = "SELECT " + ", ".join(f"({query})" for query in _CHECKS.values())


async def check_credits(connection: "asyncpg.Connection[Any]", organization_id: str) -> None:
    """Assert all of it; an organization without an account has nothing to be wrong."""
    answers = await connection.fetchrow(_CHECK_ALL, organization_id)
    assert answers is not None
    wrong = [name for name, holds in zip(_CHECKS, answers, strict=True) if holds is False]
    assert not wrong, f"{organization_id}: not so: {wrong}"

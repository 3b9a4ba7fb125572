"""What the auditor compares: money that moved, beside what it moved for."""

# ruff: noqa: S608 -- queries are put together from fragments of ours

from collections.abc import Mapping

import msgspec

from services.stripe_gateway.rules.states import NOT_GIVEN_BACK
from shared.contracts.stripe_gateway import PaymentTotals
from shared.control import count_untold
from shared.database import Db

_RETURNED = ", ".join(f"'{status}'" for status in sorted(NOT_GIVEN_BACK))
_TOTALS = f"""
WITH moved AS (
    SELECT * FROM money_movements WHERE organization_id = $1 AND amount_cents <> 0
), sold AS (
    SELECT * FROM purchases
    WHERE organization_id = $1 AND paid_at IS NOT NULL AND kind IN ('credits', 'lifetime')
), collected AS (
    SELECT * FROM charges WHERE organization_id = $1 AND succeeded_at IS NOT NULL
)
SELECT (SELECT count(*) FROM moved) AS sequence,
       (SELECT count(*) FROM moved) AS movements,
       (SELECT sum(amount_cents) FROM moved) AS movements_cents,
       (SELECT sum(amount_cents) FROM moved WHERE purpose = 'invoice') AS charge_movements_cents,
       (SELECT count(*) FROM collected) AS collected,
       (SELECT sum(amount_cents) FROM collected) AS collected_cents,
       (SELECT sum(amount_cents) FROM moved WHERE purpose IN ('credits', 'lifetime'))
           AS purchase_movements_cents,
       (SELECT sum(amount_cents) FROM sold) AS bought_cents,
       (SELECT sum(amount_cents) FROM sold WHERE kind = 'credits') AS credits_cents,
       (SELECT sum(reversed_cents) FROM sold WHERE kind = 'credits') AS credits_reversed_cents,
       (SELECT sum(amount_cents) FROM moved WHERE purpose = 'refund') AS refund_movements_cents,
       (SELECT sum(amount_cents) FROM refunds
        WHERE organization_id = $1 AND status_at_stripe NOT IN ({_RETURNED})) AS refunds_cents,
       (SELECT count(*) FROM dead_letters WHERE organization_id = $1 AND state = 'parked')
           AS dead_letters
"""

BOOKS: Mapping[str, str] = {
    "movements": """
        SELECT movement_id AS key, amount_cents AS amount
        FROM money_movements WHERE organization_id = $1 AND amount_cents <> 0""",
    "charges_by_movements": """
        SELECT reference AS key, sum(amount_cents) AS amount FROM money_movements
        WHERE organization_id = $1 AND purpose = 'invoice' GROUP BY reference""",
    "charges": """
        SELECT charge_id AS key, amount_cents AS amount
        FROM charges WHERE organization_id = $1 AND succeeded_at IS NOT NULL""",
    "purchases_by_movements": """
        SELECT reference AS key, sum(amount_cents) AS amount FROM money_movements
        WHERE organization_id = $1 AND purpose IN ('credits', 'lifetime') GROUP BY reference""",
    "purchases": """
        SELECT session_id AS key, amount_cents AS amount FROM purchases
        WHERE organization_id = $1 AND paid_at IS NOT NULL AND kind IN ('credits', 'lifetime')""",
    "credits": """
        SELECT session_id AS key, amount_cents AS amount FROM purchases
        WHERE organization_id = $1 AND paid_at IS NOT NULL AND kind = 'credits'""",
    "reversals": """
        SELECT session_id AS key, reversed_cents AS amount FROM purchases
        WHERE organization_id = $1 AND paid_at IS NOT NULL AND kind = 'credits'""",
    "refunds": f"""
        SELECT stripe_refund_id AS key, amount_cents AS amount FROM refunds
        WHERE organization_id = $1 AND status_at_stripe NOT IN ({_RETURNED})""",
    "refunds_by_movements": """
        SELECT split_part(movement_id, ':', 2) AS key, -sum(amount_cents) AS amount
        FROM money_movements WHERE organization_id = $1 AND purpose = 'refund'
        GROUP BY 1 HAVING sum(amount_cents) <> 0""",
}


async def get_totals(db: Db, organization_id: str) -> PaymentTotals:
    """An organization's money by every road, in one snapshot."""
    row = await db.driver.fetchrow(_TOTALS, organization_id)
    sums = {name: int(value or 0) for name, value in dict(row or {}).items()}
    return msgspec.convert(
        {**sums, "untold": await count_untold(db, organization_id)}, PaymentTotals
    )

"""All figures of an organization's money, without the ids that are new whenever they are given."""

from typing import Any

from services.invoicing.rules.profiles import account_code
from tests.invoicing.organization import Organization

_NUMBERED = "JOIN invoices i USING (organization_id, invoice_id)"
_INVOICING = {
    "usage records": f"""
        SELECT to_jsonb(u) - '{{record_id,invoice_id}}'::text[], i.number
        FROM usage_records u LEFT {_NUMBERED} WHERE organization_id = $1
        ORDER BY usage_type, source_id""",
    "invoices": """
        SELECT to_jsonb(i) - '{invoice_id,content_hash}'::text[] FROM invoices i
        WHERE organization_id = $1 ORDER BY number""",
    "lines": f"""
        SELECT i.number, to_jsonb(l) - 'invoice_id' FROM invoice_lines l {_NUMBERED}
        WHERE organization_id = $1 ORDER BY i.number, l.position""",
    "carries": """
        SELECT usage_type, unit_price_cents, carry_picousd FROM carries
        WHERE organization_id = $1 AND carry_picousd <> 0 ORDER BY 1, 2""",
    "credit notes": f"""
        SELECT i.number, to_jsonb(n) - 'invoice_id' FROM credit_notes n {_NUMBERED}
        WHERE organization_id = $1 ORDER BY n.number""",
    "payments": f"""
        SELECT i.number, to_jsonb(p) - '{{payment_id,invoice_id,stripe_payment_intent_id}}'::text[]
        FROM payments p {_NUMBERED} WHERE organization_id = $1 ORDER BY i.number, p.created_at""",
    "dunning": f"""
        SELECT i.number, to_jsonb(d) - 'invoice_id' FROM dunning d {_NUMBERED}
        WHERE organization_id = $1 ORDER BY i.number""",
    "profile": """
        SELECT to_jsonb(p) - 'billing_account_id' FROM billing_profiles p
        WHERE organization_id = $1""",
}
_ACCOUNT = {
    "account": """
        SELECT to_jsonb(a) - '{billing_account_id,audit_hash}'::text[] FROM accounts a
        WHERE organization_id = $1""",
    "lots": """
        SELECT to_jsonb(l) - 'lot_id' FROM credit_lots l
        WHERE organization_id = $1 ORDER BY sequence""",
    "transactions": """
        SELECT to_jsonb(t) - 'entry_id'
               - CASE WHEN source IN ('invoice', 'lot') THEN 'reference' ELSE '' END
        FROM ledger_transactions t WHERE organization_id = $1 ORDER BY sequence""",
    "entries": """
        SELECT e.sequence, e.position, e.ledger_account, e.amount_cents, l.sequence AS lot
        FROM ledger_entries e LEFT JOIN credit_lots l USING (organization_id, lot_id)
        WHERE organization_id = $1 ORDER BY 1, 2""",
    "holds": """
        SELECT to_jsonb(h) FROM holds h WHERE organization_id = $1 ORDER BY hold_id""",
    "money": """
        SELECT movement_id, amount_cents, purpose, moved_at FROM money_movements
        WHERE organization_id = $1 AND movement_id LIKE 'paid:%' ORDER BY 1""",
}


async def figures(organization: Organization) -> dict[str, list[tuple[Any, ...]]]:
    """Every row by what it is a row of."""
    found = {}
    for database, queries in (
        (organization.database, _INVOICING),
        (organization.bank.account, _ACCOUNT),
    ):
        async with database.read() as db:
            for name, query in queries.items():
                rows = await db.driver.fetch(query, organization.organization_id)
                found[name] = [tuple(row) for row in rows]
    return found


async def nameless(organization: Organization) -> list[str]:
    """The same of whatever organization, to be compared with another one's."""
    name = organization.organization_id
    lines = (
        f"{what}: {row}" for what, rows in (await figures(organization)).items() for row in rows
    )
    return [line.replace(name, "NAME").replace(account_code(name), "CODE") for line in lines]

"""Attempts at invoices. The profile is locked by whoever writes them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.invoicing.tables import PaymentRow
from services.invoicing.tables.payments import payments
from shared.database import Db

_FIND = "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = $2"
_UNDER_WAY = """
SELECT * FROM payments
WHERE organization_id = $1 AND invoice_id = $2 AND NOT superseded
  AND status IN ('pending', 'requires_action')
"""
_REPLACED = """
SELECT payment_id FROM payments
WHERE organization_id = $1 AND invoice_id = $2 AND superseded
  AND status IN ('pending', 'requires_action')
"""
_PAYING = """
SELECT * FROM payments
WHERE organization_id = $1 AND invoice_id = $2
  AND status IN ('succeeded', 'refunded', 'partially_refunded') AND NOT surplus
"""
_LIST = """
SELECT * FROM payments WHERE organization_id = $1 AND invoice_id = $2
ORDER BY created_at DESC, payment_id DESC LIMIT $3
"""
_COLLECTED = """
SELECT coalesce(sum(amount_cents), 0)::bigint FROM payments
WHERE organization_id = $1 AND automatic AND created_at >= $2 AND status <> 'failed'
"""
# Attempts at one invoice that are listed; dunning makes a handful, people some more.
MOST_LISTED = 200


async def find_payment(db: Db, organization_id: str, payment_id: str) -> PaymentRow | None:
    """An attempt, by the id that is its charge's."""
    row = await db.driver.fetchrow(_FIND, organization_id, payment_id)
    return None if row is None else msgspec.convert(dict(row), PaymentRow)


async def get_payment(db: Db, organization_id: str, payment_id: str) -> PaymentRow:
    """An attempt that was written down before. Raises LookupError."""
    found = await find_payment(db, organization_id, payment_id)
    if found is None:
        raise LookupError(payment_id)
    return found


async def find_under_way(db: Db, organization_id: str, invoice_id: str) -> PaymentRow | None:
    """The attempt at an invoice whose last word is not spoken: there is never a second one."""
    row = await db.driver.fetchrow(_UNDER_WAY, organization_id, invoice_id)
    return None if row is None else msgspec.convert(dict(row), PaymentRow)


async def find_replaced(db: Db, organization_id: str, invoice_id: str) -> str | None:
    """The attempt that another one has taken the place of, as long as it may still succeed."""
    found: str | None = await db.driver.fetchval(_REPLACED, organization_id, invoice_id)
    return found


async def find_paying(db: Db, organization_id: str, invoice_id: str) -> PaymentRow | None:
    """The attempt that paid an invoice, refunded or not."""
    row = await db.driver.fetchrow(_PAYING, organization_id, invoice_id)
    return None if row is None else msgspec.convert(dict(row), PaymentRow)


async def list_payments(db: Db, organization_id: str, invoice_id: str) -> Sequence[PaymentRow]:
    """Attempts at an invoice, newest first."""
    rows = await db.driver.fetch(_LIST, organization_id, invoice_id, MOST_LISTED)
    return [msgspec.convert(dict(row), PaymentRow) for row in rows]


async def sum_automatic(db: Db, organization_id: str, since: datetime) -> int:
    """What auto-billing has collected since a moment, or may be collecting, in cents."""
    return int(await db.driver.fetchval(_COLLECTED, organization_id, since))


async def add_payment(db: Db, row: PaymentRow) -> None:
    """Write an attempt down, before its card is charged."""
    await db.execute(payments.insert().values(msgspec.structs.asdict(row)))


async def save_payment(db: Db, row: PaymentRow) -> None:
    """Write an attempt anew."""
    await db.execute(
        payments.update()
        .where(
            payments.c.organization_id == row.organization_id,
            payments.c.payment_id == row.payment_id,
        )
        .values(msgspec.structs.asdict(row))
    )

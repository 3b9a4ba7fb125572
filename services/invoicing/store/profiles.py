"""How organizations are billed."""

from collections.abc import Sequence

import msgspec

from services.invoicing.rules.profiles import account_code, first_close
from services.invoicing.tables import ProfileRow
from services.invoicing.tables.schema import billing_profiles
from shared.database import Db

_OPEN = """
INSERT INTO billing_profiles (organization_id, account_code, next_close_at, opened_at)
VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id) DO NOTHING
"""
_LOCK = "SELECT * FROM billing_profiles WHERE organization_id = $1 FOR UPDATE"
_LOCK_MANY = """
SELECT * FROM billing_profiles WHERE organization_id = ANY($1::text[])
ORDER BY organization_id FOR UPDATE
"""
_SET_NUMBER = "UPDATE billing_profiles SET last_invoice_number = $2 WHERE organization_id = $1"
_FIND = "SELECT * FROM billing_profiles WHERE organization_id = $1"
_SHARE = f"{_FIND} FOR SHARE"


async def lock_profile(db: Db, organization_id: str) -> ProfileRow:
    """An organization's profile, held until the transaction ends; the first one to ask opens it."""
    row = await db.driver.fetchrow(_LOCK, organization_id)
    if row is None:
        code = account_code(organization_id)
        await db.driver.execute(_OPEN, organization_id, code, first_close(db.now), db.now)
        (row,) = await db.driver.fetch(_LOCK, organization_id)
    return msgspec.convert(dict(row), ProfileRow)


async def lock_profiles(db: Db, organization_ids: Sequence[str]) -> dict[str, ProfileRow]:
    """Profiles that there are, held until the transaction ends."""
    rows = await db.driver.fetch(_LOCK_MANY, list(organization_ids))
    return {row["organization_id"]: msgspec.convert(dict(row), ProfileRow) for row in rows}


async def find_profile(db: Db, organization_id: str) -> ProfileRow | None:
    """An organization's profile, to be read; None before anything was heard of it."""
    row = await db.driver.fetchrow(_FIND, organization_id)
    return None if row is None else msgspec.convert(dict(row), ProfileRow)


async def share_profile(db: Db, organization_id: str) -> ProfileRow:
    """A profile that does not change until the transaction ends; others may share it."""
    row = await db.driver.fetchrow(_SHARE, organization_id)
    if row is None:
        return await lock_profile(db, organization_id)
    return msgspec.convert(dict(row), ProfileRow)


async def set_numbers(db: Db, rows: Sequence[ProfileRow]) -> None:
    """Write how many invoices locked profiles have numbered."""
    numbers = [(row.organization_id, row.last_invoice_number) for row in rows]
    await db.driver.executemany(_SET_NUMBER, numbers)


async def save_profile(db: Db, row: ProfileRow) -> None:
    """Write a locked profile anew."""
    values = msgspec.structs.asdict(row)
    await db.execute(
        billing_profiles.update()
        .where(billing_profiles.c.organization_id == row.organization_id)
        .values(values)
    )

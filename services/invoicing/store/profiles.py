"""How organizations are billed."""

from typing import Any

import msgspec

from services.invoicing.rules.profiles import account_code, next_close
from services.invoicing.tables import ProfileRow
from services.invoicing.tables.schema import billing_profiles
from shared.database import Db

_OPEN = """
INSERT INTO billing_profiles (organization_id, account_code, next_close_at, opened_at)
VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id) DO NOTHING
"""
_LOCK = "SELECT * FROM billing_profiles WHERE organization_id = $1 FOR UPDATE"
_FIND = "SELECT * FROM billing_profiles WHERE organization_id = $1"


async def lock_profile(db: Db, organization_id: str) -> ProfileRow:
    """An organization's profile, held until the transaction ends; the first one to ask opens it."""
    row = await db.driver.fetchrow(_LOCK, organization_id)
    if row is None:
        code = account_code(organization_id)
        await db.driver.execute(_OPEN, organization_id, code, next_close(db.now), db.now)
        row = await db.driver.fetchrow(_LOCK, organization_id)
    return msgspec.convert(_values(row), ProfileRow)


async def find_profile(db: Db, organization_id: str) -> ProfileRow | None:
    """An organization's profile, to be read; None before anything was heard of it."""
    row = await db.driver.fetchrow(_FIND, organization_id)
    return None if row is None else msgspec.convert(_values(row), ProfileRow)


async def save_profile(db: Db, row: ProfileRow) -> None:
    """Write a locked profile anew."""
    values = msgspec.structs.asdict(row)
    await db.execute(
        billing_profiles.update()
        .where(billing_profiles.c.organization_id == row.organization_id)
        .values(values)
    )


def _values(row: Any) -> dict[str, Any]:
    # The connection's own codec has read the JSON already.
    return dict(row)

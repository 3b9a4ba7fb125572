"""Organizations as account tells of them; locking one makes its changes come one by one."""

from typing import Any

import msgspec
from sqlalchemy import update

from services.subscription.tables import OrganizationRow
from services.subscription.tables.schema import organizations
from shared.database import Db

_FIND = "SELECT * FROM organizations WHERE organization_id = $1"
_ADD = """
INSERT INTO organizations (organization_id, opened_at) VALUES ($1, $2)
ON CONFLICT (organization_id) DO NOTHING
"""


async def lock_organization(db: Db, organization_id: str) -> OrganizationRow:
    """The organization's row, made if it is new, and held until the transaction ends."""
    row = await db.driver.fetchrow(f"{_FIND} FOR UPDATE", organization_id)
    if row is None:
        await db.driver.execute(_ADD, organization_id, db.now)
        row = await db.driver.fetchrow(f"{_FIND} FOR UPDATE", organization_id)
    return msgspec.convert(dict(row or {}), OrganizationRow)


async def get_organization(db: Db, organization_id: str) -> OrganizationRow:
    """The organization's row; one that is not known yet looks like any new one."""
    row = await db.driver.fetchrow(_FIND, organization_id)
    if row is None:
        return OrganizationRow(organization_id=organization_id, opened_at=db.now)
    return msgspec.convert(dict(row), OrganizationRow)


async def set_organization(db: Db, organization_id: str, **values: Any) -> None:
    """Write down what is new about an organization."""
    await db.execute(
        update(organizations)
        .where(organizations.c.organization_id == organization_id)
        .values(**values)
    )

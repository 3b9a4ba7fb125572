"""Organizations, as they were heard of last."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.notices.tables import OrganizationRow
from services.notices.tables.schema import organizations
from shared.database import Db

_LOCK = "SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE"
_FIND = "SELECT * FROM organizations WHERE organization_id = $1"
_ADD = """
INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT (organization_id) DO NOTHING
"""
_DUE = """
SELECT * FROM organizations WHERE trial_notice_at <= $1 OR card_notice_at <= $1
ORDER BY organization_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_NEXT = "SELECT least(min(trial_notice_at), min(card_notice_at)) FROM organizations"


async def lock_organization(db: Db, organization_id: str) -> OrganizationRow:
    """An organization's row, made if it is new, and held until the transaction ends."""
    row = await db.driver.fetchrow(_LOCK, organization_id)
    if row is None:
        await db.driver.execute(_ADD, organization_id)
        row = await db.driver.fetchrow(_LOCK, organization_id)
    return msgspec.convert(dict(row or {}), OrganizationRow)


async def get_organization(db: Db, organization_id: str) -> OrganizationRow:
    """An organization's row, to be read; one that is not known looks like any new one."""
    row = await db.driver.fetchrow(_FIND, organization_id)
    if row is None:
        return OrganizationRow(organization_id=organization_id)
    return msgspec.convert(dict(row), OrganizationRow)


async def save_organization(db: Db, row: OrganizationRow) -> None:
    """Write a locked row anew."""
    await db.execute(
        organizations.update()
        .where(organizations.c.organization_id == row.organization_id)
        .values(msgspec.structs.asdict(row))
    )


async def lock_due(db: Db, limit: int) -> Sequence[OrganizationRow]:
    """Those about whom something is to be said by now; who is busy is left for the next turn."""
    rows = await db.driver.fetch(_DUE, db.now, limit)
    return [msgspec.convert(dict(row), OrganizationRow) for row in rows]


async def next_due(db: Db) -> datetime | None:
    """When something is to be said next."""
    moment: datetime | None = await db.driver.fetchval(_NEXT)
    return moment

"""Notices: added once an occasion, and marked with what became of their mail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.dialects.postgresql import insert

from services.notices.tables import NoticeRow
from services.notices.tables.schema import notices
from shared.database import Db

_FIND = "SELECT * FROM notices WHERE organization_id = $1 AND notice_id = $2"
_UNMAILED = """
SELECT * FROM notices
WHERE organization_id = $1 AND mail_status = 'no_address' AND raised_at > $2
ORDER BY raised_at, notice_id LIMIT $3
"""
_PAGE = """
SELECT * FROM notices
WHERE organization_id = $1
  AND ($2::timestamptz IS NULL OR (raised_at, organization_id, notice_id) < ($2, $3, $4))
ORDER BY raised_at DESC, organization_id DESC, notice_id DESC LIMIT $5
"""
_PAGE_OF_ALL = _PAGE.replace("organization_id = $1\n  AND", "$1::text IS NULL AND")


async def add_notice(db: Db, row: NoticeRow) -> bool:
    """Add a notice; False when its occasion was told already."""
    added = await db.execute(
        insert(notices)
        .values(msgspec.structs.asdict(row))
        .on_conflict_do_nothing(constraint="notices_once")
    )
    return added.rowcount == 1


async def set_mail(db: Db, organization_id: str, notice_id: str, **values: Any) -> None:
    """Write down what became of a notice's mail."""
    await db.execute(
        notices.update()
        .where(notices.c.organization_id == organization_id, notices.c.notice_id == notice_id)
        .values(values)
    )


async def find_notice(db: Db, organization_id: str, notice_id: str) -> NoticeRow | None:
    """A notice of an organization."""
    row = await db.driver.fetchrow(_FIND, organization_id, notice_id)
    return None if row is None else msgspec.convert(dict(row), NoticeRow)


async def list_unmailed(
    db: Db, organization_id: str, after: datetime, limit: int
) -> Sequence[NoticeRow]:
    """Those raised after a moment, when there was nobody to write to."""
    rows = await db.driver.fetch(_UNMAILED, organization_id, after, limit)
    return [msgspec.convert(dict(row), NoticeRow) for row in rows]


async def list_notices(
    db: Db, organization_id: str | None, before: tuple[datetime, str, str] | None, limit: int
) -> Sequence[NoticeRow]:
    """Newest first, those before a moment, an organization and a notice."""
    at, last_organization, last_id = before or (None, None, None)
    page = _PAGE if organization_id is not None else _PAGE_OF_ALL
    rows = await db.driver.fetch(page, organization_id, at, last_organization, last_id, limit)
    return [msgspec.convert(dict(row), NoticeRow) for row in rows]

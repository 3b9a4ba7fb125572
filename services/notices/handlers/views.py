"""What was said, and how its mail looks."""

from datetime import datetime

from services.notices.handlers.means import Means
from services.notices.mail.message import write_html, write_subject, write_text
from services.notices.store import notices as store
from services.notices.store.organizations import get_organization
from services.notices.tables import NoticeRow
from shared.contracts.base import Refusal
from shared.contracts.notices import (
    GetNoticePreview,
    ListNotices,
    Notice,
    NoticePreview,
    Notices,
)
from shared.cursors import foreign_cursor, read_cursor, write_cursor
from shared.database import Db

FOREIGN_CURSOR = foreign_cursor("notices")
NO_NOTICE = Refusal(code="notice_not_found", detail="There is no such notice.", status=404)


class Views:
    """Answers who wants to look."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def list_notices(self, request: ListNotices, db: Db) -> Notices | Refusal:
        """A page, newest first."""
        before = None
        if request.cursor is not None and (before := _read_cursor(request.cursor)) is None:
            return FOREIGN_CURSOR
        rows = await store.list_notices(db, request.organization_id, before, request.limit + 1)
        page = rows[: request.limit]
        return Notices(
            notices=tuple(_notice(row) for row in page),
            next_cursor=_cursor(page[-1]) if len(rows) > request.limit else None,
        )

    async def preview(self, request: GetNoticePreview, db: Db) -> NoticePreview | Refusal:
        """The mail of a notice, sent or not."""
        notice = await store.find_notice(db, request.organization_id, request.notice_id)
        if notice is None:
            return NO_NOTICE
        organization = await get_organization(db, request.organization_id)
        letter = self._means.letter(organization, notice)
        return NoticePreview(
            subject=write_subject(letter), text=write_text(letter), html=write_html(letter)
        )


def _cursor(row: NoticeRow) -> str:
    # An operator's list is of all organizations, so the place in it names one, too.
    return write_cursor(row.raised_at, f"{row.organization_id}~{row.notice_id}")


def _read_cursor(cursor: str) -> tuple[datetime, str, str] | None:
    place = read_cursor(cursor)
    if place is None:
        return None
    organization_id, _, notice_id = place[1].partition("~")
    return (place[0], organization_id, notice_id) if notice_id else None


def _notice(row: NoticeRow) -> Notice:
    return Notice(
        notice_id=row.notice_id,
        organization_id=row.organization_id,
        kind=row.kind,
        severity=row.severity,
        title=row.title,
        text=row.text,
        reference=row.reference,
        raised_at=row.raised_at,
        mail_status=row.mail_status,
        mail_detail=row.mail_detail,
        mailed_at=row.mailed_at,
    )

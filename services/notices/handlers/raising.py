"""Raising a notice: kept once an occasion, said on the bus, mailed to who can be written to."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from services.notices.handlers.mailing import SendMail
from services.notices.handlers.means import Means
from services.notices.rules.wording import Draft
from services.notices.store import notices as store
from services.notices.tables import NoticeRow, OrganizationRow
from shared.clock import new_id
from shared.contracts.base import Event
from shared.contracts.notices import MailStatus, NoticeRaised
from shared.database import Db
from shared.steps import prepare_step

# Facts come in any order: an address that is heard of so soon after a notice still gets it.
MAIL_LATER_FOR = timedelta(minutes=10)
MOST_LATER = 20


class Raising:
    """What every handler with something to say uses."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def say(
        self, db: Db, organization: OrganizationRow, draft: Draft | None
    ) -> Sequence[Event]:
        """Say it, unless there is nothing to say or it was said already."""
        if draft is None:
            return ()
        notice = NoticeRow(
            organization_id=organization.organization_id,
            notice_id=new_id(),
            raised_at=db.now,
            mail_status=self._mail_status(organization),
            **msgspec.structs.asdict(draft),
        )
        if not await store.add_notice(db, notice):
            return ()
        if notice.mail_status == "queued":
            await self._mail(db, organization, notice)
        return (_told(notice),)

    async def mail_unmailed(self, db: Db, organization: OrganizationRow) -> None:
        """Mail what was raised a moment ago, when there was nobody to write to."""
        if self._mail_status(organization) != "queued":
            return
        since = db.now - MAIL_LATER_FOR
        organization_id = organization.organization_id
        for notice in await store.list_unmailed(db, organization_id, since, MOST_LATER):
            await store.set_mail(db, organization_id, notice.notice_id, mail_status="queued")
            await self._mail(db, organization, notice)

    def _mail_status(self, organization: OrganizationRow) -> MailStatus:
        if self._means.delivery is None:
            return "off"
        address = organization.billing_email
        return "queued" if address and address != organization.refused_email else "no_address"

    async def _mail(self, db: Db, organization: OrganizationRow, notice: NoticeRow) -> None:
        letter = self._means.letter(organization, notice)
        step_id = f"send_mail:{notice.organization_id}:{notice.notice_id}"
        await prepare_step(db, SendMail, step_id, letter)


def _told(notice: NoticeRow) -> NoticeRaised:
    return NoticeRaised(
        organization_id=notice.organization_id,
        notice_id=notice.notice_id,
        kind=notice.kind,
        severity=notice.severity,
        title=notice.title,
        text=notice.text,
        reference=notice.reference,
        raised_at=notice.raised_at,
    )

"""What handlers work with while the process runs: settings, and a way to hand mails over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.notices.mail.delivery import Delivery, delivery_of
from services.notices.mail.message import Letter
from services.notices.settings import NoticesSettings
from services.notices.tables import NoticeRow, OrganizationRow
from shared.database import Database


class Means:
    """Opened before anything is handled."""

    def __init__(self) -> None:
        self._settings: NoticesSettings | None = None
        self.delivery: Delivery | None = None

    @asynccontextmanager
    async def open(self, _database: Database, settings: NoticesSettings) -> AsyncIterator[None]:
        """Read who writes, and through which server."""
        self._settings = settings
        self.delivery = delivery_of(settings)
        yield

    def letter(self, organization: OrganizationRow, notice: NoticeRow) -> Letter:
        """A notice as it is written to whoever looks after the billing."""
        if self._settings is None:
            raise RuntimeError("notices is not running")
        return Letter(
            notice_id=notice.notice_id,
            organization_id=notice.organization_id,
            severity=notice.severity,
            title=notice.title,
            text=notice.text,
            buyer_name=organization.buyer_name,
            recipient=organization.billing_email or "",
            seller_name=self._settings.seller_name,
            link=self._settings.billing_page_url,
            raised_at=notice.raised_at,
        )

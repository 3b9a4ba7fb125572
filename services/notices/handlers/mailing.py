"""Mails, each handed over by a step that a crash resumes and that is given up in the end."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

import msgspec

from services.notices.handlers.means import Means
from services.notices.mail.delivery import Outcome
from services.notices.mail.message import Letter
from services.notices.store.notices import set_mail
from services.notices.store.organizations import lock_organization, save_organization
from shared.contracts.base import Event
from shared.contracts.notices import MailStatus
from shared.database import Db
from shared.steps import Step

STATUSES: dict[str, MailStatus] = {
    "sent": "sent",
    "refused": "refused",
    "dead_address": "refused",
    "off": "off",
}


class SendMail(Step[Letter, Outcome]):
    """Hands one mail over; one that is handed over twice has the same Message-ID."""

    kind: ClassVar[str] = "send_mail"
    state = Letter
    # It holds an address and a name; that it was sent is written down with the notice.
    kept_for = timedelta(days=1)

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Letter) -> Outcome:
        """Talk to the mail server; where mail is off by now, nothing is sent."""
        delivery = self._means.delivery
        return await delivery.deliver(state) if delivery else Outcome("off")

    async def conclude(
        self, step_id: str, state: Letter, outcome: Outcome, db: Db
    ) -> Sequence[Event]:
        """Write down what became of it; a dead address gets no more."""
        await set_mail(
            db,
            state.organization_id,
            state.notice_id,
            mail_status=STATUSES[outcome.status],
            mail_detail=outcome.detail,
            mailed_at=db.now if outcome.status == "sent" else None,
        )
        if outcome.status == "dead_address":
            row = await lock_organization(db, state.organization_id)
            refused = msgspec.structs.replace(row, refused_email=state.recipient)
            await save_organization(db, refused)
        return ()

"""What notices says and answers: what a customer should know, once per occasion."""

from datetime import datetime
from typing import Literal

from shared.contracts.base import Contract, Event, Organization, PageLimit, Reply, Request, Text

NoticeKind = Literal[
    "credits_low",
    "invoice_issued",
    "invoice_paid",
    "payment_reminder",
    "payment_failed",
    "card_expiring",
    "trial_ending",
    "plan_changed",
    "suspended",
    "reinstated",
    "limit_reached",
]
Severity = Literal["info", "success", "warning", "critical"]
# `off`: no mail is sent here. `no_address`: there was nobody to write to. `refused`: the mail
# server will never take it, or its address.
MailStatus = Literal["off", "no_address", "queued", "sent", "refused"]


class NoticeRaised(Event, frozen=True, kw_only=True):
    """A customer should know this; said once per organization, kind and reference."""

    notice_id: str
    kind: NoticeKind
    severity: Severity
    title: str
    text: str
    reference: str
    raised_at: datetime


class Notice(Contract, frozen=True, kw_only=True):
    """A notice, and what became of its mail. `mail_detail` says why one was refused."""

    notice_id: str
    organization_id: str
    kind: NoticeKind
    severity: Severity
    title: str
    text: str
    reference: str
    raised_at: datetime
    mail_status: MailStatus
    mail_detail: str | None
    mailed_at: datetime | None


class Notices(Reply, frozen=True, kw_only=True):
    """A page, newest first."""

    notices: tuple[Notice, ...]
    next_cursor: str | None = None


class ListNotices(Request[Notices], frozen=True, kw_only=True):
    """What an organization was told, or, without one, what all of them were."""

    organization_id: Organization | None = None
    limit: PageLimit = 50
    cursor: Text | None = None


class NoticePreview(Reply, frozen=True, kw_only=True):
    """A notice as its mail looks, whether it was sent or not."""

    subject: str
    text: str
    html: str


class GetNoticePreview(Request[NoticePreview], frozen=True, kw_only=True):
    """The mail of a notice; 404 when there is no such notice."""

    organization_id: Organization
    notice_id: Text

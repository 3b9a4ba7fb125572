"""Rows as values."""

from datetime import datetime

import msgspec

from shared.contracts.notices import MailStatus, NoticeKind, Severity


class OrganizationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard of an organization last; a fact with a lower version is out of date."""

    organization_id: str
    account_version: int = 0
    billing_email: str | None = None
    buyer_name: str | None = None
    refused_email: str | None = None
    plan_version: int = 0
    tier: str = "free"
    plan_status: str = "active"
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    pending_tier: str | None = None
    plan_suspended: bool = False
    trial_ends_at: datetime | None = None
    trial_notice_at: datetime | None = None
    dunning_version: int = 0
    dunning_suspended: bool = False
    methods_version: int = 0
    card_id: str | None = None
    card_name: str | None = None
    card_expires_at: datetime | None = None
    card_notice_at: datetime | None = None

    @property
    def suspended(self) -> bool:
        """Whether nothing runs, whoever decided so."""
        return self.plan_suspended or self.dunning_suspended


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notice, and what became of its mail."""

    organization_id: str
    notice_id: str
    kind: NoticeKind
    reference: str
    severity: Severity
    title: str
    text: str
    raised_at: datetime
    mail_status: MailStatus
    mail_detail: str | None = None
    mailed_at: datetime | None = None

"""What the auditor says and answers: numbers that do not agree, and the accounts parked for it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import (
    PRINTABLE_PATTERN,
    Contract,
    Event,
    Organization,
    PageLimit,
    Reply,
    Request,
    Text,
)

# open: nobody has decided. accepted: released, and still as it was. closed: agrees again.
FindingStatus = Literal["open", "accepted", "closed"]
Reason = Annotated[str, Meta(pattern=PRINTABLE_PATTERN, min_length=1, max_length=500)]


class AccountParked(Event, frozen=True, kw_only=True):
    """Numbers of an organization do not agree: no invoice and no charge until it is released.

    A `version` lower than one of AccountParked or AccountReleased seen before is out of date.
    """

    version: int
    finding_id: str
    check: str
    reason: str
    parked_at: datetime


class AccountReleased(Event, frozen=True, kw_only=True):
    """An operator let an organization go on; `version` counts together with AccountParked's."""

    version: int
    reason: str
    released_by: str
    released_at: datetime


class Figure(Contract, frozen=True, kw_only=True):
    """What one owner's tables said, in one snapshot, up to a number of its own sequence."""

    owner: str
    name: str
    value: int
    sequence: int


class RowDifference(Contract, frozen=True, kw_only=True):
    """A row on which the two sides do not agree; null where one side has none."""

    key: str
    left: int | None
    right: int | None


class Finding(Contract, frozen=True, kw_only=True):
    """A check that failed twice with nothing in flight; `difference` is left minus right.

    `agrees_since` is when the numbers were first seen to agree again.
    """

    finding_id: str
    organization_id: str
    invariant: str
    check: str
    sentence: str
    difference: int
    parks: bool
    status: FindingStatus
    found_at: datetime
    seen_at: datetime
    agrees_since: datetime | None = None


class Findings(Reply, frozen=True, kw_only=True):
    """Newest first."""

    findings: tuple[Finding, ...]


class ListFindings(Request[Findings], frozen=True, kw_only=True):
    """What was found, of one organization or of all."""

    organization_id: Organization | None = None
    status: FindingStatus | None = None
    limit: PageLimit = 50


class Explanation(Reply, frozen=True, kw_only=True):
    """What was compared: the sums of both sides, and the rows that differ (the first of them).

    `judged_until` cuts what moves all the time; `left_rows` and `right_rows` name the books.
    """

    finding: Finding
    left: tuple[Figure, ...]
    right: tuple[Figure, ...]
    judged_until: datetime
    left_rows: str | None
    right_rows: str | None
    rows: tuple[RowDifference, ...]
    rows_complete: bool


class ExplainFinding(Request[Explanation], frozen=True, kw_only=True):
    """Why a finding is one; 404 when it is not known."""

    finding_id: Text


class ParkedAccount(Reply, frozen=True, kw_only=True):
    """How an organization stands with the auditor; `findings` are those nobody has decided on."""

    organization_id: str
    parked: bool
    version: int
    parked_at: datetime
    reason: str
    findings: tuple[Finding, ...]
    released_at: datetime | None = None
    released_by: str | None = None
    release_reason: str | None = None


class ParkedAccounts(Reply, frozen=True, kw_only=True):
    """Longest parked first."""

    accounts: tuple[ParkedAccount, ...]


class GetParked(Request[ParkedAccounts], frozen=True, kw_only=True):
    """Accounts that are parked now: one organization's, or all of them."""

    organization_id: Organization | None = None
    limit: PageLimit = 50


class ReleaseAccount(Request[ParkedAccount], frozen=True, kw_only=True):
    """Let a parked account go on; what was found is accepted as long as it stays as it is.

    404 when it is not parked.
    """

    organization_id: Organization
    reason: Reason
    requested_by: Text

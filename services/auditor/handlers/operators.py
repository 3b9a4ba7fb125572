"""What operators ask: what was found, why, who is parked; and that an account may go on."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.auditor.rules.checks import BY_NAME, NEVER_ACCEPTED
from services.auditor.rules.judging import Evidence
from services.auditor.store import findings
from shared.contracts.auditor import (
    AccountReleased,
    ExplainFinding,
    Explanation,
    Finding,
    Findings,
    GetParked,
    ListFindings,
    ParkedAccount,
    ParkedAccounts,
    ReleaseAccount,
)
from shared.contracts.base import Event, Refusal, Reply
from shared.database import Db

# Findings that are shown of one parked account.
MOST_SHOWN = 200


def _shown(row: Any) -> Finding:
    check = BY_NAME.get(row.check_name)
    return Finding(
        finding_id=row.finding_id,
        organization_id=row.organization_id,
        # A check may have been given up since.
        invariant=check.invariant if check else "-",
        check=row.check_name,
        sentence=check.sentence if check else row.check_name,
        difference=row.difference,
        parks=row.parks,
        status=row.status,
        found_at=row.found_at,
        seen_at=row.seen_at,
        agrees_since=row.agrees_since,
    )


async def list_findings(request: ListFindings, db: Db) -> Findings:
    """What was found, newest first."""
    of = None if request.organization_id is None else [request.organization_id]
    rows = await findings.list_findings(db, of, request.status, request.limit)
    return Findings(findings=tuple(_shown(row) for row in rows))


async def explain_finding(request: ExplainFinding, db: Db) -> Explanation | Refusal:
    """What was compared, and which rows differ."""
    unknown = Refusal(
        code="finding_not_found", detail=f"No finding {request.finding_id}.", status=404
    )
    try:
        finding_id = str(UUID(request.finding_id))
    except ValueError:
        return unknown
    row = await findings.find_finding(db, finding_id)
    if row is None:
        return unknown
    evidence = msgspec.convert(row.evidence, Evidence)
    return Explanation(finding=_shown(row), **msgspec.structs.asdict(evidence))


async def get_parked(request: GetParked, db: Db) -> ParkedAccounts:
    """Who is parked now."""
    rows = await findings.list_parked(db, request.organization_id, request.limit)
    accounts = [await _standing(db, row) for row in rows]
    return ParkedAccounts(accounts=tuple(accounts))


async def _standing(db: Db, row: Any) -> ParkedAccount:
    found = await findings.list_findings(db, [row.organization_id], "open", MOST_SHOWN)
    return ParkedAccount(
        organization_id=row.organization_id,
        parked=row.parked,
        version=row.version,
        parked_at=row.parked_at,
        reason=row.reason,
        findings=tuple(_shown(each) for each in found),
        released_at=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason,
    )


async def release_account(request: ReleaseAccount, db: Db) -> tuple[Reply, Sequence[Event]]:
    """Let an account go on: what was found is accepted while it stays as it is."""
    organization_id = request.organization_id
    record = await findings.release(db, organization_id, request.requested_by, request.reason)
    if record is None:
        detail = f"{organization_id} is not parked."
        return Refusal(code="account_not_parked", detail=detail, status=404), ()
    for row in (await findings.list_unsettled(db, organization_id)).values():
        over = row.agrees_since is not None or row.check_name in NEVER_ACCEPTED
        status = "closed" if over else "accepted"
        await findings.set_finding(db, row, status=status)
    released = AccountReleased(
        organization_id=organization_id,
        version=record["version"],
        reason=request.reason,
        released_by=request.requested_by,
        released_at=db.now,
    )
    reply = ParkedAccount(**dict(record), findings=())
    return reply, (released,)

"""What a look comes to: findings are written down, and accounts are parked for them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.auditor.rules.checks import BY_NAME, NEVER_ACCEPTED
from services.auditor.rules.judging import Evidence, Failures, Totals, judged
from services.auditor.store import findings
from shared.contracts.auditor import AccountParked
from shared.contracts.base import Event
from shared.database import Db

logger = logging.getLogger(__name__)


class Verdict(msgspec.Struct, frozen=True):
    """What was said, what does not agree, and what of that is sure."""

    totals: Totals
    failures: Failures
    confirmed: Mapping[str, Evidence]


async def keep_verdict(db: Db, organization_id: str, verdict: Verdict) -> Sequence[Event]:
    """Add findings or bring them up to date; what was accepted stays so while it is the same."""
    known = await findings.list_unsettled(db, organization_id)
    await _close_what_agrees(db, known, verdict)
    events: list[Event] = []
    for name, evidence in sorted(verdict.confirmed.items()):
        difference = verdict.failures[name].difference
        row = known.get(name)
        if row is not None and row.difference == difference and row.agrees_since is None:
            await findings.set_finding(db, row, seen_at=db.now)
            continue
        if name in NEVER_ACCEPTED and await findings.is_released_since(
            db, organization_id, evidence.judged_until
        ):
            # Seen before the release was heard of: it would park again what has just been let go.
            continue
        finding_id = await _find(db, organization_id, name, difference, evidence, row)
        if BY_NAME[name].parks:
            events += await _park(db, organization_id, name, finding_id)
    return events


async def _close_what_agrees(db: Db, known: Mapping[str, Any], verdict: Verdict) -> None:
    """Numbers that agree again close what was accepted or parked nobody; the rest is noted."""
    agreeing = {check.name for check in judged(verdict.totals)} - verdict.failures.keys()
    for name in agreeing & known.keys():
        row = known[name]
        if row.status == "accepted" or not row.parks:
            await findings.set_finding(db, row, status="closed", agrees_since=db.now)
        elif row.agrees_since is None:
            await findings.set_finding(db, row, agrees_since=db.now)


async def _find(
    db: Db, organization_id: str, name: str, difference: int, evidence: Evidence, row: Any
) -> str:
    check = BY_NAME[name]
    told = {"organization": organization_id, "check": name, "difference": difference}
    logger.error("numbers do not agree", extra={"fields": {**told, "invariant": check.invariant}})
    if row is None:
        return await findings.add_finding(
            db, organization_id, name, difference, evidence, parks=check.parks
        )
    await findings.set_finding(
        db,
        row,
        status="open",
        difference=difference,
        evidence=msgspec.to_builtins(evidence),
        seen_at=db.now,
        agrees_since=None,
    )
    return str(row.finding_id)


async def _park(db: Db, organization_id: str, name: str, finding_id: str) -> Sequence[Event]:
    check = BY_NAME[name]
    reason = f"{check.invariant}: {check.sentence}"
    version = await findings.park(db, organization_id, reason)
    if version is None:
        return ()
    logger.error("account parked", extra={"fields": {"organization": organization_id}})
    return (
        AccountParked(
            organization_id=organization_id,
            version=version,
            finding_id=finding_id,
            check=name,
            reason=reason,
            parked_at=db.now,
        ),
    )

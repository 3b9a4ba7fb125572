"""Workflows and their counters move together: covered, charged, released. Facts are returned."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.subscription.handlers.holds import settle_hold
from services.subscription.rules.coverage import (
    Source,
    Warned,
    auto_billing,
    included,
    resource_of,
    thresholds_crossed,
)
from services.subscription.rules.entitlements import Standing, remaining
from services.subscription.store import quotas
from services.subscription.tables import QuotaRow, WorkflowRow
from services.subscription.tables.rows import QuotaSource
from shared.contracts.base import Event
from shared.contracts.subscription import (
    LimitReached,
    ReleaseReason,
    WorkflowCharged,
    WorkflowReleased,
)
from shared.database import Db

# A hold outlives its reservation at account, so that it cannot expire under a late completion.
HOLD_OUTLIVES = timedelta(days=7)


class Covered(msgspec.Struct):
    """What was found for many workflows."""

    rows: list[WorkflowRow] = msgspec.field(default_factory=list)
    rest: list[WorkflowRow] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)


async def cover_included(db: Db, standing: Standing, rows: Sequence[WorkflowRow]) -> Covered:
    """Reserve from the plan, then from the free workflows; a completed one is used at once."""
    return await _cover(db, standing, included(standing), rows)


async def cover_by_auto_billing(db: Db, standing: Standing, rows: Sequence[WorkflowRow]) -> Covered:
    """Let auto-billing pay, within its monthly limit, if it may."""
    source = auto_billing(standing)
    return await _cover(db, standing, (source,) if source else (), rows)


async def _cover(
    db: Db, standing: Standing, sources: Sequence[Source], rows: Sequence[WorkflowRow]
) -> Covered:
    found = Covered(rest=list(rows))
    if not rows or not sources:
        return found
    organization_id = standing.organization.organization_id
    keys = [(source.source, source.subject, source.period.start) for source in sources]
    known = await quotas.get_quotas(db, organization_id, keys)
    for source, key in zip(sources, keys, strict=True):
        left = remaining(source.limit, known.get(key))
        taken = found.rest if left < 0 else found.rest[:left]
        if not taken:
            continue
        used = sum(row.completed_at is not None for row in taken)
        quota = await quotas.take(
            db,
            organization_id,
            key,
            source.period.end,
            source.limit,
            used=used,
            reserved=len(taken) - used,
        )
        found.rows += [_covered_by(row, source) for row in taken]
        found.rest = found.rest[len(taken) :]
        found.events += await _warn(db, standing, source, quota)
    return found


def _covered_by(row: WorkflowRow, source: Source) -> WorkflowRow:
    return msgspec.structs.replace(
        row,
        covered_by=source.source,
        quota_subject=source.subject,
        quota_period_start=source.period.start,
    )


async def _warn(db: Db, standing: Standing, source: Source, quota: QuotaRow) -> list[Event]:
    resource = resource_of(source.source)
    taken = quota.used + quota.reserved
    warned = Warned(quota.warned_percent, quota.warned_limit)
    crossed = thresholds_crossed(taken, source.limit, warned)
    if resource is None or not crossed:
        return []
    key = (source.source, source.subject, source.period.start)
    now_warned = Warned(crossed[-1], source.limit)
    await quotas.set_warned(db, quota.organization_id, key, now_warned)
    return [
        LimitReached(
            organization_id=quota.organization_id,
            resource=resource,
            threshold_percent=percent,
            used=taken,
            limit=source.limit,
            period_start=source.period.start,
            reached_at=standing.at,
        )
        for percent in crossed
    ]


def as_reserved(row: WorkflowRow) -> WorkflowRow:
    """A covered workflow that may run now."""
    return msgspec.structs.replace(row, state="reserved")


def charged_fact(standing: Standing, row: WorkflowRow) -> WorkflowCharged:
    """The fact that a workflow is charged."""
    return WorkflowCharged(
        organization_id=row.organization_id,
        workflow_id=row.workflow_id,
        reservation_id=row.reservation_id,
        ticket_id=row.ticket_id,
        tier=standing.plan.tier,
        covered_by=row.covered_by or "none",
        unit_price_cents=row.unit_price_cents,
        hold_id=row.hold_id if row.covered_by == "credits" else None,
        period_start=row.quota_period_start,
        completed_at=row.completed_at or standing.at,
        charged_at=row.charged_at or standing.at,
    )


async def charge_covered(
    db: Db, standing: Standing, rows: Sequence[WorkflowRow]
) -> tuple[list[WorkflowRow], list[Event]]:
    """Completed workflows whose cover is used already: they are charged now."""
    charged = [
        msgspec.structs.replace(row, state="charged", charged_at=standing.at, expires_at=None)
        for row in rows
    ]
    for row in charged:
        if row.covered_by == "credits":
            await settle_hold(db, row, "commit")
    return charged, [charged_fact(standing, row) for row in charged]


async def charge_reserved(
    db: Db, standing: Standing, row: WorkflowRow, completed_at: datetime
) -> tuple[WorkflowRow, list[Event]]:
    """A reserved workflow has completed: what it reserved is used."""
    if (key := quota_key(row)) is not None:
        await quotas.settle_reserved(db, row.organization_id, key, used=1, released=1)
    completed = msgspec.structs.replace(row, completed_at=completed_at)
    rows, events = await charge_covered(db, standing, [completed])
    return rows[0], events


async def release(
    db: Db, row: WorkflowRow, reason: ReleaseReason, at: datetime
) -> tuple[WorkflowRow, list[Event]]:
    """Give back what a workflow has reserved.

    A pending one has its hold, if it gets any, let go by the step that asked for it.
    """
    if row.state == "reserved":
        if (key := quota_key(row)) is not None:
            await quotas.settle_reserved(db, row.organization_id, key, used=0, released=1)
        if row.covered_by == "credits":
            await settle_hold(db, row, "release")
    state = "expired" if reason == "expired" else "released"
    ended = msgspec.structs.replace(row, state=state, released_at=at, expires_at=None)
    fact = WorkflowReleased(
        organization_id=row.organization_id,
        workflow_id=row.workflow_id,
        reservation_id=row.reservation_id,
        covered_by=row.covered_by,
        reason=reason,
        released_at=at,
    )
    return ended, [fact]


def quota_key(row: WorkflowRow) -> quotas.Key | None:
    """The counter that covers a workflow; None when credits or nothing does."""
    sources: dict[str | None, QuotaSource] = {
        "plan": "plan",
        "free": "free",
        "auto_billing": "auto_billing",
    }
    source = sources.get(row.covered_by)
    if source is None or row.quota_subject is None or row.quota_period_start is None:
        return None
    return source, row.quota_subject, row.quota_period_start

"""What becomes of workflows: renewed, completed, released, expired; each charged at most once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from services.subscription.handlers.covering import (
    HOLD_OUTLIVES,
    charge_reserved,
    release,
)
from services.subscription.handlers.crediting import complete_unreserved, next_attempt
from services.subscription.handlers.holds import settle_hold
from services.subscription.handlers.means import Means
from services.subscription.handlers.reserving import CHARGED, ENDED, reservation_of
from services.subscription.rules.entitlements import Standing
from services.subscription.store import control
from services.subscription.store.workflows import (
    find_by_reservation,
    find_workflows,
    list_expired,
    next_expiry,
    save_workflows,
)
from services.subscription.tables import WorkflowRow
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.subscription import (
    CompleteWorkflow,
    GetWorkflowTotals,
    ReleaseReason,
    ReleaseWorkflow,
    RenewReservation,
    WorkflowTotals,
)
from shared.control import rows_of
from shared.database import Db

EXPIRED_AT_ONCE = 500
UNKNOWN = Refusal(
    code="reservation_not_found", detail="No such reservation in this organization.", status=404
)
OVER = Refusal(code="reservation_ended", detail="This reservation has ended; reserve again.")

list_control_rows = rows_of(control.BOOKS)


class Workflows:
    """Handlers of single workflows."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def renew(self, request: RenewReservation, db: Db) -> tuple[Reply, Sequence[Event]]:
        """Let a reservation live longer, and the credits held for it."""
        standing = await self._means.locked_standing(db, request.organization_id)
        row = await find_by_reservation(db, request.organization_id, request.reservation_id)
        if row is None or row.state != "reserved":
            return (UNKNOWN if row is None else OVER), ()
        expires_at = standing.at + timedelta(seconds=request.expires_in_seconds)
        renewed = msgspec.structs.replace(row, expires_at=expires_at)
        await save_workflows(db, [renewed])
        if row.covered_by == "credits":
            await settle_hold(db, row, "renew", expires_at + HOLD_OUTLIVES)
        return reservation_of(renewed), ()

    async def complete(self, request: CompleteWorkflow, db: Db) -> tuple[Reply, Sequence[Event]]:
        """Charge a workflow that succeeded; again is the same as once."""
        standing = await self._means.locked_standing(db, request.organization_id)
        row = await find_by_reservation(db, request.organization_id, request.reservation_id)
        if row is None:
            return UNKNOWN, ()
        completed, events = await self.complete_row(db, standing, row, standing.at)
        return reservation_of(completed), events

    async def complete_row(
        self, db: Db, standing: Standing, row: WorkflowRow, at: datetime
    ) -> tuple[WorkflowRow, list[Event]]:
        """Charge a run in whatever state it is, once."""
        if row.state == "charged":
            return row, []
        if row.state == "reserved":
            changed, events = await charge_reserved(db, standing, row, at)
        elif row.state == "pending":
            # The step that waits for credits charges it when it concludes, however late that is.
            completed_at = row.completed_at or at
            changed = msgspec.structs.replace(row, completed_at=completed_at, expires_at=None)
            events = []
        else:
            again = next_attempt(standing, row.workflow_id, row, row.ticket_id)
            again = msgspec.structs.replace(again, completed_at=at)
            changed, events = await complete_unreserved(db, standing, again)
        await save_workflows(db, [changed])
        return changed, events

    async def complete_unknown(
        self, db: Db, standing: Standing, workflow_id: str, ticket_id: str | None, at: datetime
    ) -> list[Event]:
        """Charge a run that nobody has reserved for."""
        row = msgspec.structs.replace(
            next_attempt(standing, workflow_id, None, ticket_id), completed_at=at
        )
        changed, events = await complete_unreserved(db, standing, row)
        await save_workflows(db, [changed])
        return events

    async def release(self, request: ReleaseWorkflow, db: Db) -> tuple[Reply, Sequence[Event]]:
        """Give back what a workflow had reserved; again is the same as once."""
        standing = await self._means.locked_standing(db, request.organization_id)
        row = await find_by_reservation(db, request.organization_id, request.reservation_id)
        if row is None:
            return UNKNOWN, ()
        if row.state == "charged" or row.completed_at is not None:
            return CHARGED, ()
        released, events = await self.release_row(db, row, request.reason, standing.at)
        return reservation_of(released), events

    async def release_row(
        self, db: Db, row: WorkflowRow, reason: ReleaseReason, at: datetime
    ) -> tuple[WorkflowRow, list[Event]]:
        """Give back what a run holds, if it holds anything."""
        if row.state in ENDED or row.completed_at is not None:
            return row, []
        released, events = await release(db, row, reason, at)
        await save_workflows(db, [released])
        return released, events

    async def expire(self, db: Db) -> Sequence[Event]:
        """Give back what was reserved and never heard of again."""
        found = await list_expired(db, db.now, EXPIRED_AT_ONCE)
        events: list[Event] = []
        # Organizations in a fixed order, as everywhere: two replicas cannot lock each other out.
        for organization_id, pairs in groupby(found, key=lambda each: each[0]):
            standing = await self._means.locked_standing(db, organization_id)
            rows = await find_workflows(db, organization_id, [each for _, each in pairs])
            for row in rows.values():
                if row.expires_at is not None and row.expires_at <= standing.at:
                    _, released = await self.release_row(db, row, "expired", standing.at)
                    events += released
        return events

    async def next_expiry(self, db: Db) -> datetime | None:
        """When the next reservation's time is over."""
        return await next_expiry(db)

    async def totals(self, request: GetWorkflowTotals, db: Db) -> WorkflowTotals:
        """Counters beside what they must be the sums of."""
        return await control.get_totals(db, request.organization_id, request.until)

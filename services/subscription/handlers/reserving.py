"""Reserving workflows: what the plan or free ones cover in one local transaction, else a step."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from services.subscription.handlers.covering import as_reserved, cover_included
from services.subscription.handlers.crediting import conclude_holding, holding_for, next_attempt
from services.subscription.handlers.holds import Holding, hold_credits
from services.subscription.handlers.means import Means
from services.subscription.rules.coverage import suspended_refusal, uncovered_refusal
from services.subscription.rules.entitlements import Standing
from services.subscription.store.workflows import find_workflows, save_workflows
from services.subscription.tables import WorkflowRow
from shared.contracts.base import Event, Refusal, Reply, Request
from shared.contracts.subscription import (
    Reservation,
    ReservationResult,
    Reservations,
    ReserveWorkflow,
    ReserveWorkflows,
)
from shared.database import Db
from shared.steps import AnsweringStep

# A run that has given its reservation back may reserve again.
ENDED = frozenset({"released", "expired", "refused"})
PENDING = Refusal(
    code="pending", detail="Credits are being set aside for this workflow; ask again shortly."
)
CHARGED = Refusal(code="already_charged", detail="This workflow has completed and is charged.")

Q = TypeVar("Q", bound=Request[Any])


def reservation_of(row: WorkflowRow) -> Reservation:
    """A row as it is answered."""
    return Reservation(
        reservation_id=row.reservation_id,
        organization_id=row.organization_id,
        workflow_id=row.workflow_id,
        state=row.state,
        covered_by=row.covered_by,
        unit_price_cents=row.unit_price_cents,
        expires_at=row.expires_at,
        charged_at=row.charged_at,
    )


class Reserving(msgspec.Struct):
    """What a transaction found for many workflows: some may still need credits."""

    standing: Standing
    rows: dict[str, WorkflowRow]
    pending: list[WorkflowRow]
    events: list[Event]


async def reserve_included(
    means: Means,
    organization_id: str,
    workflow_ids: Sequence[str],
    seconds: int,
    db: Db,
    ticket_id: str | None = None,
) -> Reserving:
    """Reserve what plan and free workflows cover, for all of them in one transaction.

    A suspended organization gets nothing: its workflows have no rows then.
    """
    standing = await means.locked_standing(db, organization_id)
    rows = await find_workflows(db, organization_id, workflow_ids)
    if standing.suspended:
        return Reserving(standing, rows, [], [])
    expires_at = standing.at + timedelta(seconds=seconds)
    fresh = [
        msgspec.structs.replace(
            next_attempt(standing, workflow_id, rows.get(workflow_id), ticket_id),
            expires_at=expires_at,
        )
        for workflow_id in dict.fromkeys(workflow_ids)
        if workflow_id not in rows or rows[workflow_id].state in ENDED
    ]
    covered = await cover_included(db, standing, fresh)
    reserved = [as_reserved(row) for row in covered.rows]
    await save_workflows(db, [*reserved, *covered.rest])
    rows |= {row.workflow_id: row for row in [*reserved, *covered.rest]}
    return Reserving(standing, rows, covered.rest, covered.events)


def result_for(standing: Standing, row: WorkflowRow | None) -> Reservation | Refusal:
    """What the caller is told of one workflow."""
    if row is None or (row.state in ENDED and standing.suspended):
        return suspended_refusal() if standing.suspended else uncovered_refusal(standing)
    if row.state == "charged":
        return CHARGED
    if row.state == "pending":
        return PENDING
    return reservation_of(row) if row.state == "reserved" else uncovered_refusal(standing)


class _Reserves(AnsweringStep[Q, Holding, list[bool]], Generic[Q]):
    """Needs the account only for what plan and free workflows do not cover."""

    state = Holding

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Holding) -> list[bool]:
        """Have credits set aside, one hold for each workflow."""
        return await hold_credits(self._means, state)


class ReserveOne(_Reserves[ReserveWorkflow]):
    """Answers `ReserveWorkflow`."""

    kind: ClassVar[str] = "reserve_workflow"
    request = ReserveWorkflow

    async def prepare(
        self, request: ReserveWorkflow, db: Db
    ) -> tuple[Holding | Reply, Sequence[Event]]:
        """Answer at once from plan or free workflows, or set out for credits."""
        found = await reserve_included(
            self._means,
            request.organization_id,
            [request.workflow_id],
            request.expires_in_seconds,
            db,
            request.ticket_id,
        )
        if found.pending:
            held = holding_for(found.standing, found.pending, [request.workflow_id])
            return held, found.events
        return result_for(found.standing, found.rows.get(request.workflow_id)), found.events

    async def answer(
        self, step_id: str, state: Holding, outcome: list[bool], db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """What became of it."""
        standing, rows, events = await conclude_holding(self._means, state, outcome, db)
        return result_for(standing, rows.get(state.workflow_ids[0])), events


class ReserveMany(_Reserves[ReserveWorkflows]):
    """Answers `ReserveWorkflows`: many of a hot account in one transaction, one reply each."""

    kind: ClassVar[str] = "reserve_workflows"
    request = ReserveWorkflows

    async def prepare(
        self, request: ReserveWorkflows, db: Db
    ) -> tuple[Holding | Reply, Sequence[Event]]:
        """Answer at once if credits are needed for none."""
        found = await reserve_included(
            self._means,
            request.organization_id,
            request.workflow_ids,
            request.expires_in_seconds,
            db,
        )
        if found.pending:
            return holding_for(found.standing, found.pending, request.workflow_ids), found.events
        return results_for(found.standing, found.rows, request.workflow_ids), found.events

    async def answer(
        self, step_id: str, state: Holding, outcome: list[bool], db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """What became of each."""
        standing, rows, events = await conclude_holding(self._means, state, outcome, db)
        return results_for(standing, rows, state.workflow_ids), events


def results_for(
    standing: Standing, rows: dict[str, WorkflowRow], workflow_ids: Sequence[str]
) -> Reservations:
    """One result for each workflow, in the order asked for."""
    results = []
    for workflow_id in workflow_ids:
        answer = result_for(standing, rows.get(workflow_id))
        results.append(
            ReservationResult(
                workflow_id=workflow_id,
                reservation=answer if isinstance(answer, Reservation) else None,
                refusal=answer if isinstance(answer, Refusal) else None,
            )
        )
    return Reservations(results=tuple(results))

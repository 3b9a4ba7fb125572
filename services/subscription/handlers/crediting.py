"""Workflows that need credits: held for, then covered by them, by auto-billing, or by nothing."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.subscription.handlers.covering import (
    HOLD_OUTLIVES,
    Covered,
    as_reserved,
    charge_covered,
    cover_by_auto_billing,
    cover_included,
)
from services.subscription.handlers.holds import Hold, Holding, hold_credits, settle_hold
from services.subscription.handlers.means import Means
from services.subscription.rules.entitlements import Standing
from services.subscription.store.workflows import find_workflows, save_workflows
from services.subscription.tables import WorkflowRow
from shared.clock import new_id
from shared.contracts.base import Event
from shared.database import Db
from shared.steps import Step, prepare_step


def next_attempt(
    standing: Standing, workflow_id: str, known: WorkflowRow | None, ticket_id: str | None
) -> WorkflowRow:
    """A run that is to be covered: new, or once more after it gave its reservation back."""
    return WorkflowRow(
        organization_id=standing.organization.organization_id,
        workflow_id=workflow_id,
        reservation_id=known.reservation_id if known else new_id(),
        attempt=known.attempt + 1 if known else 1,
        state="pending",
        ticket_id=ticket_id or (known.ticket_id if known else None),
        unit_price_cents=standing.terms.workflow_price_cents,
        reserved_at=standing.at,
    )


def holding_for(standing: Standing, rows: Sequence[WorkflowRow], all_ids: Sequence[str]) -> Holding:
    """The credits that pending workflows need."""
    holds = [
        Hold(
            row.workflow_id,
            row.hold_id,
            row.unit_price_cents,
            (row.expires_at or standing.at) + HOLD_OUTLIVES,
        )
        for row in rows
    ]
    return Holding(standing.organization.organization_id, list(all_ids), holds)


async def conclude_holding(
    means: Means, holding: Holding, granted: Sequence[bool], db: Db
) -> tuple[Standing, dict[str, WorkflowRow], list[Event]]:
    """Write down which workflows credits cover; try auto-billing for the others.

    A workflow that was given up meanwhile lets its hold go. One that has completed meanwhile, or
    came without a reservation, is charged now, covered by nothing at the worst.
    """
    standing = await means.locked_standing(db, holding.organization_id)
    rows = await find_workflows(db, holding.organization_id, holding.workflow_ids)
    by_credits: list[WorkflowRow] = []
    uncovered: list[WorkflowRow] = []
    for hold, is_held in zip(holding.holds, granted, strict=True):
        row = rows[hold.workflow_id]
        if row.state != "pending" or row.hold_id != hold.hold_id:
            if is_held:
                given_up = msgspec.structs.replace(
                    row, attempt=int(hold.hold_id.rpartition("-")[2])
                )
                await settle_hold(db, given_up, "release")
        elif is_held:
            by_credits.append(msgspec.structs.replace(row, covered_by="credits"))
        else:
            uncovered.append(row)
    billed = await cover_by_auto_billing(db, standing, uncovered)
    changed, events = await _settle(db, standing, [*by_credits, *billed.rows], billed)
    await save_workflows(db, changed)
    rows |= {row.workflow_id: row for row in changed}
    return standing, rows, [*billed.events, *events]


async def _settle(
    db: Db, standing: Standing, covered: Sequence[WorkflowRow], billed: Covered
) -> tuple[list[WorkflowRow], list[Event]]:
    uncovered = [
        msgspec.structs.replace(row, covered_by="none")
        for row in billed.rest
        if row.completed_at is not None
    ]
    refused = [
        msgspec.structs.replace(row, state="refused", expires_at=None)
        for row in billed.rest
        if row.completed_at is None
    ]
    completed = [row for row in covered if row.completed_at is not None]
    charged, events = await charge_covered(db, standing, [*completed, *uncovered])
    reserved = [as_reserved(row) for row in covered if row.completed_at is None]
    return [*reserved, *refused, *charged], list(events)


class CoverCompletions(Step[Holding, list[bool]]):
    """A workflow completed without a reservation, and neither plan nor free ones covered it."""

    kind: ClassVar[str] = "cover_completion"
    state = Holding

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Holding) -> list[bool]:
        """Have credits set aside."""
        return await hold_credits(self._means, state)

    async def conclude(
        self, step_id: str, state: Holding, outcome: list[bool], db: Db
    ) -> Sequence[Event]:
        """Charge it, whatever covers it."""
        _, _, events = await conclude_holding(self._means, state, outcome, db)
        return events


async def complete_unreserved(
    db: Db, standing: Standing, row: WorkflowRow
) -> tuple[WorkflowRow, list[Event]]:
    """Charge a completed workflow that has reserved nothing: in the same order, never refused."""
    covered = await cover_included(db, standing, [row])
    if covered.rows:
        rows, events = await charge_covered(db, standing, covered.rows)
        return rows[0], [*covered.events, *events]
    holding = holding_for(standing, [row], [row.workflow_id])
    await prepare_step(db, CoverCompletions, f"cover_completion:{row.hold_id}", holding)
    return row, covered.events

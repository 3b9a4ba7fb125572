"""Parked steps: what was given up after many attempts is seen by an operator, and resumed.

There is nothing else to do with one: the other system may have done its part, so what was begun
can be finished, and not be forgotten.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, func, select, update

from shared.contracts.base import Done, Refusal
from shared.contracts.operations import (
    ListParkedSteps,
    ParkedStep,
    ParkedSteps,
    ResumeParkedSteps,
    ShowParkedStep,
)
from shared.database import Db
from shared.steps import BELL
from shared.tables import steps

logger = logging.getLogger(__name__)

# What a step's state shows to an operator; the stored one is whole.
SHOWN_BYTES = 16 * 1024
# A step says for whom it is, or whose customer it is about.
_organization: ColumnElement[Any] = func.coalesce(
    steps.c.state["organization_id"].astext, steps.c.state["who"]["organization_id"].astext
)
_COLUMNS = (steps, _organization.label("organization_id"))


async def list_steps(request: ListParkedSteps, db: Db) -> ParkedSteps:
    """The parked ones, the last tried first."""
    wanted = select(*_COLUMNS).where(steps.c.status == "parked")
    if request.kind is not None:
        wanted = wanted.where(steps.c.kind == request.kind)
    if request.organization_id is not None:
        wanted = wanted.where(_organization == request.organization_id)
    wanted = wanted.order_by(steps.c.due_at.desc(), steps.c.step_id).limit(request.limit)
    rows = await db.execute(wanted)
    return ParkedSteps(steps=tuple(_shown(row, with_state=False) for row in rows))


async def show_step(request: ShowParkedStep, db: Db) -> ParkedSteps | Refusal:
    """One step with its state."""
    rows = await db.execute(select(*_COLUMNS).where(steps.c.step_id == request.step_id))
    row = rows.first()
    if row is None:
        detail = f"No step {request.step_id}."
        return Refusal(code="step_not_found", detail=detail, status=404)
    return ParkedSteps(steps=(_shown(row, with_state=True),))


async def resume_steps(request: ResumeParkedSteps, db: Db) -> Done:
    """Have parked steps carried out again at once, as often as new ones are."""
    step_ids = await resume(db, *request.step_ids)
    told = {"steps": step_ids, "requested_by": request.requested_by}
    logger.info("parked steps resumed", extra={"fields": told})
    return Done(affected=len(step_ids), at=db.now)


async def resume(db: Db, *step_ids: str) -> Sequence[str]:
    """What an operator would, where it is known that what they wait for has come: those of these
    steps that were parked are carried out again.
    """
    resumed = await db.execute(
        update(steps)
        .where(steps.c.step_id.in_(step_ids), steps.c.status == "parked")
        .values(status="prepared", attempts=0, due_at=func.clock_timestamp())
        .returning(steps.c.step_id)
    )
    db.ring(BELL)
    return [row.step_id for row in resumed]


def _shown(row: Row[Any], *, with_state: bool) -> ParkedStep:
    return ParkedStep(
        step_id=row.step_id,
        kind=row.kind,
        organization_id=row.organization_id,
        status=row.status,
        attempts=row.attempts,
        last_error=row.last_error,
        created_at=row.created_at,
        due_at=row.due_at,
        state=msgspec.json.encode(row.state)[:SHOWN_BYTES].decode(errors="backslashreplace")
        if with_state
        else None,
    )

"""Workflow runs, many in one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.subscription.tables import WorkflowRow
from shared.database import Db

_TYPES: Final = {
    "organization_id": "text",
    "workflow_id": "text",
    "reservation_id": "text",
    "attempt": "int",
    "state": "text",
    "covered_by": "text",
    "quota_subject": "text",
    "quota_period_start": "timestamptz",
    "ticket_id": "text",
    "unit_price_cents": "int",
    "reserved_at": "timestamptz",
    "expires_at": "timestamptz",
    "completed_at": "timestamptz",
    "charged_at": "timestamptz",
    "released_at": "timestamptz",
}
_ARRAYS = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_TYPES.values(), 1))
_SETS = ", ".join(f"{name} = excluded.{name}" for name in list(_TYPES)[3:])
# The reservation's id stays: whoever was given it finds the run by it.
_SAVE = f"""
INSERT INTO workflows ({", ".join(_TYPES)}) SELECT * FROM unnest({_ARRAYS})
ON CONFLICT (organization_id, workflow_id) DO UPDATE SET {_SETS}
"""  # noqa: S608 -- names are ours
_FIND = "SELECT * FROM workflows WHERE organization_id = $1 AND workflow_id = ANY($2)"
_BY_RESERVATION = "SELECT * FROM workflows WHERE organization_id = $1 AND reservation_id = $2"
_EXPIRED = """
SELECT organization_id, workflow_id FROM workflows
WHERE state IN ('pending', 'reserved') AND expires_at <= $1
ORDER BY organization_id, expires_at LIMIT $2
"""
_NEXT_EXPIRY = "SELECT min(expires_at) FROM workflows WHERE state IN ('pending', 'reserved')"


def _row(record: Any) -> WorkflowRow:
    return msgspec.convert(dict(record), WorkflowRow)


async def find_workflows(
    db: Db, organization_id: str, workflow_ids: Sequence[str]
) -> dict[str, WorkflowRow]:
    """The runs that are known, by their ids."""
    rows = await db.driver.fetch(_FIND, organization_id, list(workflow_ids))
    return {row["workflow_id"]: _row(row) for row in rows}


async def find_by_reservation(
    db: Db, organization_id: str, reservation_id: str
) -> WorkflowRow | None:
    """The run that a reservation was made for."""
    row = await db.driver.fetchrow(_BY_RESERVATION, organization_id, reservation_id)
    return None if row is None else _row(row)


async def save_workflows(db: Db, rows: Sequence[WorkflowRow]) -> None:
    """Add runs or write them anew."""
    if rows:
        await db.driver.execute(_SAVE, *([getattr(row, name) for row in rows] for name in _TYPES))


async def list_expired(db: Db, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(organization, workflow) of reservations whose time is over."""
    rows = await db.driver.fetch(_EXPIRED, at, limit)
    return [(row["organization_id"], row["workflow_id"]) for row in rows]


async def next_expiry(db: Db) -> datetime | None:
    """When the next reservation's time is over."""
    moment: datetime | None = await db.driver.fetchval(_NEXT_EXPIRY)
    return moment

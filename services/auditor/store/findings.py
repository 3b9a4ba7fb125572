"""Findings, and the accounts that are parked for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import insert, select, update

from services.auditor.rules.judging import Evidence
from services.auditor.tables import findings, parked_accounts, releases
from shared.clock import new_id
from shared.contracts.auditor import FindingStatus
from shared.database import Db

# The counts behind the metrics stop here.
COUNTED_ROWS = 100_000

_PARK = """
INSERT INTO parked_accounts AS p (organization_id, parked, version, reason, parked_at)
VALUES ($1, true, 1, $2, $3)
ON CONFLICT (organization_id) DO UPDATE SET parked = true, version = p.version + 1,
    reason = excluded.reason, parked_at = excluded.parked_at,
    released_at = NULL, released_by = NULL, release_reason = NULL
WHERE NOT p.parked RETURNING version
"""
_RELEASE = """
UPDATE parked_accounts SET parked = false, version = version + 1, released_at = $2,
    released_by = $3, release_reason = $4
WHERE organization_id = $1 AND parked RETURNING *
"""
_COUNTS = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM findings WHERE status = 'open' LIMIT $1) AS f)
           AS findings,
       (SELECT count(*) FROM (SELECT 1 FROM parked_accounts WHERE parked LIMIT $1) AS p) AS parked
"""


async def list_unsettled(db: Db, organization_id: str) -> dict[str, Any]:
    """An organization's findings that are not closed, by check."""
    rows = await db.execute(
        select(findings).where(
            findings.c.organization_id == organization_id, findings.c.status != "closed"
        )
    )
    return {row.check_name: row for row in rows}


async def add_finding(
    db: Db, organization_id: str, check: str, difference: int, evidence: Evidence, *, parks: bool
) -> str:
    """Write a finding down; its id."""
    finding_id = new_id()
    await db.execute(
        insert(findings).values(
            organization_id=organization_id,
            finding_id=finding_id,
            check_name=check,
            status="open",
            parks=parks,
            difference=difference,
            evidence=msgspec.to_builtins(evidence),
            found_at=db.now,
            seen_at=db.now,
        )
    )
    return finding_id


async def set_finding(db: Db, row: Any, **values: Any) -> None:
    """Change a finding."""
    await db.execute(
        update(findings)
        .where(
            findings.c.organization_id == row.organization_id,
            findings.c.finding_id == row.finding_id,
        )
        .values(**values)
    )


async def list_findings(
    db: Db, organization_ids: Sequence[str] | None, status: FindingStatus | None, limit: int
) -> Sequence[Any]:
    """Newest first, of some organizations or of all."""
    wanted = select(findings).order_by(findings.c.found_at.desc()).limit(limit)
    if organization_ids is not None:
        wanted = wanted.where(findings.c.organization_id.in_(organization_ids))
    if status is not None:
        wanted = wanted.where(findings.c.status == status)
    return (await db.execute(wanted)).all()


async def find_finding(db: Db, finding_id: str) -> Any:
    """A finding by its id, or None."""
    found = await db.execute(select(findings).where(findings.c.finding_id == finding_id))
    return found.first()


async def park(db: Db, organization_id: str, reason: str) -> int | None:
    """Park an account; its new version, or None when it was parked already."""
    version: int | None = await db.driver.fetchval(_PARK, organization_id, reason, db.now)
    return version


async def release(
    db: Db, organization_id: str, released_by: str, reason: str
) -> asyncpg.Record | None:
    """Let a parked account go on; None when it is not parked."""
    row = await db.driver.fetchrow(_RELEASE, organization_id, db.now, released_by, reason)
    if row is not None:
        await db.execute(
            insert(releases).values(
                organization_id=organization_id,
                version=row["version"],
                released_by=released_by,
                reason=reason,
                released_at=db.now,
            )
        )
    return row


async def is_released_since(db: Db, organization_id: str, since: datetime) -> bool:
    """Whether an account goes on that was released at this moment or later."""
    found = await db.execute(
        select(parked_accounts.c.version).where(
            parked_accounts.c.organization_id == organization_id,
            parked_accounts.c.released_at >= since,
        )
    )
    return found.first() is not None


async def list_parked(db: Db, organization_id: str | None, limit: int) -> Sequence[Any]:
    """Accounts that are parked now, longest first."""
    wanted = select(parked_accounts).where(parked_accounts.c.parked)
    if organization_id is not None:
        wanted = wanted.where(parked_accounts.c.organization_id == organization_id)
    rows = await db.execute(wanted.order_by(parked_accounts.c.parked_at).limit(limit))
    return rows.all()


async def count_open(db: Db) -> tuple[int, int]:
    """How many findings are open, and how many accounts parked."""
    row = await db.driver.fetchrow(_COUNTS, COUNTED_ROWS)
    return (0, 0) if row is None else (row["findings"], row["parked"])

"""The counters: taken by one conditional update, so that none is ever overdrawn or lost."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.subscription.rules.coverage import Warned
from services.subscription.tables import QuotaRow
from services.subscription.tables.rows import QuotaSource
from shared.database import Db

Key = tuple[QuotaSource, str, datetime]

_CURRENT = """
SELECT q.* FROM quotas AS q
JOIN unnest($2::text[], $3::text[], $4::timestamptz[]) AS wanted (source, subject, period_start)
  USING (source, subject, period_start)
WHERE q.organization_id = $1
"""
_TAKE = """
INSERT INTO quotas AS q
    (organization_id, source, subject, period_start, period_end, used, reserved)
SELECT $1, $2, $3, $4::timestamptz, $5::timestamptz, $6::int, $7::int
WHERE $8::int = -1 OR $6 + $7 <= $8
ON CONFLICT (organization_id, source, subject, period_start) DO UPDATE
SET used = q.used + $6, reserved = q.reserved + $7
WHERE $8 = -1 OR q.used + q.reserved + $6 + $7 <= $8
RETURNING *
"""
_MOVE = """
UPDATE quotas SET used = used + $5, reserved = reserved - $6
WHERE organization_id = $1 AND source = $2 AND subject = $3 AND period_start = $4
"""
_WARNED = """
UPDATE quotas SET warned_percent = $5, warned_limit = $6
WHERE organization_id = $1 AND source = $2 AND subject = $3 AND period_start = $4
"""
_PERIODS = """
SELECT * FROM quotas WHERE organization_id = $1 AND source = 'plan' AND subject = $2
ORDER BY period_start
"""
_SET_PERIOD = """
INSERT INTO quotas (organization_id, source, subject, period_start, period_end)
VALUES ($1, 'plan', $2, $3, $4)
ON CONFLICT (organization_id, source, subject, period_start) DO UPDATE
SET period_end = excluded.period_end
"""


class QuotaLost(RuntimeError):
    """A counter had less left than was just read under its organization's lock."""


async def get_quotas(db: Db, organization_id: str, keys: Sequence[Key]) -> dict[Key, QuotaRow]:
    """The counters that exist already."""
    rows = await db.driver.fetch(
        _CURRENT, organization_id, *(list(part) for part in zip(*keys, strict=True))
    )
    found = [msgspec.convert(dict(row), QuotaRow) for row in rows]
    return {(row.source, row.subject, row.period_start): row for row in found}


async def take(
    db: Db,
    organization_id: str,
    key: Key,
    period_end: datetime,
    limit: int,
    *,
    used: int,
    reserved: int,
) -> QuotaRow:
    """Count this much more, if the limit (-1: none) allows all of it; raises QuotaLost if not."""
    row = await db.driver.fetchrow(_TAKE, organization_id, *key, period_end, used, reserved, limit)
    if row is None:
        raise QuotaLost(f"{key[0]} of {organization_id}")
    return msgspec.convert(dict(row), QuotaRow)


async def settle_reserved(
    db: Db, organization_id: str, key: Key, *, used: int, released: int
) -> None:
    """Turn what is reserved into used, or give it back: `released` leaves the reserved ones."""
    await db.driver.execute(_MOVE, organization_id, *key, used, released)


async def set_warned(db: Db, organization_id: str, key: Key, warned: Warned) -> None:
    """Remember up to which threshold of which limit the period was warned of."""
    await db.driver.execute(_WARNED, organization_id, *key, *warned)


async def list_periods(db: Db, organization_id: str, subscription_id: str) -> list[QuotaRow]:
    """The periods of a subscription so far, oldest first."""
    rows = await db.driver.fetch(_PERIODS, organization_id, subscription_id)
    return [msgspec.convert(dict(row), QuotaRow) for row in rows]


async def set_period(
    db: Db, organization_id: str, subscription_id: str, start: datetime, end: datetime
) -> None:
    """Begin a period of a subscription, or let it end at another time."""
    await db.driver.execute(_SET_PERIOD, organization_id, subscription_id, start, end)

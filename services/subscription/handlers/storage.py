"""Storage beyond a plan's limit, told once a month when it has ended, by the last reading in it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.subscription.handlers.means import Means
from services.subscription.rules.entitlements import Standing
from services.subscription.rules.periods import add_months
from services.subscription.rules.storage import ended_months, measure_month
from services.subscription.store import usage as store
from shared.contracts.base import Event
from shared.contracts.subscription import GaugeName
from shared.database import Db

# Readings of a month's last moments come a little later; the month is closed at 01:00.
TOLD_AFTER = timedelta(minutes=30)
TOLD_AT_ONCE = 250


class StorageMonths:
    """Tells of months that have ended."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def tell(self, db: Db) -> Sequence[Event]:
        """Tell of as many organizations as one transaction may."""
        by = db.now - TOLD_AFTER
        events: list[Event] = []
        for organization_id in sorted(await store.list_ended_months(db, by, TOLD_AT_ONCE)):
            standing = await self._means.locked_standing(db, organization_id)
            events += await tell_ended_months(db, standing, by)
        return events

    async def next_due(self, db: Db) -> datetime | None:
        """When the next month is told."""
        end = await store.next_month_end(db)
        return None if end is None else end + TOLD_AFTER


async def tell_before_reading(
    db: Db, standing: Standing, gauge: GaugeName, measured_at: datetime
) -> Sequence[Event]:
    """A reading of a new month takes the place of the last one of the old: that is told first."""
    if gauge != "storage_bytes":
        return ()
    return await tell_ended_months(db, standing, min(measured_at, db.now))


async def tell_ended_months(db: Db, standing: Standing, by: datetime) -> Sequence[Event]:
    """Tell of the months of a locked organization that ended by a moment, each once."""
    organization_id = standing.organization.organization_id
    gauge = (await store.get_gauges(db, organization_id)).get("storage_bytes")
    if gauge is None or gauge.month_ends_at is None:
        return ()
    ended = list(ended_months(gauge.month_ends_at, by))
    if not ended:
        return ()
    await store.set_month_end(db, organization_id, add_months(ended[-1].end, 1))
    facts = [measure_month(standing, gauge, month) for month in ended]
    return [fact for fact in facts if fact is not None]

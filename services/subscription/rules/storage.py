"""What storage goes beyond a limit, by the month."""

from collections.abc import Iterator
from datetime import datetime

from services.subscription.rules.entitlements import Standing
from services.subscription.rules.offers import BYTES_PER_GB
from services.subscription.rules.periods import Period, add_months
from services.subscription.tables.rows import GaugeRow
from shared.contracts.subscription import UNLIMITED, StorageMeasured


def overage_gb(used_bytes: int, limit_gb: int) -> int:
    """Whole GB beyond the limit, rounded up; none without a limit (-1)."""
    if limit_gb == UNLIMITED:
        return 0
    return max(0, -(-used_bytes // BYTES_PER_GB) - limit_gb)


def ended_months(month_ends_at: datetime, by: datetime) -> Iterator[Period]:
    """The calendar months that ended by a moment, the first of which ends at another."""
    end = month_ends_at
    while end <= by:
        yield Period(add_months(end, -1), end)
        end = add_months(end, 1)


def measure_month(standing: Standing, gauge: GaugeRow, month: Period) -> StorageMeasured | None:
    """The fact of a month that ended beyond the limit, by its last reading; None within it."""
    plan = standing.plan
    beyond = overage_gb(gauge.value, plan.storage_limit_gb)
    if beyond == 0:
        return None
    return StorageMeasured(
        organization_id=standing.organization.organization_id,
        month_start=month.start,
        month_end=month.end,
        tier=plan.tier,
        used_bytes=gauge.value,
        limit_gb=plan.storage_limit_gb,
        overage_gb=beyond,
        overage_cents_per_gb=plan.storage_overage_cents_per_gb,
        told_at=standing.at,
    )

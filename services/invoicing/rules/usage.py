"""What a use costs, and whether an invoice will ever carry it."""

from datetime import datetime, timedelta

import msgspec

from services.invoicing.rules.profiles import month_of, next_close
from services.invoicing.tables.rows import UsageRow
from shared.contracts.subscription import CoveredBy, StorageMeasured, WorkflowCharged
from shared.money import PICOUSD_PER_CENT

# Covered without money: billed as soon as it is recorded, and never invoiced.
INCLUDED: frozenset[CoveredBy] = frozenset({"plan", "free"})


def record_workflow(charged: WorkflowCharged, record_id: str) -> UsageRow:
    """The use that a completed workflow is: one, at its list price, nothing when it is included.

    `occurred_at` is when it completed, `recorded_at` when the platform learned of it.
    """
    included = charged.covered_by in INCLUDED
    total_cents = 0 if included else charged.unit_price_cents
    return UsageRow(
        organization_id=charged.organization_id,
        record_id=record_id,
        usage_type="workflow_completion",
        source_id=charged.workflow_id,
        ticket_id=charged.ticket_id,
        quantity=1,
        unit_price_cents=charged.unit_price_cents,
        total_picousd=total_cents * PICOUSD_PER_CENT,
        covered_by=charged.covered_by,
        tier=charged.tier,
        hold_id=charged.hold_id,
        occurred_at=charged.completed_at,
        recorded_at=charged.charged_at,
        billed_at=charged.charged_at if total_cents == 0 else None,
        late_month=late_month(charged.completed_at, charged.charged_at),
    )


def record_storage(storage: StorageMeasured, record_id: str) -> UsageRow:
    """A month's storage beyond the limit, by the GB; it happened in the month's last moment."""
    occurred_at = storage.month_end - timedelta(microseconds=1)
    return UsageRow(
        organization_id=storage.organization_id,
        record_id=record_id,
        usage_type="storage",
        source_id=f"{storage.month_start:%Y-%m}",
        quantity=storage.overage_gb,
        unit_price_cents=storage.overage_cents_per_gb,
        total_picousd=storage.overage_gb * storage.overage_cents_per_gb * PICOUSD_PER_CENT,
        covered_by="none",
        tier=storage.tier,
        occurred_at=occurred_at,
        recorded_at=storage.told_at,
        late_month=late_month(occurred_at, storage.told_at),
    )


def late_month(occurred_at: datetime, recorded_at: datetime) -> datetime | None:
    """The month a use belongs to, if that was closed before anybody knew of it."""
    return month_of(occurred_at) if recorded_at >= next_close(occurred_at) else None


def as_heard(row: UsageRow, next_close_at: datetime) -> UsageRow:
    """A use as it is heard of: also late when its month was closed while the word was on its way.

    `next_close_at` is when its organization is closed next.
    """
    if row.billed_at is not None or next_close_at <= next_close(row.occurred_at):
        return row
    return msgspec.structs.replace(row, late_month=month_of(row.occurred_at))

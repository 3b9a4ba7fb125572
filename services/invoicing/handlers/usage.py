"""Usage records, from the facts of those who count."""

from collections.abc import Sequence

from services.invoicing.rules.usage import (
    as_heard,
    record_storage,
    record_workflow,
)
from services.invoicing.store.profiles import find_profile, share_profile
from services.invoicing.store.usage import add_record, list_records
from services.invoicing.tables import ProfileRow, UsageRow
from shared.clock import new_id
from shared.contracts.base import Event, Refusal
from shared.contracts.invoicing import (
    ListUsageRecords,
    UsageRecord,
    UsageRecorded,
    UsageRecords,
)
from shared.contracts.subscription import StorageMeasured, WorkflowCharged
from shared.cursors import foreign_cursor, read_cursor, write_cursor
from shared.database import Db
from shared.money import PICOUSD_PER_CENT

FOREIGN_CURSOR = foreign_cursor("usage")


async def add_workflow(fact: WorkflowCharged, db: Db) -> Sequence[Event]:
    """One record a workflow, however often its fact comes."""
    return await _record(record_workflow(fact, new_id()), db)


async def add_storage(fact: StorageMeasured, db: Db) -> Sequence[Event]:
    """One record a month of storage beyond the limit, where the plan has a price for it."""
    if fact.overage_cents_per_gb == 0:
        return ()
    return await _record(record_storage(fact, new_id()), db)


async def _record(row: UsageRow, db: Db) -> Sequence[Event]:
    # Nobody may have asked for its account yet; its month is closed all the same.
    return await record_use(row, await share_profile(db, row.organization_id), db)


async def record_use(row: UsageRow, profile: ProfileRow, db: Db) -> Sequence[Event]:
    """Put a use on record and tell of it, unless it is there already. The profile is locked."""
    row = as_heard(row, profile.next_close_at)
    if not await add_record(db, row):
        return ()
    record = usage_record(row, profile)
    return [UsageRecorded(organization_id=row.organization_id, record=record)]


async def list_usage(request: ListUsageRecords, db: Db) -> UsageRecords | Refusal:
    """One page of what an organization used."""
    before = None
    if request.cursor is not None and (before := read_cursor(request.cursor)) is None:
        return FOREIGN_CURSOR
    rows = await list_records(
        db,
        request.organization_id,
        billed=request.billed,
        before=before,
        limit=request.limit + 1,
    )
    profile = await find_profile(db, request.organization_id)
    return page_of(rows, request.limit, profile)


def page_of(rows: Sequence[UsageRow], limit: int, profile: ProfileRow | None) -> UsageRecords:
    """A page of at most so many; one row more says that another page follows."""
    records = tuple(usage_record(row, profile) for row in rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    return UsageRecords(
        records=records,
        next_cursor=write_cursor(last.recorded_at, last.record_id) if last else None,
    )


def usage_record(row: UsageRow, profile: ProfileRow | None) -> UsageRecord:
    """A row as the contract tells of it."""
    return UsageRecord(
        record_id=row.record_id,
        organization_id=row.organization_id,
        billing_account_id=profile.billing_account_id if profile else None,
        usage_type=row.usage_type,
        source_id=row.source_id,
        ticket_id=row.ticket_id,
        quantity=row.quantity,
        unit_price_cents=row.unit_price_cents,
        total_cents=row.total_picousd // PICOUSD_PER_CENT,
        total_picousd=row.total_picousd,
        covered_by=row.covered_by,
        free_tier_used=row.covered_by == "free",
        tier=row.tier,
        invoice_id=row.invoice_id,
        billed=row.billed_at is not None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        billed_at=row.billed_at,
    )

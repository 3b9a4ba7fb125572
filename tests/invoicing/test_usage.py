"""Usage records: one a workflow, whatever comes twice, and at once billed when it is included."""

from datetime import UTC, datetime

import pytest

from services.invoicing.app import service as invoicing
from shared.bus import Bus
from shared.contracts.invoicing import ListUsageRecords, UsageRecords
from shared.contracts.subscription import CoveredBy, WorkflowCharged
from tests.stack import Stack, until

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)


def charged(organization_id: str, workflow_id: str, covered_by: CoveredBy) -> WorkflowCharged:
    return WorkflowCharged(
        organization_id=organization_id,
        workflow_id=workflow_id,
        reservation_id=f"reservation-{workflow_id}",
        ticket_id=None,
        tier="pro",
        covered_by=covered_by,
        unit_price_cents=1000,
        hold_id=None,
        period_start=AT,
        completed_at=AT,
        charged_at=AT,
    )


@pytest.mark.parametrize(
    ("covered_by", "total_cents", "billed"),
    [("plan", 0, True), ("free", 0, True), ("auto_billing", 1000, False), ("none", 1000, False)],
)
async def test_a_workflow_charged_twice_is_one_record(
    stack: Stack, bus: Bus, organization: str, covered_by: CoveredBy, total_cents: int, billed: bool
) -> None:
    async with stack.running(invoicing):
        twice = charged(organization, "w-1", covered_by)
        await stack.tell(twice, twice, charged(organization, "w-2", covered_by))

        async def records() -> UsageRecords:
            answer = await bus.ask(ListUsageRecords(organization_id=organization))
            assert isinstance(answer, UsageRecords)
            return answer

        found = await until(records, lambda page: len(page.records) == 2)
    assert {record.source_id for record in found.records} == {"w-1", "w-2"}
    for record in found.records:
        assert (record.total_cents, record.billed) == (total_cents, billed)
        assert record.unit_price_cents == 1000
        assert record.free_tier_used == (covered_by == "free")

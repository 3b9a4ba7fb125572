"""Storage beyond a plan is billed by the GB and month, once, where the plan has a price for it."""

from datetime import timedelta

from services.invoicing.rules.profiles import month_of, next_month
from shared.contracts.invoicing import UsageRecorded
from shared.contracts.subscription import StorageMeasured
from tests.invoicing.customer import Customer


async def after_month_end(customer: Customer, late: timedelta) -> None:
    """Somebody whose account there is when a month ends; so much later it is now."""
    await customer.account()
    at = next_month(month_of(customer.clock.now())) + late
    customer.clock.advance(at - customer.clock.now())


def measured(customer: Customer, cents: int) -> StorageMeasured:
    """The month that ended before this one, told now."""
    end = month_of(customer.clock.now())
    return StorageMeasured(
        organization_id=customer.organization_id,
        month_start=month_of(end - timedelta(days=1)),
        month_end=end,
        tier="pro",
        used_bytes=53 * 1024**3,
        limit_gb=50,
        overage_gb=3,
        overage_cents_per_gb=cents,
        told_at=customer.clock.now(),
    )


async def told(customer: Customer, *facts: StorageMeasured) -> None:
    await customer.world.tell(*facts)
    await customer.world.settled()


async def test_storage_is_not_charged_unless_the_plan_says_so(customer: Customer) -> None:
    await told(customer, measured(customer, 0))
    assert await customer.usage() == ()
    assert (await customer.generate()).invoice is None


async def test_a_month_of_storage_is_billed_once(customer: Customer) -> None:
    # Before its close, which is an hour after its end.
    await after_month_end(customer, timedelta(minutes=30))
    fact = measured(customer, 25)
    await told(customer, fact, fact)
    await told(customer, fact)
    (record,) = await customer.usage()
    assert (record.usage_type, record.source_id) == ("storage", f"{fact.month_start:%Y-%m}")
    assert (record.quantity, record.unit_price_cents, record.total_cents) == (3, 25, 75)
    assert (record.covered_by, record.billed) == ("none", False)
    assert record.occurred_at == fact.month_end - timedelta(microseconds=1)
    await customer.told_of(UsageRecorded)
    invoice = await customer.invoice()
    (line,) = invoice.lines
    assert (line.kind, line.quantity, line.unit_price_cents) == ("storage", 3, 25)
    assert (line.description, line.total_cents) == ("Storage beyond the plan (GB)", 75)
    # The same month again, after it was billed.
    await told(customer, fact)
    assert (await customer.generate()).invoice is None


async def test_storage_told_after_the_close_names_its_month(customer: Customer) -> None:
    await after_month_end(customer, timedelta(hours=2))
    fact = measured(customer, 25)
    await told(customer, fact)
    (line,) = (await customer.invoice()).lines
    assert (line.kind, line.total_cents) == ("adjustment", 75)
    assert (line.period_start, line.period_end) == (fact.month_start, fact.month_end)

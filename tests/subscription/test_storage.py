"""Storage beyond a limit is told once a month, by the last reading of the month."""

from datetime import datetime, timedelta

import pytest

from services.subscription.rules.periods import calendar_month
from services.subscription.rules.storage import ended_months, overage_gb
from services.subscription.tiers import read_catalogue
from shared.contracts.subscription import SetGauge, StorageMeasured
from tests.subscription.customer import Customer

GB = 1024**3


async def store(customer: Customer, value: int, at: datetime) -> None:
    await customer.ask(
        SetGauge(
            organization_id=customer.organization_id,
            gauge="storage_bytes",
            value=value,
            measured_at=at,
        )
    )


async def test_a_month_that_ends_beyond_the_limit_is_told_once(customer: Customer) -> None:
    month = calendar_month(customer.clock.now())
    await store(customer, 9 * GB, customer.clock.now())
    await store(customer, 4 * GB + 1, customer.clock.now())
    customer.clock.advance(month.end + timedelta(minutes=30) - customer.clock.now())
    (fact,) = await customer.told_of(StorageMeasured, 1)
    # Of one moment the higher reading counts; the free tier has 2 GB.
    assert (fact["used_bytes"], fact["limit_gb"], fact["overage_gb"]) == (9 * GB, 2, 7)
    assert (fact["tier"], fact["overage_cents_per_gb"]) == ("free", 0)
    assert datetime.fromisoformat(fact["month_start"]) == month.start
    assert datetime.fromisoformat(fact["month_end"]) == month.end
    # A reading of the old month that comes now counts from the new month on.
    await store(customer, 3 * GB, month.end - timedelta(minutes=1))
    assert len(customer.facts(StorageMeasured)) == 1
    following = calendar_month(customer.clock.now())
    customer.clock.advance(following.end + timedelta(minutes=1) - customer.clock.now())
    # The first reading of a month tells of the one before, which it would replace.
    await store(customer, 1, customer.clock.now())
    _, second = await customer.told_of(StorageMeasured, 2)
    assert datetime.fromisoformat(second["month_start"]) == following.start
    assert (second["used_bytes"], second["overage_gb"]) == (3 * GB, 1)


async def test_a_month_within_the_limit_is_not_told(customer: Customer) -> None:
    month = calendar_month(customer.clock.now())
    await store(customer, 2 * GB, customer.clock.now())
    customer.clock.advance(month.end + timedelta(minutes=1) - customer.clock.now())
    await store(customer, 50 * GB, customer.clock.now())
    assert customer.facts(StorageMeasured) == []


def test_what_goes_beyond_is_counted_in_whole_gb() -> None:
    used = [0, 2 * GB, 2 * GB + 1, 3 * GB, 3 * GB + 1]
    assert [overage_gb(each, 2) for each in used] == [0, 0, 1, 1, 2]
    assert overage_gb(10**15, -1) == 0


def test_months_that_nobody_told_of_are_told_one_by_one() -> None:
    end = datetime.fromisoformat("2027-12-01T00:00:00Z")
    assert list(ended_months(end, end - timedelta(microseconds=1))) == []
    told = list(ended_months(end, end + timedelta(days=62)))
    assert [(each.start.month, each.end.month) for each in told] == [(11, 12), (12, 1), (1, 2)]


def test_storage_costs_nothing_unless_an_operator_says_so() -> None:
    assert {plan.storage_overage_cents_per_gb for plan in read_catalogue("").values()} == {0}
    changed = read_catalogue('{"pro": {"storage_overage_cents_per_gb": 25}}')
    assert changed["pro"].storage_overage_cents_per_gb == 25
    for tiers in (
        '{"enterprise": {"storage_overage_cents_per_gb": 25}}',
        '{"pro": {"storage_overage_cents_per_gb": 25, "storage_limit_gb": -1}}',
    ):
        with pytest.raises(ValueError, match="has no limit"):
            read_catalogue(tiers)

"""Periods tile through month ends and leap years; the catalogue is changed by the operator only."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.subscription.app import service
from services.subscription.rules.periods import Period, calendar_month, monthly_period, tile
from services.subscription.settings import SubscriptionSettings
from services.subscription.tables.schema import metadata
from services.subscription.tiers import read_catalogue
from shared.migrations import differences
from shared.settings import SettingsError, load
from tests.stack import Stack

MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, MOMENTS)
def test_months_of_a_lifetime_tile(anchor: datetime, at: datetime) -> None:
    at = max(anchor, at)
    period = monthly_period(anchor, at)
    assert period.start <= at < period.end
    assert monthly_period(anchor, period.end).start == period.end
    assert monthly_period(anchor, period.end - timedelta(microseconds=1)) == period
    assert timedelta(days=28) <= period.end - period.start <= timedelta(days=31)


def test_the_31st_is_clamped_and_comes_back() -> None:
    anchor = datetime(2028, 1, 31, 9, 30, tzinfo=UTC)
    starts = [anchor]
    for _ in range(4):
        starts.append(monthly_period(anchor, starts[-1]).end)
    assert [(each.month, each.day) for each in starts] == [
        (1, 31),
        (2, 29),
        (3, 31),
        (4, 30),
        (5, 31),
    ]
    assert {(each.hour, each.minute) for each in starts} == {(9, 30)}


@given(MOMENTS)
def test_calendar_months_tile(at: datetime) -> None:
    month = calendar_month(at)
    assert month.start <= at < month.end
    assert month.start.day == month.end.day == 1
    assert calendar_month(month.end).start == month.end


@given(st.lists(st.tuples(MOMENTS, st.integers(1, 60), st.booleans()), min_size=1, max_size=12))
def test_whatever_periods_are_told_ours_tile(told: list[tuple[datetime, int, bool]]) -> None:
    periods: list[Period] = []
    for start, days, renewal_paid in told:
        tiling = tile(
            periods[-1] if periods else None,
            Period(start, start + timedelta(days=days)),
            renewal_paid=renewal_paid,
        )
        if periods and tiling.last_end is not None:
            periods[-1] = Period(periods[-1].start, tiling.last_end)
        for each in (tiling.missed, tiling.current):
            if each is not None and (not periods or each.start != periods[-1].start):
                periods.append(each)
    assert all(period.start < period.end for period in periods)
    for before, after in itertools.pairwise(periods):
        assert before.end == after.start


def test_an_operator_changes_prices_and_limits() -> None:
    changed = read_catalogue('{"pro": {"price_cents": 8900, "workflows_limit": -1}}')
    assert (changed["pro"].price_cents, changed["pro"].workflows_limit) == (8_900, -1)
    assert changed["pro"].agents_limit == 5
    assert changed["starter"] == read_catalogue("")["starter"]


def test_no_plan_is_tried_unless_an_operator_says_so() -> None:
    assert {plan.trial_days for plan in read_catalogue("").values()} == {0}
    assert read_catalogue('{"pro": {"trial_days": 14}}')["pro"].trial_days == 14


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ("{", "is not JSON of tiers"),
        ('{"gold": {}}', "Invalid enum value 'gold'"),
        ('{"pro": {"price_cents": 10}}', ">= 50"),
        ('{"pro": {"price": 1000}}', "unknown field 'price'"),
        ('{"pro": {"agents_limit": -2}}', ">= -1"),
        ('{"free": {"price_cents": 100}}', "gives free a price"),
        ('{"lifetime": {"trial_days": 7}}', "gives lifetime a trial"),
        ('{"pro": {"trial_days": 731}}', "<= 730"),
    ],
)
def test_a_wrong_catalogue_is_one_clear_sentence(tiers: str, told: str) -> None:
    environment = {"DATABASE_URL": "postgresql://x/y", "TIERS": tiers}
    with pytest.raises(SettingsError, match=r"^Setting TIERS: ") as error:
        load(SubscriptionSettings, environment)
    assert told in str(error.value)


async def test_tables_match_migrations(stack: Stack) -> None:
    owner = stack.databases[service.name].owner_dsn
    assert await differences(owner, metadata) == []

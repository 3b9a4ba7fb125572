"""Billing periods tile time, and prorations come to the cent."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stripe_sandbox.flows.prorating import change_lines, full_price
from services.stripe_sandbox.money import share, written
from services.stripe_sandbox.periods import boundary_after

MONTHLY = {"interval": "month", "interval_count": 1}


def at(text: str) -> int:
    """Seconds since 1970 of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def dates(anchor: str, recurring: dict[str, Any], count: int) -> list[str]:
    """The days on which the next periods begin."""
    found, moment = [], at(anchor)
    for _ in range(count):
        moment = boundary_after(at(anchor), recurring, moment)
        found.append(datetime.fromtimestamp(moment, UTC).date().isoformat())
    return found


def test_a_month_ends_where_the_calendar_has_no_31st() -> None:
    assert dates("2026-12-31T12:00", MONTHLY, 4) == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
    ]


def test_leap_years_are_known() -> None:
    yearly = {"interval": "year", "interval_count": 1}
    assert dates("2028-01-30T00:00", MONTHLY, 2) == ["2028-02-29", "2028-03-30"]
    assert dates("2028-02-29T00:00", yearly, 4) == [
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
    ]


def test_days_and_weeks_and_longer_intervals() -> None:
    assert dates("2027-03-01T00:00", {"interval": "day", "interval_count": 10}, 2) == [
        "2027-03-11",
        "2027-03-21",
    ]
    assert dates("2027-03-01T00:00", {"interval": "week", "interval_count": 2}, 1) == ["2027-03-15"]
    assert dates("2027-11-30T00:00", {"interval": "month", "interval_count": 3}, 2) == [
        "2028-02-29",
        "2028-05-30",
    ]


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 14),
    st.integers(0, 100_000_000),
)
def test_the_next_boundary_is_later_and_none_is_skipped(
    anchor: int, interval: str, count: int, later: int
) -> None:
    recurring = {"interval": interval, "interval_count": count}
    now = anchor + later
    following = boundary_after(anchor, recurring, now)
    assert following > now
    assert boundary_after(anchor, recurring, following - 1) == following
    assert boundary_after(anchor, recurring, following) > following


@given(st.integers(-(10**8), 10**8), st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_share_is_never_more_than_half_a_cent_off(cents: int, part: int, whole: int) -> None:
    part = min(part, whole)
    assert abs(share(cents, part, whole) - Fraction(cents * part, whole)) <= Fraction(1, 2)
    assert share(-cents, part, whole) == -share(cents, part, whole)
    assert share(cents, whole, whole) == cents


def an_item(key: str, cents: int, quantity: int = 1) -> dict[str, Any]:
    """A subscription item as proration sees it."""
    price = {"id": f"price_{cents}", "unit_amount_decimal": str(cents), "product": "prod"}
    return {"id": key, "price": price, "quantity": quantity}


@pytest.mark.parametrize(
    ("passed", "back", "more"), [(0, -7900, 19900), (15, -3950, 9950), (29, -263, 663)]
)
def test_an_upgrade_gives_back_and_charges_the_rest(passed: int, back: int, more: int) -> None:
    day = 24 * 3600
    before, after = [an_item("si", 7900)], [an_item("si", 19900)]
    lines = change_lines(before, after, {"prod": "Pro"}, passed * day, (0, 30 * day))
    assert [each.amount for each in lines] == [back, more]
    assert all(each.proration for each in lines)


def test_what_stays_the_same_costs_nothing_more() -> None:
    before = [an_item("a", 500), an_item("b", 700)]
    after = [an_item("a", 500), an_item("b", 700, quantity=3)]
    lines = change_lines(before, after, {"prod": "Seat"}, 50, (0, 100))
    assert [each.amount for each in lines] == [-350, 1050]
    assert full_price(after[1]) == 2100


def test_amounts_are_written_for_people() -> None:
    assert [written(each, "usd") for each in (1999, -5, 100_000_00)] == [
        "$19.99",
        "-$0.05",
        "$100,000.00",
    ]

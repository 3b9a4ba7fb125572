"""Dollars become cents by their decimal text: each amount exactly, everything else refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.amounts import cents_of, dollar_text, number_text
from services.gateway.dollars import dollars_of_cents
from services.gateway.errors import ApiError


def cents(text: str) -> int:
    """As for a purchase: from $0.50 to $1000."""
    return cents_of(text, "amount_usd", least_cents=50, most_cents=100_000)


def refusal(text: str) -> str:
    with pytest.raises(ApiError) as caught:
        cents(text)
    assert (caught.value.status, caught.value.code) == (422, "invalid_field")
    assert [field.key for field in caught.value.fields] == ["amount_usd"]
    return caught.value.detail


def test_every_amount_that_can_be_bought_arrives_exactly() -> None:
    for amount in range(50, 100_001):
        # As a browser and Python write the nearest number, and as people write it.
        assert cents(json.dumps(amount / 100)) == amount
        assert cents(f"{amount // 100}.{amount % 100:02d}") == amount
        assert dollars_of_cents(amount) == float(f"{amount // 100}.{amount % 100:02d}")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("19.99", 1999),
        ("20", 2000),
        ("20.0", 2000),
        ("20.10", 2010),
        ("19.990", 1999),
        ("0.5", 50),
        ("5e-1", 50),
        ("1e3", 100_000),
        ("1.0E+3", 100_000),
        ("0.1e2", 1000),
    ],
)
def test_a_number_may_be_written_in_every_way(text: str, amount: int) -> None:
    assert cents(text) == amount


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.49", "must be from $0.50 to $1,000.00"),
        ("0", "must be from $0.50 to $1,000.00"),
        ("-0", "must be from $0.50 to $1,000.00"),
        ("-19.99", "must be from $0.50 to $1,000.00"),
        ("1000.01", "must be from $0.50 to $1,000.00"),
        ("1000.0000000000000001", "must be from $0.50 to $1,000.00"),
        ("1e99", "must be from $0.50 to $1,000.00"),
        ("0.499999999999999999", "must be from $0.50 to $1,000.00"),
        ("19.999", "must have at most two decimals"),
        # The nearest float is 19.99; what was written is not.
        ("19.990000000000000001", "must have at most two decimals"),
        ("1.0001e1", "must have at most two decimals"),
        ("1e999999999", "must be an amount in dollars, such as 19.99"),
        ("1" * 60, "must be an amount in dollars, such as 19.99"),
        ("NaN", "must be an amount in dollars, such as 19.99"),
        ('"19.99"', "must be an amount in dollars, such as 19.99"),
        ("null", "must be an amount in dollars, such as 19.99"),
        ("", "must be an amount in dollars, such as 19.99"),
    ],
)
def test_what_cannot_be_charged_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert refusal(text) == f"amount_usd: {reason}"


@given(
    st.decimals(min_value=0, max_value=2000, allow_nan=False, places=4),
    st.sampled_from([0, -1, -2, 3, 5]),
)
def test_any_number_is_whole_cents_or_refused(amount: Decimal, shift: int) -> None:
    text = f"{amount.scaleb(shift):f}e{-shift}"
    wanted = amount * 100

    if 50 <= wanted <= 100_000 and wanted == int(wanted):
        assert cents(text) == int(wanted)
    else:
        refusal(text)


def test_the_last_of_two_values_counts_and_spaces_do_not() -> None:
    assert number_text(b'{"amount_usd": 1, "amount_usd" : 2.50 }', "amount_usd") == "2.50"


def test_an_amount_for_people() -> None:
    assert [dollar_text(each) for each in (5, 1999, 100_000)] == ["$0.05", "$19.99", "$1,000.00"]

"""Lines: rounded once each, nothing is lost, and what is linear stays so."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.invoicing.rules.lines import left_over, make_lines
from services.invoicing.tables import Use
from shared.money import PICOUSD_PER_CENT, half_even

AT = datetime(2027, 1, 15, tzinfo=UTC)
AMOUNTS = st.lists(st.integers(-(10**13), 10**15), min_size=1, max_size=30)


def use(exact_picousd: int, position: int = 1, price: int = 0) -> Use:
    return Use(
        position=position,
        usage_type="llm_cost",
        unit_price_cents=price,
        quantity=1,
        exact_picousd=exact_picousd,
        first_at=AT,
    )


def bill(amounts: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Cents of invoices over these records, one after the other, and what is carried at the end."""
    cents, carry = 0, 0
    for records in amounts:
        lines = make_lines("acme", "i", [use(sum(records))], {("llm_cost", 0): carry})
        cents += sum(line.total_cents for line in lines)
        carry += left_over(lines)["llm_cost", 0]
    return cents, carry


def split(amounts: list[int], cuts: list[int]) -> list[list[int]]:
    edges = [0, *sorted(cut % (len(amounts) + 1) for cut in cuts), len(amounts)]
    return [amounts[a:b] for a, b in itertools.pairwise(edges)]


@given(AMOUNTS, st.lists(st.integers(0, 30), max_size=6))
def test_however_usage_is_split_nothing_is_lost_and_at_most_half_a_cent_is_carried(
    amounts: list[int], cuts: list[int]
) -> None:
    cents, carry = bill(split(amounts, cuts))
    assert cents * PICOUSD_PER_CENT + carry == sum(amounts)
    assert abs(carry) <= PICOUSD_PER_CENT // 2
    assert abs(cents - bill([amounts])[0]) <= 1


@given(st.lists(st.integers(0, 10**6)), st.lists(st.integers(0, 10**6)))
def test_whole_cents_add_up(one: list[int], other: list[int]) -> None:
    def of(cents: list[int]) -> int:
        return bill([[each * PICOUSD_PER_CENT for each in cents]])[0]

    assert of([*one, *other]) == of(one) + of(other)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_half_even_is_what_python_calls_rounding(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_lines_of_one_kind_and_price_carry_on_within_an_invoice() -> None:
    half = PICOUSD_PER_CENT // 2
    lines = make_lines("acme", "i", [use(half, 2), use(half, 1), use(half, 3, 7)], {})
    assert [(line.position, line.total_cents, line.carried_in_picousd) for line in lines] == [
        (1, 0, 0),
        (2, 1, half),
        (3, 0, 0),
    ]
    assert left_over(lines) == {("llm_cost", 0): 0, ("llm_cost", 7): half}

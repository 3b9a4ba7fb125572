"""An invoice burns credits once, and gives them back where they came from when it is voided."""

import asyncio
from datetime import timedelta

import pytest

from tests.account.customer import Customer


async def test_an_invoice_burns_at_most_its_amount_and_at_most_what_is_there(
    customer: Customer,
) -> None:
    await customer.granted(1000)
    burned = await customer.ask(customer.apply(700, "inv-1"))
    assert (burned.changed_cents, burned.total_cents, burned.balance_cents) == (700, 700, 300)
    rest = await customer.ask(customer.apply(700, "inv-2"))
    assert (rest.changed_cents, rest.total_cents, rest.balance_cents) == (300, 300, 0)


async def test_an_invoice_that_asks_again_learns_what_it_got(customer: Customer) -> None:
    await customer.granted(1000)
    order = customer.apply(1500)
    answers = await asyncio.gather(*(customer.ask(order) for _ in range(8)))
    assert sorted(answer.changed_cents for answer in answers) == [0] * 7 + [1000]
    await customer.ask(customer.grant(500))
    later = await customer.ask(order)
    assert (later.changed_cents, later.total_cents) == (0, 1000)
    assert await customer.credits() == (500, 0, 0)
    assert await customer.refused(customer.apply(1600)) == (409, "id_reused")


async def test_an_invoice_of_somebody_without_credits_gets_nothing_for_ever(
    customer: Customer,
) -> None:
    assert (await customer.ask(customer.apply(700))).total_cents == 0
    await customer.ask(customer.grant(700))
    assert (await customer.ask(customer.apply(700))).total_cents == 0
    assert await customer.credits() == (700, 0, 0)


async def test_the_holds_named_are_burned_first_and_end(customer: Customer) -> None:
    await customer.granted(1000, days=30)
    await customer.granted(2000)
    await customer.ask(customer.hold(600, "h1"))
    await customer.ask(customer.hold(600, "h2"))
    await customer.ask(customer.settle("h2", "commit"))
    assert await customer.lots() == [(1000, 1000), (2000, 200)]
    burned = await customer.ask(customer.apply(600, holds=["h2", "unknown", "h2"]))
    assert (burned.changed_cents, burned.held_cents) == (600, 600)
    assert await customer.lots() == [(600, 600), (1800, 0)]
    # A word that comes late changes nothing.
    assert (await customer.ask(customer.settle("h2", "release"))).changed_cents == 0
    assert (await customer.ask(customer.settle("h2", "commit"))).changed_cents == 0
    assert await customer.refused(customer.hold(600, "h2")) == (409, "hold_ended")


async def test_beyond_its_holds_an_invoice_burns_what_is_free(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(300, "h1"))
    await customer.ask(customer.hold(300, "h2"))
    burned = await customer.ask(customer.apply(650, holds=["h1"]))
    assert burned.changed_cents == 650
    assert await customer.credits() == (50, 300, 0)


async def test_what_a_hold_had_beyond_the_invoice_is_free_again(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1"))
    await customer.ask(customer.hold(300, "h2"))
    burned = await customer.ask(customer.apply(250, holds=["h1", "h2"]))
    assert burned.changed_cents == 250
    assert await customer.credits() == (750, 0, 0)


@pytest.mark.parametrize(
    ("credits_cents", "amount", "least", "burned"),
    [
        (1000, 1000, 50, 1000),
        (1000, 1050, 50, 1000),
        (1000, 1049, 50, 999),
        (1000, 1001, 50, 951),
        (1000, 1001, 0, 1000),
        (30, 40, 50, 0),
        (40, 40, 50, 40),
        (0, 0, 50, 0),
    ],
)
async def test_credits_leave_nothing_or_what_can_be_charged(
    customer: Customer, credits_cents: int, amount: int, least: int, burned: int
) -> None:
    await customer.account()
    if credits_cents:
        await customer.ask(customer.grant(credits_cents))
    answer = await customer.ask(customer.apply(amount, least_left_cents=least))
    assert answer.total_cents == burned
    assert await customer.credits() == (credits_cents - burned, 0, 0)


async def test_voiding_gives_back_to_the_lots_that_paid(customer: Customer) -> None:
    await customer.granted(300, "purchased")
    await customer.granted(300, days=30)
    await customer.granted(300, days=20)
    await customer.ask(customer.hold(100, "h1"))
    await customer.ask(customer.apply(700, holds=["h1"]))
    assert await customer.lots() == [(200, 0), (0, 0), (0, 0)]
    answers = await asyncio.gather(*(customer.ask(customer.restore()) for _ in range(8)))
    assert sorted(answer.changed_cents for answer in answers) == [0] * 7 + [700]
    assert {answer.total_cents for answer in answers} == {700}
    assert await customer.lots() == [(300, 0), (300, 0), (300, 0)]
    # What it burned last comes back first.
    entries = await customer.rows(
        "SELECT t.kind, l.sequence, e.amount_cents FROM ledger_entries e"
        " JOIN ledger_transactions t USING (organization_id, sequence)"
        " JOIN credit_lots l USING (organization_id, lot_id)"
        " WHERE organization_id = $1 AND t.kind IN ('burned', 'restored')"
        " ORDER BY t.sequence, e.position"
    )
    assert [tuple(entry) for entry in entries] == [
        ("burned", 3, -300),
        ("burned", 2, -300),
        ("burned", 1, -100),
        ("restored", 1, 100),
        ("restored", 2, 300),
        ("restored", 3, 300),
    ]


async def test_a_voided_invoice_never_burns_again(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.apply(700))
    await customer.ask(customer.restore())
    again = await customer.ask(customer.apply(700))
    assert (again.changed_cents, again.total_cents) == (0, 700)
    assert await customer.credits() == (1000, 0, 0)


async def test_a_voiding_that_overtakes_the_burning_forbids_it(customer: Customer) -> None:
    await customer.granted(1000)
    assert (await customer.ask(customer.restore())).total_cents == 0
    assert (await customer.ask(customer.apply(700))).total_cents == 0
    assert await customer.credits() == (1000, 0, 0)


async def test_what_is_restored_pays_a_debt_first(customer: Customer) -> None:
    await customer.tell(customer.paid(1000))
    await customer.ask(customer.apply(800))
    await customer.tell(customer.reversed_to(1000, 1))
    assert await customer.credits() == (0, 0, 800)
    await customer.ask(customer.restore())
    assert await customer.credits() == (0, 0, 0)


async def test_what_is_restored_to_a_lot_past_its_time_expires_with_it(
    customer: Customer,
) -> None:
    await customer.granted(500, days=1)
    await customer.granted(500)
    await customer.ask(customer.apply(700))
    customer.clock.advance(timedelta(days=2))
    await customer.ask(customer.restore())
    assert (await customer.lines())[-2:] == [("restored", 700, 1000), ("expired", -500, 500)]

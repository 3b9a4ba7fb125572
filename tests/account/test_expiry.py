"""Credits end at their time, except for what a reservation holds."""

import asyncio
from datetime import timedelta

from shared.contracts.base import Refusal
from tests.account.customer import Customer


async def test_what_is_not_spent_in_time_is_gone_once(customer: Customer) -> None:
    await customer.granted(1000, days=30)
    await customer.granted(500)
    await customer.ask(customer.apply(400))
    customer.clock.advance(timedelta(days=30))
    await customer.balances(500, 0)
    assert await customer.lines() == [
        ("granted", 1000, 1000),
        ("granted", 500, 1500),
        ("burned", -400, 1100),
        ("expired", -600, 500),
    ]
    (gone,) = await customer.rows(
        "SELECT sum(amount_cents) FROM ledger_entries"
        " WHERE organization_id = $1 AND ledger_account = 'breakage'"
    )
    assert gone[0] == 600


async def test_credits_cannot_be_used_from_the_moment_they_end(customer: Customer) -> None:
    """Whether or not the job has been there."""
    await customer.granted(1000, days=30)
    customer.clock.advance(timedelta(days=30))
    assert await customer.refused(customer.hold(1)) == (402, "insufficient_credits")
    assert (await customer.ask(customer.apply(100))).changed_cents == 0
    await customer.balances(0, 0)


async def test_what_is_held_outlives_its_lot_and_ends_with_its_hold(customer: Customer) -> None:
    await customer.granted(1000, days=1)
    await customer.ask(customer.hold(300, "h1", days=10))
    await customer.ask(customer.hold(200, "h2", days=10))
    await customer.ask(customer.settle("h1", "commit"))
    customer.clock.advance(timedelta(days=5))
    await customer.balances(0, 500)
    burned = await customer.ask(customer.apply(250, holds=["h1"]))
    assert (burned.changed_cents, burned.balance_cents) == (250, 0)
    await customer.ask(customer.settle("h2", "release"))
    assert await customer.credits() == (0, 0, 0)
    assert await customer.lines() == [
        ("granted", 1000, 1000),
        ("expired", -500, 500),
        ("burned", -250, 250),
        ("expired", -50, 200),
        ("expired", -200, 0),
    ]


async def test_a_hold_and_the_end_of_its_lot_never_both_have_the_credits(
    customer: Customer,
) -> None:
    """Some reserve while the clock passes the end, and the job runs on both replicas."""
    await customer.granted(10_000, days=1)
    customer.clock.advance(timedelta(hours=23, minutes=59))

    async def reserve(n: int) -> bool:
        if n == 20:
            customer.clock.advance(timedelta(minutes=2))
        answer = await customer.try_to(customer.hold(100))
        return not isinstance(answer, Refusal)

    held = sum(await asyncio.gather(*(reserve(n) for n in range(60))))
    await customer.balances(0, 100 * held)
    lines = await customer.lines()
    assert lines == [("granted", 10_000, 10_000), ("expired", 100 * held - 10_000, 100 * held)]


async def test_an_expired_hold_frees_credits_for_the_debt(customer: Customer) -> None:
    await customer.tell(customer.paid(1000))
    await customer.ask(customer.hold(1000, "h1", days=1))
    await customer.tell(customer.reversed_to(700, 1))
    assert await customer.credits() == (0, 1000, 700)
    customer.clock.advance(timedelta(days=1))
    await customer.balances(300, 0)
    assert await customer.credits() == (300, 0, 0)

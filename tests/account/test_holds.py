"""Reservations set credits aside, exactly, and settle or let go of them."""

import asyncio
from datetime import timedelta

import pytest

from shared.contracts.base import Refusal
from tests.account.customer import Customer


async def test_a_thousand_who_reserve_at_once_get_exactly_what_there_is(
    customer: Customer,
) -> None:
    await customer.granted(5000)
    await customer.granted(2999)
    answers = await asyncio.gather(*(customer.try_to(customer.hold(1000)) for _ in range(1000)))
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(answers) - len(refused) == 7
    assert {(answer.status, answer.code) for answer in refused} == {(402, "insufficient_credits")}
    assert await customer.credits() == (999, 7000, 0)


async def test_a_hold_repeated_holds_once(customer: Customer) -> None:
    await customer.granted(2000)
    order = customer.hold(1000, "h1")
    answers = await asyncio.gather(*(customer.ask(order) for _ in range(8)))
    assert sorted(answer.changed_cents for answer in answers) == [0] * 7 + [1000]
    assert {answer.total_cents for answer in answers} == {1000}
    assert await customer.credits() == (1000, 1000, 0)
    assert await customer.refused(customer.hold(900, "h1")) == (409, "hold_conflict")


async def test_nobody_holds_without_an_account_or_without_credits(customer: Customer) -> None:
    assert await customer.refused(customer.hold(1)) == (402, "insufficient_credits")
    await customer.account()
    assert await customer.refused(customer.hold(1)) == (402, "insufficient_credits")


async def test_a_suspended_account_holds_nothing(customer: Customer) -> None:
    await customer.granted(2000)
    await customer.rows(
        "UPDATE accounts SET status = 'suspended' WHERE organization_id = $1 RETURNING 1"
    )
    assert await customer.refused(customer.hold(1)) == (402, "account_suspended")


async def test_holds_pin_lots_in_the_order_in_which_they_would_burn(customer: Customer) -> None:
    """Given before bought, what expires first before what lasts, old before new."""
    await customer.granted(100, "purchased")
    await customer.granted(100)
    await customer.granted(100, days=60)
    await customer.granted(100, days=30)
    await customer.granted(100)
    await customer.granted(100, "purchased", days=10)
    expected = [
        [0, 0, 0, 60, 0, 0],
        [0, 0, 20, 100, 0, 0],
        [0, 0, 80, 100, 0, 0],
        [0, 40, 100, 100, 0, 0],
        [0, 100, 100, 100, 0, 0],
        [0, 100, 100, 100, 60, 0],
        [0, 100, 100, 100, 100, 20],
        [0, 100, 100, 100, 100, 80],
        [40, 100, 100, 100, 100, 100],
        [100, 100, 100, 100, 100, 100],
    ]
    for held in expected:
        await customer.ask(customer.hold(60))
        assert [pinned for _, pinned in await customer.lots()] == held


async def test_a_hold_let_go_is_free_again_and_stays_let_go(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1"))
    freed = await customer.ask(customer.settle("h1", "release"))
    assert (freed.changed_cents, freed.balance_cents, freed.held_cents) == (600, 1000, 0)
    assert (await customer.ask(customer.settle("h1", "release"))).changed_cents == 0
    assert await customer.refused(customer.hold(600, "h1")) == (409, "hold_ended")
    for action in ("commit", "renew"):
        settle = customer.settle("h1", action, days=1)
        assert await customer.refused(settle) == (409, "hold_ended")
    assert await customer.credits() == (1000, 0, 0)


async def test_a_hold_let_go_before_it_came_is_not_granted(customer: Customer) -> None:
    await customer.granted(1000)
    assert (await customer.ask(customer.settle("h1", "release"))).changed_cents == 0
    assert await customer.refused(customer.hold(600, "h1")) == (409, "hold_ended")


async def test_what_nobody_holds_cannot_be_settled(customer: Customer) -> None:
    assert await customer.refused(customer.settle("h1", "release")) == (404, "hold_not_found")
    await customer.account()
    for action in ("commit", "renew"):
        settle = customer.settle("h1", action, days=1)
        assert await customer.refused(settle) == (404, "hold_not_found")


async def test_a_hold_that_nobody_commits_ends_by_itself(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1", days=1))
    await customer.ask(customer.hold(100, "h2", days=2))
    await customer.ask(customer.hold(50, "h3", days=1))
    await customer.ask(customer.settle("h2", "commit"))
    await customer.ask(customer.settle("h3", "renew", days=3))
    customer.clock.advance(timedelta(days=1))
    await customer.balances(850, 150)
    assert await customer.refused(customer.settle("h1", "commit")) == (409, "hold_ended")
    customer.clock.advance(timedelta(days=30))
    await customer.balances(900, 100)


async def test_renewing_only_prolongs(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1", days=5))
    await customer.ask(customer.settle("h1", "renew", days=1))
    (row,) = await customer.rows("SELECT expires_at FROM holds WHERE organization_id = $1")
    assert row[0] == customer.in_days(5)
    assert await customer.refused(customer.settle("h1", "renew")) == (422, "invalid_expiry")
    assert await customer.refused(customer.settle("h1", "renew", days=-1)) == (
        422,
        "invalid_expiry",
    )


@pytest.mark.parametrize("last", ["commit", "release"])
async def test_many_who_settle_one_hold_at_once_agree(customer: Customer, last: str) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1"))
    answers = await asyncio.gather(*(customer.ask(customer.settle("h1", last)) for _ in range(10)))
    freed = 600 if last == "release" else 0
    assert sum(answer.changed_cents for answer in answers) == freed
    assert await customer.credits() == (400 + freed, 600 - freed, 0)


async def test_a_committed_hold_may_still_be_let_go(customer: Customer) -> None:
    """The record that it waited for was voided."""
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1"))
    await customer.ask(customer.settle("h1", "commit"))
    await customer.ask(customer.settle("h1", "release"))
    assert await customer.credits() == (1000, 0, 0)

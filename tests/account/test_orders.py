"""Operators give and take credits, once per order."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from services.account.handlers.credits import LARGEST_BALANCE_CENTS
from shared.contracts.base import Refusal
from tests.account.customer import Customer


async def test_a_grant_repeated_is_given_once_and_says_so(customer: Customer) -> None:
    await customer.account()
    order = customer.grant(700, grant_id="g1")
    first = await customer.ask(order)
    again = await customer.ask(order)
    assert (first.changed_cents, first.total_cents, first.balance_cents) == (700, 700, 700)
    assert (again.changed_cents, again.total_cents, again.balance_cents) == (0, 700, 700)


async def test_eight_who_repeat_one_grant_at_once_give_it_once(customer: Customer) -> None:
    await customer.account()
    order = customer.grant(700, grant_id="g1")
    answers = await asyncio.gather(*(customer.ask(order) for _ in range(8)))
    assert sorted(answer.changed_cents for answer in answers) == [0] * 7 + [700]
    assert await customer.credits() == (700, 0, 0)


async def test_an_id_used_for_another_order_is_refused(customer: Customer) -> None:
    await customer.granted(700, grant_id="g1")
    assert await customer.refused(customer.grant(800, grant_id="g1")) == (409, "id_reused")
    # A grant and a taking do not share their ids; nor does it matter which operator repeats.
    await customer.ask(customer.take(100, taking_id="g1"))
    await customer.ask(customer.take(100, taking_id="g1", requested_by="op-2"))
    assert await customer.refused(customer.take(200, taking_id="g1")) == (409, "id_reused")
    assert await customer.credits() == (600, 0, 0)


async def test_a_taking_takes_at_most_what_is_free(customer: Customer) -> None:
    await customer.granted(700)
    await customer.ask(customer.hold(200))
    taken = await customer.ask(customer.take(9999))
    assert (taken.changed_cents, taken.balance_cents, taken.held_cents) == (500, 0, 200)
    assert taken.debt_cents == 0
    nothing = await customer.ask(customer.take(1))
    assert (nothing.changed_cents, nothing.total_cents) == (0, 0)
    assert (await customer.lines())[1:] == [("taken_back", -500, 200)]


async def test_a_taking_that_found_nothing_takes_nothing_when_repeated_later(
    customer: Customer,
) -> None:
    await customer.account()
    order = customer.take(300, taking_id="t1")
    assert (await customer.ask(order)).changed_cents == 0
    await customer.ask(customer.grant(1000))
    assert (await customer.ask(order)).changed_cents == 0
    assert await customer.credits() == (1000, 0, 0)


async def test_an_organization_without_an_account_is_not_found(customer: Customer) -> None:
    """A mistyped name must not become an account with credits."""
    assert await customer.refused(customer.grant(700)) == (404, "account_not_found")
    assert await customer.refused(customer.take(700)) == (404, "account_not_found")
    assert await customer.rows("SELECT 1 FROM accounts WHERE organization_id = $1") == []
    await customer.account()


async def test_an_expiry_must_be_a_moment_to_come(customer: Customer) -> None:
    await customer.account()
    now = customer.clock.now()
    for moment in (
        now,
        now - timedelta(seconds=1),
        now.replace(tzinfo=None) + timedelta(days=1),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))),
        datetime.min.replace(tzinfo=UTC),
        now + timedelta(days=40_000),
    ):
        order = customer.grant(700, expires_at=moment)
        assert await customer.refused(order) == (422, "invalid_expiry"), moment
    elsewhere = (now + timedelta(days=1)).astimezone(timezone(timedelta(hours=9)))
    await customer.ask(customer.grant(700, expires_at=elsewhere))


async def test_a_balance_has_a_limit(customer: Customer) -> None:
    await customer.account()
    refused = 0
    for _ in range(LARGEST_BALANCE_CENTS // 10**12 + 1):
        answer = await customer.bus.ask(customer.grant(10**12))
        refused += isinstance(answer, Refusal)
    assert refused == 1
    assert await customer.credits() == (LARGEST_BALANCE_CENTS, 0, 0)


async def test_what_an_operator_says_is_on_the_statement(customer: Customer) -> None:
    await customer.granted(700, "purchased", description="Paid by wire", days=30)
    (entry,) = await customer.statement()
    assert (entry.description, entry.lot_kind) == ("Paid by wire", "purchased")
    assert entry.expires_at == customer.in_days(30)

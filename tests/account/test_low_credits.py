"""Who runs low on credits is told once, until they have had enough again."""

from datetime import timedelta
from typing import Any

import pytest

from services.account.app import books
from shared.contracts.account import CreditsLow
from tests.account.customer import Customer
from tests.stack import until


async def notices(customer: Customer, count: int) -> list[dict[str, Any]]:
    async def told() -> list[dict[str, Any]]:
        return customer.facts(CreditsLow)

    return await until(told, lambda facts: len(facts) == count)


async def test_falling_below_the_threshold_is_told_once_until_it_was_reached_again(
    customer: Customer,
) -> None:
    await customer.granted(1000)
    await customer.ask(customer.apply(500, "inv-1"))
    await customer.ask(customer.apply(1, "inv-2"))
    (first,) = await notices(customer, 1)
    assert (first["balance_cents"], first["threshold_cents"]) == (499, 500)
    await customer.ask(customer.apply(100, "inv-3"))
    await customer.ask(customer.grant(100))
    await customer.ask(customer.apply(100, "inv-4"))
    await customer.ask(customer.grant(101))
    await customer.ask(customer.take(1))
    assert [each["balance_cents"] for each in await notices(customer, 2)] == [499, 499]


async def test_who_never_had_enough_is_not_told(customer: Customer) -> None:
    await customer.granted(499)
    await customer.ask(customer.apply(400))
    await customer.ask(customer.grant(500))
    await customer.ask(customer.apply(500, "inv-2"))
    (only,) = await notices(customer, 1)
    assert only["balance_cents"] == 99


async def test_what_reservations_hold_counts_as_gone(customer: Customer) -> None:
    await customer.granted(1000)
    await customer.ask(customer.hold(600, "h1"))
    (first,) = await notices(customer, 1)
    assert first["balance_cents"] == 400
    await customer.ask(customer.settle("h1", "release"))
    await customer.ask(customer.hold(600, "h2"))
    await notices(customer, 2)


async def test_credits_that_expire_run_low_too(customer: Customer) -> None:
    await customer.granted(1000, days=1)
    customer.clock.advance(timedelta(days=1))
    (only,) = await notices(customer, 1)
    assert only["balance_cents"] == 0


async def test_the_threshold_is_a_setting(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "low_credit_cents", 2000)
    await customer.granted(2000)
    await customer.ask(customer.take(1))
    (only,) = await notices(customer, 1)
    assert only["threshold_cents"] == 2000

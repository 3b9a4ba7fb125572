"""What was bought is granted once; what goes back at Stripe is taken back, or owed."""

import asyncio
import random
from dataclasses import replace

import pytest

from shared.contracts.account import AccountOpened, CreditsChanged
from tests.account.customer import Customer
from tests.account.test_accounts import moved
from tests.stack import until


async def test_a_paid_purchase_is_granted_to_the_cent(customer: Customer) -> None:
    await customer.tell(customer.paid(1999))
    assert await customer.credits() == (1999, 0, 0)
    (entry,) = await customer.statement()
    assert (entry.kind, entry.lot_kind, entry.amount_cents) == ("granted", "purchased", 1999)
    assert (entry.sequence, entry.reference, entry.expires_at) == (1, "cs_1", None)


async def test_the_same_purchase_told_twenty_times_is_granted_once(customer: Customer) -> None:
    await customer.tell(customer.paid(1999), times=20)
    assert await customer.credits() == (1999, 0, 0)

    async def told() -> int:
        return len(customer.facts(CreditsChanged))

    await until(told, lambda count: count == 1)
    assert customer.facts(CreditsChanged)[0]["balance_cents"] == 1999


async def test_parallel_purchases_and_grants_sum_exactly(customer: Customer) -> None:
    """Eight of each at once, on two replicas: the original lost six of eight."""
    await customer.account()
    bought = [customer.paid(100 + n, f"cs_{n}") for n in range(8)]
    await asyncio.gather(
        *(customer.tell(each) for each in bought),
        *(customer.ask(customer.grant(1000 + n)) for n in range(8)),
    )
    assert (await customer.account()).credit_balance_cents == sum(1100 + 2 * n for n in range(8))
    assert [entry.sequence for entry in await customer.statement()] == list(range(1, 17))


async def test_only_purchases_of_credits_are_credits(customer: Customer) -> None:
    await customer.account()
    await customer.tell(
        customer.paid(49900, "cs_1", kind="lifetime", tier="lifetime"),
        customer.paid(2900, "cs_2", kind="subscription", tier="starter"),
        customer.reversed_to(100, 1, "cs_1", kind="lifetime"),
    )
    assert await customer.statement() == []


async def test_a_refund_takes_back_what_is_left_of_its_purchase_first(customer: Customer) -> None:
    await customer.granted(500)
    await customer.tell(customer.paid(1000, "cs_1"))
    await customer.tell(customer.paid(2000, "cs_2"))
    await customer.tell(customer.reversed_to(600, 1, "cs_2"))
    assert await customer.lots() == [(500, 0), (1000, 0), (1400, 0)]
    assert await customer.credits() == (2900, 0, 0)


async def test_beyond_its_own_lot_a_refund_takes_what_was_bought_before_what_was_given(
    customer: Customer,
) -> None:
    await customer.tell(customer.paid(1000, "cs_1"))
    await customer.ask(customer.apply(800, "inv-1"))
    await customer.granted(700)
    await customer.tell(customer.paid(300, "cs_2"))
    await customer.tell(customer.reversed_to(1000, 1, "cs_1"))
    assert await customer.lots() == [(0, 0), (200, 0), (0, 0)]
    assert await customer.credits() == (200, 0, 0)


async def test_what_was_spent_already_becomes_a_debt_that_the_next_credits_pay(
    customer: Customer,
) -> None:
    await customer.tell(customer.paid(2000))
    await customer.ask(customer.apply(1200))
    await customer.tell(customer.reversed_to(2000, 1))
    assert await customer.credits() == (0, 0, 1200)
    await customer.tell(customer.paid(500, "cs_2"))
    assert await customer.credits() == (0, 0, 700)
    await customer.ask(customer.grant(1000))
    assert await customer.credits() == (300, 0, 0)
    assert await customer.lines() == [
        ("granted", 2000, 2000),
        ("burned", -1200, 800),
        ("taken_back", -800, 0),
        ("debt", -1200, 0),
        ("granted", 500, 500),
        ("debt_paid", -500, 0),
        ("granted", 1000, 1000),
        ("debt_paid", -700, 300),
    ]
    assert [entry.debt_after_cents for entry in await customer.statement()] == [
        0, 0, 0, 1200, 1200, 700, 700, 0
    ]  # fmt: skip


async def test_refunds_are_cumulative(customer: Customer) -> None:
    """$3, then $5 in all, is $5: the original counted $8."""
    await customer.tell(customer.paid(2000))
    await customer.tell(customer.reversed_to(300, 1), customer.reversed_to(500, 2))
    assert await customer.credits() == (1500, 0, 0)


async def test_a_dispute_that_is_won_gives_back_exactly_what_it_took(customer: Customer) -> None:
    await customer.granted(400, days=30)
    await customer.tell(customer.paid(2000))
    await customer.ask(customer.apply(1500))
    before = await customer.lots()
    await customer.tell(customer.reversed_to(2000, 1, reason="dispute"))
    assert await customer.credits() == (0, 0, 1100)
    await customer.tell(customer.reversed_to(0, 2, reason="reinstated"))
    assert await customer.lots() == before
    assert await customer.credits() == (900, 0, 0)
    assert (await customer.lines())[-1] == ("reinstated", 2000, 900)


async def test_a_reversal_that_falls_in_part_undoes_its_last_part_first(
    customer: Customer,
) -> None:
    await customer.tell(customer.paid(1000, "cs_1"))
    await customer.tell(customer.paid(500, "cs_2"))
    await customer.ask(customer.apply(700))
    assert await customer.lots() == [(300, 0), (500, 0)]
    await customer.tell(customer.reversed_to(1000, 1, "cs_1", reason="dispute"))
    assert await customer.credits() == (0, 0, 200)
    await customer.tell(customer.reversed_to(450, 2, "cs_1", reason="reinstated"))
    assert await customer.lots() == [(0, 0), (350, 0)]
    await customer.tell(customer.reversed_to(0, 3, "cs_1", reason="reinstated"))
    assert await customer.lots() == [(300, 0), (500, 0)]


async def test_a_debt_that_was_paid_meanwhile_comes_back_as_credits(customer: Customer) -> None:
    await customer.tell(customer.paid(1000))
    await customer.ask(customer.apply(1000))
    await customer.tell(customer.reversed_to(1000, 1, reason="dispute"))
    await customer.ask(customer.grant(600))
    assert await customer.credits() == (0, 0, 400)
    await customer.tell(customer.reversed_to(0, 2, reason="reinstated"))
    assert await customer.credits() == (600, 0, 0)
    assert (await customer.statement())[-1].lot_kind == "purchased"


async def test_what_comes_back_of_one_purchase_pays_the_debt_of_another(
    customer: Customer,
) -> None:
    await customer.tell(customer.paid(1000, "cs_1"), customer.paid(500, "cs_2"))
    await customer.tell(customer.reversed_to(300, 1, "cs_1", reason="dispute"))
    await customer.ask(customer.apply(1200))
    await customer.tell(customer.reversed_to(500, 1, "cs_2"))
    assert await customer.credits() == (0, 0, 500)
    await customer.tell(customer.reversed_to(0, 2, "cs_1", reason="reinstated"))
    assert await customer.credits() == (0, 0, 200)


async def test_what_reservations_hold_is_not_taken_back_but_pays_once_it_is_free(
    customer: Customer,
) -> None:
    await customer.tell(customer.paid(1000))
    await customer.ask(customer.hold(600, "h1"))
    await customer.tell(customer.reversed_to(1000, 1))
    assert await customer.credits() == (0, 600, 600)
    await customer.ask(customer.settle("h1", "release"))
    assert await customer.credits() == (0, 0, 0)


async def test_no_more_is_taken_back_than_was_granted(customer: Customer) -> None:
    await customer.tell(customer.paid(1000), customer.paid(300, "cs_2"))
    await customer.tell(customer.reversed_to(1500, 1, reason="dispute"))
    assert await customer.credits() == (300, 0, 0)


async def test_a_reversal_heard_before_its_purchase_is_applied_with_it(customer: Customer) -> None:
    await customer.tell(customer.reversed_to(400, 3), customer.reversed_to(900, 2))
    assert await customer.credits() == (0, 0, 0)
    await customer.tell(customer.paid(1000))
    assert await customer.credits() == (600, 0, 0)
    assert len(customer.facts(AccountOpened)) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_a_history_told_in_any_order_by_many_ends_the_same(
    customer: Customer, seed: int
) -> None:
    """Three purchases, refunded and disputed; every fact several times, shuffled, over the bus."""
    facts = [
        customer.paid(1999, "cs_1"),
        customer.reversed_to(500, 1, "cs_1"),
        customer.reversed_to(1999, 2, "cs_1", reason="dispute"),
        customer.reversed_to(500, 3, "cs_1", reason="reinstated"),
        customer.paid(50, "cs_2"),
        customer.reversed_to(50, 1, "cs_2"),
        customer.paid(100_000, "cs_3"),
    ] * 3
    random.Random(seed).shuffle(facts)
    await customer.tell(*facts)
    assert await customer.credits() == (1499 + 100_000, 0, 0)
    assert sorted(remaining for remaining, _ in await customer.lots()) == [0, 1499, 100_000]


async def test_replicas_that_hear_of_many_organizations_never_wait_in_a_circle(
    customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Two kinds of facts about the same accounts, in batches of any order."""
    others = [
        replace(customer, organization_id=f"{customer.organization_id}-{n}") for n in range(9)
    ]
    facts = [
        (other, fact)
        for other in others
        for n in range(4)
        for fact in (other.paid(100, f"cs_{n}"), moved(other, f"m{n}", 100))
    ]
    random.Random(1).shuffle(facts)
    await asyncio.gather(*(other.publish(fact) for other, fact in facts))
    await customer.account()
    await customer.idle(60)
    for other in others:
        assert (await other.account()).total_amount_spent_cents == 400
        assert await other.credits() == (400, 0, 0)
    assert [record.getMessage() for record in caplog.records if "trying again" in record.msg] == []

"""What another plan replaces is ended at Stripe, however busy that is, and paid back if need be."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.contracts.base import Refusal, Reply
from shared.contracts.stripe_gateway import ChangeStripeSubscription, RefundPayment
from shared.contracts.subscription import ChangePlan, SetTier
from tests.stack import until
from tests.subscription.customer import Customer
from tests.subscription.neighbours import Answer, refunded

BUSY = Refusal(code="stripe_busy", detail="Payments are slow right now.", status=429)


def busy_at_first(then: Callable[[Any], Reply]) -> Answer:
    """A Stripe that turns the first request away."""
    refusals = [BUSY]

    def answer(request: Any) -> Reply:
        return refusals.pop() if refusals else then(request)

    return answer


def ends(customer: Customer) -> list[ChangeStripeSubscription]:
    return customer.neighbours.requests(ChangeStripeSubscription, customer.organization_id)


async def ended(customer: Customer, count: int = 1) -> list[ChangeStripeSubscription]:
    """The orders to end, once there are so many."""

    async def asked() -> list[ChangeStripeSubscription]:
        return ends(customer)

    return await until(asked, lambda found: len(found) >= count)


async def orders(customer: Customer) -> list[str]:
    """How the orders stand to end something at Stripe."""
    async with customer.database.read() as db:
        rows = await db.driver.fetch(
            "SELECT status FROM steps WHERE kind = 'end_at_stripe'"
            " AND state ->> 'organization_id' = $1",
            customer.organization_id,
        )
    return [row["status"] for row in rows]


@pytest.fixture
def stripe(customer: Customer) -> Customer:
    """A customer whose Stripe does what it is told."""
    customer.neighbours.answers[ChangeStripeSubscription] = lambda _: (
        customer.stands("pro", status="canceled").subscription
    )
    return customer


async def test_a_plan_is_ended_although_stripe_is_busy_at_first(customer: Customer) -> None:
    customer.neighbours.answers[ChangeStripeSubscription] = busy_at_first(
        lambda _: customer.stands("pro", status="canceled").subscription
    )
    await customer.subscribe("pro")
    await customer.buy_lifetime()
    turned_away, heard = await ended(customer, 2)
    assert turned_away == heard
    assert heard.action == "cancel_now"


async def test_a_second_lifetime_is_paid_back_although_stripe_is_busy_at_first(
    customer: Customer,
) -> None:
    now = customer.clock.now()
    customer.neighbours.answers[RefundPayment] = busy_at_first(lambda _: refunded(49_900, now))
    await customer.buy_lifetime("cs_1")
    await customer.buy_lifetime("cs_2")

    async def asked() -> list[RefundPayment]:
        return customer.neighbours.requests(RefundPayment, customer.organization_id)

    turned_away, heard = await until(asked, lambda found: len(found) == 2)
    assert turned_away == heard


async def test_a_plan_that_waits_for_its_bank_is_ended_and_ended_again_if_it_runs_after_all(
    stripe: Customer,
) -> None:
    waiting = stripe.stands("pro", status="incomplete")
    await stripe.tell(waiting)
    await stripe.buy_lifetime()
    (first,) = await ended(stripe)
    assert first.stripe_subscription_id == waiting.subscription.stripe_subscription_id
    # It was told too late: the bank had said yes, after the lifetime was paid for.
    stripe.clock.advance(timedelta(minutes=1))
    period = waiting.subscription.current_period_start, waiting.subscription.current_period_end
    await stripe.subscribe("pro", current_period_start=period[0], current_period_end=period[1])
    _, second = await ended(stripe, 2)
    assert (second.action, second.refund) == ("cancel_now", True)
    assert (await stripe.subscription()).is_lifetime
    await stripe.subscribe("pro", status="canceled")
    assert len(ends(stripe)) == 2


@pytest.mark.parametrize("given", ["a lifetime", "a tier"])
@pytest.mark.parametrize("paid", ["before", "after"])
async def test_what_is_paid_after_something_better_began_goes_back(
    stripe: Customer, given: str, paid: str
) -> None:
    async def replace() -> None:
        if given == "a lifetime":
            await stripe.buy_lifetime()
        else:
            organization_id = stripe.organization_id
            tier = SetTier(
                organization_id=organization_id, tier="enterprise", requested_by="operator"
            )
            await stripe.ask(tier)

    if paid == "after":
        await replace()
    stripe.clock.advance(timedelta(hours=1))
    await stripe.subscribe("pro")
    stripe.clock.advance(timedelta(hours=1))
    if paid == "before":
        await replace()
    (request,) = await ended(stripe)
    assert (request.action, request.refund) == ("cancel_now", paid == "after")


async def test_a_tier_that_is_taken_back_before_stripe_hears_of_it_leaves_the_plan(
    stripe: Customer,
) -> None:
    ending = stripe.neighbours.answers[ChangeStripeSubscription]
    stripe.neighbours.answers[ChangeStripeSubscription] = lambda _: BUSY
    await stripe.subscribe("pro")

    def tier(name: Any) -> SetTier:
        return SetTier(organization_id=stripe.organization_id, tier=name, requested_by="operator")

    await stripe.ask(tier("enterprise"))
    (first, *_) = await ended(stripe)
    assert first.may_be_called_off
    stripe.clock.advance(timedelta(hours=1))
    assert (await stripe.ask(tier("free"))).tier == "pro"
    assert await orders(stripe) == []
    # What is given later is another order, from then on.
    stripe.neighbours.answers[ChangeStripeSubscription] = ending
    stripe.clock.advance(timedelta(hours=1))
    await stripe.ask(tier("enterprise"))
    assert await until(lambda: orders(stripe), lambda found: found == ["concluded"])
    assert first.refund_from is not None
    assert ends(stripe)[-1].refund_from == first.refund_from + timedelta(hours=2)


async def test_what_renews_before_its_end_gets_there_goes_back(stripe: Customer) -> None:
    """Stripe may be busy for long; what runs there then is known there, and not here."""
    await stripe.subscribe("pro")
    stripe.clock.advance(timedelta(days=1))
    bought_at = stripe.clock.now()
    await stripe.buy_lifetime(at=bought_at)
    (request,) = await ended(stripe)
    assert (request.refund, request.refund_from) == (False, bought_at)


async def test_a_renewal_that_was_paid_beside_a_lifetime_goes_back(stripe: Customer) -> None:
    fact = await stripe.subscribe("pro")
    end = fact.subscription.current_period_end
    assert end is not None
    stripe.clock.advance(timedelta(days=1))
    await stripe.buy_lifetime()
    await ended(stripe)
    await stripe.subscribe(
        "pro", current_period_start=end, current_period_end=end + timedelta(days=30)
    )
    first, second = await ended(stripe, 2)
    assert (first.refund, second.refund) == (False, True)


async def test_what_was_had_while_a_lifetime_was_taken_away_is_not_paid_back(
    stripe: Customer,
) -> None:
    """A bank holds the lifetime's money back, and months later it is ours after all."""
    await stripe.buy_lifetime()
    stripe.clock.advance(timedelta(days=31))
    await stripe.tell(stripe.reversal(49_900, 1))
    stripe.clock.advance(timedelta(days=4))
    began = stripe.clock.now()
    await stripe.subscribe("pro")
    start = began + timedelta(days=30)
    stripe.clock.advance(timedelta(days=35))
    await stripe.subscribe(
        "pro", current_period_start=start, current_period_end=start + timedelta(days=30)
    )
    await stripe.tell(stripe.reversal(0, 2))
    assert (await stripe.subscription()).is_lifetime
    (order,) = await ended(stripe)
    assert (order.refund, order.refund_from) == (False, stripe.clock.now())


async def test_a_change_that_finds_stripe_busy_is_pending_and_settles_by_itself(
    customer: Customer,
) -> None:
    fact = await customer.subscribe("pro")
    upgraded = msgspec.structs.replace(fact.subscription, tier="team", price_cents=19_900)
    customer.neighbours.answers[ChangeStripeSubscription] = busy_at_first(lambda _: upgraded)
    upgrade = ChangePlan(
        organization_id=customer.organization_id, tier="team", requested_by="owner"
    )
    refusal = await customer.refused(upgrade, idempotency_key="upgrade")
    assert refusal.code == "pending"

    async def tier() -> str:
        return (await customer.subscription()).tier

    await until(tier, lambda found: found == "team")
    assert (await customer.ask(upgrade, idempotency_key="upgrade")).tier == "team"
    assert len(ends(customer)) == 2

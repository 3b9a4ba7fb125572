"""`kill -9` at every point of every operation: once at Stripe, and we know it."""

import asyncio
import re
from typing import Any

import pytest

from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    Charge,
    ChargeChanged,
    CustomerLinked,
    DetachPaymentMethod,
    ListPaymentMethods,
    MoneyMoved,
    PurchasePaid,
    RefundPayment,
)
from tests.stack import until
from tests.stripe_gateway.crashes import (
    STEP,
    Operation,
    Prepared,
    cases,
    customer_only,
    killed_at,
    nothing,
)
from tests.stripe_gateway.shop import Shop


async def with_card(shop: Shop, organization: str) -> str:
    await shop.open_account(organization)
    return await shop.attach(organization)


async def make_customer(shop: Shop, organization: str, _: Prepared) -> str | None:
    await shop.announce_account(organization)
    return (await shop.facts.wait(CustomerLinked, organization))[0].stripe_customer_id


async def one_customer(shop: Shop, organization: str, customer: Any, _: Prepared) -> None:
    made = shop.sandbox.ledger(kind="customer", organization_id=organization)["entries"]
    assert [each["object"] for each in made] == [customer]


async def attach_card(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(
        AttachPaymentMethod(
            organization_id=organization, payment_method_id="pm_card_visa", requested_by="user-1"
        )
    )


async def cards_as_at_stripe(shop: Shop, organization: str, _: Any, customer: Prepared) -> None:
    at_stripe = await shop.stripe.customers.payment_methods.list_async(customer)
    ours = await shop.ask(ListPaymentMethods(organization_id=organization))
    assert len(at_stripe.data) == 1
    assert [each.id for each in at_stripe.data] == [
        each.payment_method_id for each in ours.payment_methods
    ]
    assert [each.is_default for each in ours.payment_methods] == [True]


async def two_cards(shop: Shop, organization: str) -> tuple[str, str]:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    return customer, await shop.attach(organization, "pm_card_mastercard")


async def detach_default(shop: Shop, organization: str, cards: Prepared) -> Any:
    return await shop.settled(
        DetachPaymentMethod(
            organization_id=organization, payment_method_id=cards[1], requested_by="user-1"
        )
    )


async def one_card_left(shop: Shop, organization: str, _: Any, cards: Prepared) -> None:
    await cards_as_at_stripe(shop, organization, None, cards[0])


async def open_page(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(shop.order(organization, requested_by="user-1"))


async def one_page(shop: Shop, organization: str, page: Any, customer: Prepared) -> None:
    found = await shop.stripe.checkout.sessions.list_async({"customer": customer})
    assert [each.id for each in found.data] == [page.session_id]
    rows = await shop.rows(
        "SELECT session_id FROM purchases WHERE organization_id = :id", id=organization
    )
    assert [row.session_id for row in rows] == [page.session_id]


async def collect(shop: Shop, organization: str, _: Prepared) -> Charge:
    return await shop.settled(shop.charge(organization, 2500, charge_id="the-charge"))


async def collected_once(shop: Shop, organization: str, charge: Any, _: Prepared) -> None:
    assert charge.status == "succeeded"
    assert shop.charged(organization_id=organization) == [2500]
    told = await shop.facts.wait(ChargeChanged, organization)
    assert told[-1].charge.status == "succeeded"
    assert len(await shop.facts.wait(MoneyMoved, organization)) == 1


async def with_bad_card(shop: Shop, organization: str) -> str:
    await shop.open_account(organization)
    return await shop.attach(organization, "pm_card_chargeCustomerFail")


async def declined_for_good(shop: Shop, organization: str, charge: Any, _: Prepared) -> None:
    assert charge.status == "failed"
    assert shop.charged(organization_id=organization) == []
    intent = await shop.stripe.payment_intents.retrieve_async(charge.stripe_payment_intent_id)
    assert intent.status == "canceled"


async def charged(shop: Shop, organization: str) -> Charge:
    await with_card(shop, organization)
    return await shop.settled(shop.charge(organization, 2500))


async def give_back(shop: Shop, organization: str, charge: Prepared) -> Charge:
    return await shop.settled(
        RefundPayment(
            organization_id=organization,
            refund_id=f"{organization}-refund",
            charge_id=charge.charge_id,
            amount_cents=1000,
            requested_by="operator",
        )
    )


async def given_back_once(shop: Shop, organization: str, charge: Any, _: Prepared) -> None:
    assert charge.refunded_cents == 1000
    found = await shop.stripe.refunds.list_async(
        {"payment_intent": charge.stripe_payment_intent_id}
    )
    assert [each.amount for each in found.data] == [1000]
    moved = await shop.facts.wait(MoneyMoved, organization, 2)
    assert sorted(each.amount_cents for each in moved) == [-1000, 2500]


async def with_page(shop: Shop, organization: str) -> Any:
    await shop.open_account(organization)
    return await shop.ask(shop.order(organization))


async def pay_page(shop: Shop, organization: str, page: Prepared) -> Any:
    await shop.pay(page.checkout_url)
    return (await shop.facts.wait(PurchasePaid, organization))[0]


async def paid_once(shop: Shop, organization: str, paid: Any, page: Prepared) -> None:
    assert paid.session_id == page.session_id
    await shop.delivered()
    await shop.idle()
    assert len(shop.facts.all(PurchasePaid, organization)) == 1
    assert len(await shop.facts.wait(MoneyMoved, organization)) == 1
    assert shop.charged(organization_id=organization) == [1999]


OPERATIONS = {
    "customer": Operation(
        nothing, make_customer, one_customer, (*STEP, "stripe.customer", "outbox.published")
    ),
    "attach": Operation(
        customer_only,
        attach_card,
        cards_as_at_stripe,
        (*STEP, "stripe.attach", "stripe.set_default", "outbox.published"),
    ),
    "detach": Operation(
        two_cards, detach_default, one_card_left, (*STEP, "stripe.detach", "stripe.set_default")
    ),
    "page": Operation(customer_only, open_page, one_page, (*STEP, "stripe.checkout")),
    "charge": Operation(
        with_card,
        collect,
        collected_once,
        (*STEP, "stripe.charge", "outbox.leased", "outbox.published"),
    ),
    "declined": Operation(
        with_bad_card, collect, declined_for_good, ("stripe.end_payment", "step.called")
    ),
    "refund": Operation(charged, give_back, given_back_once, (*STEP, "stripe.refund")),
    "paid": Operation(with_page, pay_page, paid_once, (*STEP, "outbox.published")),
}


@pytest.mark.parametrize(("name", "point"), cases(OPERATIONS))
async def test_killed_at_any_point_it_is_done_once(
    shop: Shop, organization: str, name: str, point: str
) -> None:
    await killed_at(point, OPERATIONS[name], shop, organization)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("point", ["consumer.uncommitted", "consumer.committed"])
async def test_an_account_heard_again_by_the_next_process_has_one_customer(
    shop: Shop, organization: str, point: str
) -> None:
    await killed_at(point, OPERATIONS["customer"], shop, organization)


FAULTS = (
    "lock_timeout",
    "error_before",
    "error_after",
    "reset_before",
    "reset_after",
    "timeout_after",
    "slow",
)
TARGETS = {
    "customer": "POST /v1/customers",
    "attach": "POST /v1/payment_methods/*/attach",
    "page": "POST /v1/checkout/sessions",
    "charge": "POST /v1/payment_intents",
    "refund": "POST /v1/refunds",
}


async def attach_one(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.attach(organization)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", TARGETS)
async def test_whatever_stripe_does_it_is_done_once(
    shop: Shop, organization: str, name: str, fault: str
) -> None:
    operation = OPERATIONS[name]
    before = await operation.prepare(shop, organization)
    more = {"seconds": "1"} if fault == "slow" else {}
    shop.sandbox.control("faults", kind=fault, target=TARGETS[name], **more)
    act = attach_one if name == "attach" else operation.act
    result = await act(shop, organization, before)
    await operation.check(shop, organization, result, before)


async def test_a_key_that_stripe_has_forgotten_is_not_used_blindly(
    shop: Shop, organization: str
) -> None:
    """A day passes between the call and the moment when we look what came of it."""
    await with_card(shop, organization)
    shop.gateway.kill()
    shop.gateway.start("step.called")
    acting = asyncio.create_task(collect(shop, organization, None))
    await shop.gateway.died()
    shop.sandbox.control("idempotency/prune")
    await shop.rows(
        "UPDATE steps SET state = jsonb_set(state, '{mark,begun_at}',"
        " to_jsonb(now() - interval '25 hours')) WHERE status = 'prepared' RETURNING 1"
    )
    await shop.pass_time()
    shop.gateway.start()
    await collected_once(shop, organization, await acting, None)


async def test_a_slow_stripe_delays_only_who_needs_it(shop: Shop, organization: str) -> None:
    await with_card(shop, organization)
    other = f"{organization}-other"
    await shop.open_account(other)
    target = "POST /v1/checkout/sessions"
    shop.sandbox.control("faults", kind="slow", target=target, count=1000, seconds="2.5")
    slow = [asyncio.create_task(shop.settled(shop.order(organization))) for _ in range(8)]
    await asyncio.sleep(0.2)
    # Stripe stays slow until these are through, however long they take on a busy machine.
    for _ in range(50):
        await shop.ask(ListPaymentMethods(organization_id=organization))
    await shop.attach(other)
    assert not any(task.done() for task in slow)
    shop.sandbox.control("faults/clear")
    await asyncio.gather(*slow)


async def test_secrets_and_cards_are_not_in_the_log(shop: Shop, organization: str) -> None:
    await with_card(shop, organization)
    log = await until(lambda: asyncio.to_thread(lambda: shop.gateway.log), bool)
    for secret in ("sk_test_of", "whsec_of", "_secret_"):
        assert secret not in log
    # As a word: the same digits may stand in a time.
    assert re.search(r"\b4242\b", log) is None

"""Off-session payments: at most one success each, and every "no" in our own words."""

import asyncio

from shared.contracts.stripe_gateway import (
    CancelPayment,
    Charge,
    ChargeChanged,
    MoneyMoved,
    RefundFailed,
    RefundPayment,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop


async def test_a_charge_collects_once_and_says_so(shop: Shop, organization: str) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    request = shop.charge(organization, 2500)
    charge = await shop.ask(request)
    assert (charge.status, charge.amount_cents) == ("succeeded", 2500)
    assert (charge.payment_method_brand, charge.payment_method_last4) == ("visa", "4242")
    assert charge.succeeded_at is not None
    assert await shop.ask(request) == charge
    assert shop.charged(customer=customer) == [2500]
    moved = await shop.facts.wait(MoneyMoved, organization)
    assert [(m.amount_cents, m.purpose, m.reference) for m in moved] == [
        (2500, "invoice", request.charge_id)
    ]
    told = await shop.facts.wait(ChargeChanged, organization)
    assert told[-1].charge == charge


async def test_eight_who_collect_the_same_charge_at_once_collect_once(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    request = shop.charge(organization)
    charges = await asyncio.gather(*(shop.settled(request) for _ in range(8)))
    assert {charge.status for charge in charges} == {"succeeded"}
    assert shop.charged(customer=customer) == [2500]


async def test_the_same_charge_of_another_amount_is_refused(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await shop.attach(organization)
    request = shop.charge(organization, 2500)
    await shop.ask(request)
    other = shop.charge(organization, 2600, charge_id=request.charge_id)
    assert (await shop.refusal(other)).code == "charge_known"


async def test_a_declined_charge_is_an_answer_and_never_succeeds_later(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization, "pm_card_chargeCustomerFail")
    charge = await shop.ask(shop.charge(organization))
    assert charge.status == "failed"
    assert charge.failure_code == "generic_decline"
    assert charge.failure_message is not None
    assert "bank" in charge.failure_message
    assert shop.charged(customer=customer) == []
    intent = await shop.stripe.payment_intents.retrieve_async(charge.stripe_payment_intent_id or "")
    assert intent.status == "canceled"


async def test_a_charge_that_the_bank_asks_about_carries_what_the_browser_needs(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    card = await shop.attach(organization, "pm_card_visa")
    shop.sandbox.control("faults", kind="three_d_secure", target=card)
    charge = await shop.ask(shop.charge(organization))
    assert charge.status == "requires_action"
    assert charge.client_secret
    assert shop.charged(customer=customer) == []


async def asked(shop: Shop, organization: str) -> Charge:
    """A charge that its customer, who is there, is asked to confirm."""
    await shop.open_account(organization)
    card = await shop.attach(organization)
    shop.sandbox.control("faults", kind="three_d_secure", target=card)
    charge = await shop.ask(shop.charge(organization, off_session=False))
    assert charge.status == "requires_action"
    return charge


async def stands(shop: Shop, organization: str, status: str) -> Charge:
    async def newest() -> Charge:
        facts = shop.facts.all(ChargeChanged, organization)
        return max(facts, key=lambda fact: fact.version).charge

    return await until(newest, lambda charge: charge.status == status)


async def test_a_confirmed_charge_succeeds_and_is_told(shop: Shop, organization: str) -> None:
    charge = await asked(shop, organization)
    await shop.confirm(charge, "complete")
    assert (await stands(shop, organization, "succeeded")).client_secret is None
    assert len(await shop.facts.wait(MoneyMoved, organization)) == 1


async def test_a_charge_that_is_not_confirmed_fails_for_good(shop: Shop, organization: str) -> None:
    charge = await asked(shop, organization)
    await shop.confirm(charge, "fail")
    await stands(shop, organization, "failed")
    intent = await shop.stripe.payment_intents.retrieve_async(charge.stripe_payment_intent_id or "")
    assert intent.status == "canceled"


async def test_a_canceled_charge_cannot_be_confirmed_any_more(
    shop: Shop, organization: str
) -> None:
    charge = await asked(shop, organization)
    request = CancelPayment(
        organization_id=organization, charge_id=charge.charge_id, requested_by="invoicing"
    )
    assert (await shop.ask(request)).status == "failed"
    await shop.confirm(charge, "complete")
    assert shop.charged(organization_id=organization) == []
    assert (await shop.ask(request)).status == "failed"


async def test_a_charge_that_succeeded_is_not_canceled(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await shop.attach(organization)
    charge = await shop.ask(shop.charge(organization))
    request = CancelPayment(
        organization_id=organization, charge_id=charge.charge_id, requested_by="invoicing"
    )
    assert await shop.ask(request) == charge
    unknown = CancelPayment(
        organization_id=organization, charge_id="unknown", requested_by="invoicing"
    )
    assert (await shop.refusal(unknown)).status == 404


async def test_a_charge_that_is_ended_before_it_comes_is_never_made(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    request = shop.charge(organization, 2500)
    end = CancelPayment(
        organization_id=organization,
        charge_id=request.charge_id,
        amount_cents=2500,
        requested_by="invoicing",
    )
    assert (await shop.ask(end)).status == "failed"
    late = await shop.ask(request)
    assert (late.status, late.failure_code) == ("failed", "canceled")
    assert shop.charged(customer=customer) == []


async def test_whoever_of_a_charge_and_its_end_comes_first_it_is_one_or_the_other(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    collected = 0
    for _ in range(6):
        request = shop.charge(organization, 700)
        end = CancelPayment(
            organization_id=organization,
            charge_id=request.charge_id,
            amount_cents=700,
            requested_by="invoicing",
        )
        made, ended = await asyncio.gather(shop.settled(request), shop.settled(end))
        assert made.status == ended.status
        collected += 700 * (made.status == "succeeded")
    assert sum(shop.charged(customer=customer)) == collected


async def test_a_charge_without_a_card_is_refused(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    assert (await shop.refusal(shop.charge(organization))).status == 404


async def test_a_charge_with_anothers_card_is_refused(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await shop.attach(organization)
    other = f"{organization}-other"
    await shop.open_account(other)
    card = await shop.attach(other)
    request = shop.charge(organization, payment_method_id=card)
    assert (await shop.refusal(request)).status == 404


async def refund(shop: Shop, organization: str, charge: Charge, cents: int, name: str) -> Charge:
    return await shop.settled(
        RefundPayment(
            organization_id=organization,
            refund_id=name,
            charge_id=charge.charge_id,
            amount_cents=cents,
            requested_by="operator",
        )
    )


async def test_refunds_add_up_each_once(shop: Shop, organization: str) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    charge = await shop.ask(shop.charge(organization, 500))
    first = await refund(shop, organization, charge, 300, "r-1")
    assert (first.status, first.refunded_cents) == ("partially_refunded", 300)
    again = await refund(shop, organization, charge, 300, "r-1")
    assert again.refunded_cents == 300
    second = await refund(shop, organization, charge, 200, "r-2")
    assert (second.status, second.refunded_cents) == ("refunded", 500)
    assert shop.sandbox.ledger(customer=customer)["given_back"] == 500
    await shop.idle()
    moved = await shop.facts.wait(MoneyMoved, organization, 3)
    assert sorted(m.amount_cents for m in moved) == [-300, -200, 500]
    too_much = RefundPayment(
        organization_id=organization,
        refund_id="r-3",
        charge_id=charge.charge_id,
        amount_cents=1,
        requested_by="operator",
    )
    assert (await shop.refusal(too_much)).code == "refund_too_large"


async def test_a_refund_that_a_bank_does_not_take_comes_home_and_is_told_once(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    await shop.attach(organization, "pm_card_refundFail")
    charge = await shop.ask(shop.charge(organization, 500))
    await refund(shop, organization, charge, 300, "r-1")
    failed = await shop.facts.wait(RefundFailed, organization)
    assert [(each.refund_id, each.amount_cents) for each in failed] == [("r-1", 300)]
    await shop.idle()
    assert (await refund(shop, organization, charge, 300, "r-1")).refunded_cents == 0
    assert len(shop.facts.all(RefundFailed, organization)) == 1
    moved = shop.facts.all(MoneyMoved, organization)
    assert sum(each.amount_cents for each in moved) == 500


async def test_a_refund_made_at_stripe_is_heard(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await shop.attach(organization)
    charge = await shop.ask(shop.charge(organization, 900))
    await shop.stripe.refunds.create_async(
        {"payment_intent": charge.stripe_payment_intent_id or "", "amount": 400}
    )

    async def refunded() -> list[int]:
        facts = shop.facts.all(ChargeChanged, organization)
        return [fact.charge.refunded_cents for fact in facts]

    assert (await until(refunded, lambda cents: 400 in cents))[-1] == 400

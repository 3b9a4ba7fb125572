"""Stripe's own invoices: told of from their finalization on, paid at Stripe, once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    Charge,
    CustomerLinked,
    MoneyMoved,
    PayStripeInvoice,
    PurchasePaid,
    StripeInvoice,
    StripeInvoiceChanged,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop


def paying(organization: str, invoice_id: str, **changes: Any) -> PayStripeInvoice:
    """A request of the customer's."""
    values: dict[str, Any] = {
        "organization_id": organization,
        "charge_id": f"pay-{uuid4().hex[:12]}",
        "stripe_invoice_id": invoice_id,
        "requested_by": "alice",
        **changes,
    }
    return PayStripeInvoice(**values)


async def told(shop: Shop, organization: str, status: str) -> StripeInvoice:
    """The newest state of the one invoice, once it has a status."""

    async def newest() -> StripeInvoice | None:
        facts = shop.facts.all(StripeInvoiceChanged, organization)
        ordered = sorted(facts, key=lambda fact: fact.version)
        return ordered[-1].invoice if ordered else None

    found = await until(newest, lambda each: each is not None and each.status == status)
    assert found is not None
    return found


async def invoiced(shop: Shop, organization: str, cents: int = 4200) -> str:
    """An open invoice, made at Stripe and told of."""
    customer = await shop.open_account(organization)
    made = await shop.stripe.invoices.create_async({"customer": customer, "auto_advance": False})
    await shop.stripe.invoice_items.create_async(
        {"customer": customer, "invoice": made.id, "amount": cents, "currency": "usd"}
    )
    await shop.stripe.invoices.finalize_invoice_async(made.id or "", {"auto_advance": False})
    assert (await told(shop, organization, "open")).amount_due_cents == cents
    return made.id or ""


async def test_the_receipt_of_a_purchase_is_told_and_its_money_once(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    page = await shop.ask(shop.order(organization, 1999))
    await shop.pay(page.checkout_url)
    [paid] = await shop.facts.wait(PurchasePaid, organization)
    receipt = await told(shop, organization, "paid")
    await shop.delivered()
    await shop.idle()
    assert receipt.stripe_invoice_id == paid.stripe_invoice_id
    assert (receipt.total_cents, receipt.amount_paid_cents) == (1999, 1999)
    assert receipt.number
    assert receipt.paid_at is not None
    assert [line.total_cents for line in receipt.lines] == [1999]
    assert [each.amount_cents for each in shop.facts.all(MoneyMoved, organization)] == [1999]


async def refunded(shop: Shop, organization: str, cents: int) -> None:
    """Wait until the newest state of the one invoice says that so much went back."""

    async def newest() -> int:
        facts = shop.facts.all(StripeInvoiceChanged, organization)
        return max(facts, key=lambda fact: fact.version).invoice.amount_refunded_cents

    await until(newest, lambda found: found == cents)


@pytest.mark.parametrize("kind", ["credits", "subscription"])
async def test_what_is_refunded_at_stripe_shows_on_its_invoice(
    shop: Shop, organization: str, kind: Any
) -> None:
    customer = await shop.open_account(organization)
    tier = "pro" if kind == "subscription" else None
    page = await shop.ask(shop.order(organization, 7900, kind=kind, tier=tier))
    await shop.pay(page.checkout_url)
    paid = await told(shop, organization, "paid")
    assert paid.amount_refunded_cents == 0
    [payment] = (await shop.stripe.payment_intents.list_async({"customer": customer})).data
    await shop.stripe.refunds.create_async({"payment_intent": payment.id, "amount": 1000})
    await refunded(shop, organization, 1000)
    # What Stripe says of the invoice later does not undo it.
    await shop.stripe.invoices.update_async(paid.stripe_invoice_id, {"metadata": {"seen": "yes"}})
    await shop.stripe.refunds.create_async({"payment_intent": payment.id})
    await refunded(shop, organization, 7900)
    await shop.delivered()
    await shop.idle()
    newest = await told(shop, organization, "paid")
    assert (newest.amount_paid_cents, newest.amount_refunded_cents) == (7900, 7900)


async def test_what_is_refunded_is_told_though_the_customer_at_stripe_was_replaced(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    page = await shop.ask(shop.order(organization, 7900, kind="subscription", tier="pro"))
    await shop.pay(page.checkout_url)
    await told(shop, organization, "paid")
    [payment] = (await shop.stripe.payment_intents.list_async({"customer": customer})).data
    await shop.stripe.customers.delete_async(customer)
    linked = await shop.facts.wait(CustomerLinked, organization, 2)
    assert linked[-1].stripe_customer_id != customer
    await shop.stripe.refunds.create_async({"payment_intent": payment.id, "amount": 1000})
    await refunded(shop, organization, 1000)
    moved = await shop.facts.wait(MoneyMoved, organization, 2)
    assert [each.amount_cents for each in moved] == [7900, -1000]


async def test_the_money_of_an_invoice_that_was_written_at_stripe_is_told_and_given_back(
    shop: Shop, organization: str
) -> None:
    invoice_id = await invoiced(shop, organization)
    await shop.attach(organization)
    charge = await shop.settled(paying(organization, invoice_id))
    assert charge.status == "succeeded"
    await shop.stripe.refunds.create_async(
        {"payment_intent": charge.stripe_payment_intent_id or "", "amount": 200}
    )
    await refunded(shop, organization, 200)
    await shop.delivered()
    await shop.idle()
    moved = shop.facts.all(MoneyMoved, organization)
    assert [(each.amount_cents, each.purpose) for each in moved] == [
        (4200, "subscription"),
        (-200, "refund"),
    ]


async def test_the_invoice_of_a_subscription_is_told(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    order = shop.order(organization, 7900, kind="subscription", tier="pro")
    await shop.pay((await shop.ask(order)).checkout_url)
    found = await told(shop, organization, "paid")
    await shop.delivered()
    await shop.idle()
    assert (found.amount_paid_cents, len(found.lines)) == (7900, 1)
    assert found.lines[0].period_end is not None
    assert [each.amount_cents for each in shop.facts.all(MoneyMoved, organization)] == [7900]


async def test_many_pays_of_an_open_invoice_make_one_charge(shop: Shop, organization: str) -> None:
    invoice_id = await invoiced(shop, organization)
    await shop.attach(organization)
    request = paying(organization, invoice_id)
    others = [paying(organization, invoice_id) for _ in range(2)]
    answers = await asyncio.gather(*(shop.settled(each) for each in (request, request, *others)))
    assert [answer.status for answer in answers] == ["succeeded"] * 4
    assert shop.charged(payment_intent=answers[0].stripe_payment_intent_id or "") == [4200]
    assert (await told(shop, organization, "paid")).amount_paid_cents == 4200
    again = await shop.settled(request)
    assert (again.status, again.payment_method_last4) == ("succeeded", "4242")


async def test_a_declined_card_is_an_answer_and_another_one_pays(
    shop: Shop, organization: str
) -> None:
    invoice_id = await invoiced(shop, organization)
    fails = await shop.attach(organization, "pm_card_chargeCustomerFail")
    pays = await shop.attach(organization, set_as_default=False)
    declined = await shop.settled(paying(organization, invoice_id, payment_method_id=fails))
    assert (declined.status, declined.failure_code) == ("failed", "generic_decline")
    assert declined.failure_message
    assert (await told(shop, organization, "open")).status == "open"
    paid = await shop.settled(paying(organization, invoice_id, payment_method_id=pays))
    assert paid.status == "succeeded"
    await told(shop, organization, "paid")


@pytest.mark.parametrize(("outcome", "status"), [("complete", "paid"), ("fail", "open")])
async def test_what_the_bank_asks_is_answered_by_the_customer(
    shop: Shop, organization: str, outcome: str, status: str
) -> None:
    invoice_id = await invoiced(shop, organization)
    await shop.attach(organization, "pm_card_authenticationRequired")
    request = paying(organization, invoice_id)
    waiting = await shop.settled(request)
    again = await shop.settled(request)
    assert waiting.status == again.status == "requires_action"
    assert waiting.client_secret
    assert waiting.client_secret == again.client_secret
    await shop.confirm(waiting, outcome)
    await shop.delivered()
    await shop.idle()
    assert (await told(shop, organization, status)).status == status
    now: Charge = await shop.settled(request)
    assert now.status == ("succeeded" if outcome == "complete" else "failed")


async def test_there_is_nothing_to_pay_without_invoice_or_card(
    shop: Shop, organization: str
) -> None:
    invoice_id = await invoiced(shop, organization)
    refusals = [
        await shop.refusal(paying(organization, "in_of_somebody_else")),
        await shop.refusal(paying(organization, invoice_id, payment_method_id="pm_unknown")),
        await shop.refusal(paying(organization, invoice_id)),
    ]
    assert all(isinstance(refusal, Refusal) for refusal in refusals)
    assert [(each.code, each.status) for each in refusals] == [
        ("invoice_not_found", 404),
        ("payment_method_not_found", 404),
        ("payment_method_not_found", 404),
    ]


async def test_a_lost_answer_of_stripes_is_looked_up(shop: Shop, organization: str) -> None:
    invoice_id = await invoiced(shop, organization)
    await shop.attach(organization)
    shop.sandbox.control("faults", kind="error_after", target="POST /v1/invoices/*/pay")
    paid = await shop.settled(paying(organization, invoice_id))
    assert paid.status == "succeeded"
    assert shop.charged(payment_intent=paid.stripe_payment_intent_id or "") == [4200]

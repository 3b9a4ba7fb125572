"""What banks dispute shows on charges and on Stripe's own invoices, by how it stands at Stripe."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.auditor.rules.judging import failures
from shared.contracts.stripe_gateway import (
    Charge,
    ChargeChanged,
    DisputeChanged,
    GetPaymentTotals,
    RefundPayment,
    StripeInvoice,
    StripeInvoiceChanged,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop


async def charged(shop: Shop, organization: str, cents: int = 2500) -> Charge:
    """A charge that was collected."""
    await shop.open_account(organization)
    await shop.attach(organization)
    return await shop.settled(shop.charge(organization, cents))


def dispute(shop: Shop, intent_id: str | None, **more: str) -> str:
    """A bank disputes a payment; the dispute's id."""
    return str(shop.sandbox.control("disputes", payment_intent=intent_id, **more)["id"])


async def stands(shop: Shop, organization: str, cents: int) -> Charge:
    """Wait until the newest word about the one charge is that so much is disputed."""

    async def newest() -> Charge:
        facts = shop.facts.all(ChargeChanged, organization)
        return max(facts, key=lambda fact: fact.version).charge

    await shop.facts.wait(ChargeChanged, organization)
    return await until(newest, lambda found: found.disputed_cents == cents)


def told(shop: Shop, organization: str) -> Sequence[int]:
    """What was told to be disputed, in the order of versions, without repetitions."""
    facts = sorted(shop.facts.all(ChargeChanged, organization), key=lambda fact: fact.version)
    cents = [fact.charge.disputed_cents for fact in facts]
    return [each for each, before in zip(cents, [None, *cents], strict=False) if each != before]


async def at_rest(shop: Shop) -> None:
    """Wait until every webhook has come and was worked on."""
    await shop.delivered()
    await shop.idle()


async def adds_up(shop: Shop, organization: str) -> bool:
    """Whether the auditor's checks of this service hold."""
    totals = await shop.ask(GetPaymentTotals(organization_id=organization))
    own = {name: getattr(totals, name) for name in totals.__struct_fields__}
    return failures({"stripe_gateway": own}) == {}


@pytest.mark.parametrize(("outcome", "left"), [("won", 0), ("lost", 2500)])
async def test_a_dispute_shows_on_its_charge_until_it_is_won(
    shop: Shop, organization: str, outcome: str, left: int
) -> None:
    charge = await charged(shop, organization)
    dispute_id = dispute(shop, charge.stripe_payment_intent_id)
    disputed = await stands(shop, organization, 2500)
    assert (disputed.status, disputed.refunded_cents) == ("succeeded", 0)
    assert await adds_up(shop, organization)
    shop.sandbox.control(f"disputes/{dispute_id}/{outcome}")
    await stands(shop, organization, left)
    await at_rest(shop)
    assert (await stands(shop, organization, left)).status == "succeeded"
    assert await adds_up(shop, organization)


async def test_events_of_a_dispute_that_come_late_and_twice_change_nothing(
    shop: Shop, organization: str
) -> None:
    charge = await charged(shop, organization)
    dispute_id = dispute(shop, charge.stripe_payment_intent_id)
    await stands(shop, organization, 2500)
    shop.sandbox.control(f"disputes/{dispute_id}/won")
    await stands(shop, organization, 0)
    await at_rest(shop)
    for kind in ("closed", "funds_withdrawn", "created"):
        for event in await shop.events(f"charge.dispute.{kind}", dispute_id):
            for copy in ("late", "later"):
                assert await shop.deliver({**event, "id": f"{event['id']}{copy}"}) == 200
    await at_rest(shop)
    assert told(shop, organization) == [0, 2500, 0]


async def test_an_inquiry_shows_nothing_until_it_becomes_a_dispute(
    shop: Shop, organization: str
) -> None:
    charge = await charged(shop, organization)
    inquiry = dispute(shop, charge.stripe_payment_intent_id, inquiry="true")
    await shop.facts.wait(DisputeChanged, organization)
    await at_rest(shop)
    assert told(shop, organization) == [0]
    shop.sandbox.control(f"disputes/{inquiry}/escalate")
    await stands(shop, organization, 2500)


async def test_what_is_refunded_and_what_is_disputed_is_together_no_more_than_was_paid(
    shop: Shop, organization: str
) -> None:
    charge = await charged(shop, organization)
    refund = RefundPayment(
        organization_id=organization,
        refund_id=f"{organization}-refund",
        charge_id=charge.charge_id,
        amount_cents=1000,
        requested_by="operator",
    )
    await shop.settled(refund)
    # Its bank asks for all of it.
    dispute(shop, charge.stripe_payment_intent_id)
    found = await stands(shop, organization, 1500)
    assert (found.status, found.refunded_cents) == ("partially_refunded", 1000)


@pytest.mark.parametrize("kind", ["credits", "subscription"])
@pytest.mark.parametrize(("outcome", "left"), [("won", 0), ("lost", 7900)])
async def test_a_dispute_shows_on_stripes_own_invoice_until_it_is_won(
    shop: Shop, organization: str, kind: Any, outcome: str, left: int
) -> None:
    customer = await shop.open_account(organization)
    tier = "pro" if kind == "subscription" else None
    page = await shop.ask(shop.order(organization, 7900, kind=kind, tier=tier))
    await shop.pay(page.checkout_url)

    async def newest() -> StripeInvoice:
        facts = await shop.facts.wait(StripeInvoiceChanged, organization)
        return max(facts, key=lambda fact: fact.version).invoice

    paid = await until(newest, lambda found: found.status == "paid")
    assert paid.amount_disputed_cents == 0
    [payment] = (await shop.stripe.payment_intents.list_async({"customer": customer})).data
    dispute_id = dispute(shop, payment.id)
    await until(newest, lambda found: found.amount_disputed_cents == 7900)
    # What Stripe says of the invoice later does not undo it.
    await shop.stripe.invoices.update_async(paid.stripe_invoice_id, {"metadata": {"seen": "yes"}})
    await at_rest(shop)
    assert (await newest()).amount_disputed_cents == 7900
    shop.sandbox.control(f"disputes/{dispute_id}/{outcome}")
    await at_rest(shop)
    found = await until(newest, lambda found: found.amount_disputed_cents == left)
    assert (found.status, found.amount_paid_cents) == ("paid", 7900)
    assert await adds_up(shop, organization)

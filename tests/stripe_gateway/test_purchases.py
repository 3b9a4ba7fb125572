"""Purchases through the hosted page: paid once, taken back exactly."""

import asyncio
import random
from typing import Any

import pytest

from shared.contracts.stripe_gateway import (
    Checkout,
    CheckoutState,
    DisputeChanged,
    GetCheckout,
    MoneyMoved,
    PurchasePaid,
    PurchaseReversed,
    RefundPayment,
    StripeInvoiceChanged,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop

RNG = random.Random(7)
AMOUNTS = (50, 51, 1999, 2850, 99_999, 100_000, *(RNG.randrange(50, 100_001) for _ in range(14)))


async def state(shop: Shop, organization: str, session_id: str) -> CheckoutState:
    return await shop.ask(GetCheckout(organization_id=organization, session_id=session_id))


async def buy(shop: Shop, organization: str, cents: int = 1999, card: str = "visa") -> Checkout:
    """Credits, paid on the page; answers once we know that they are paid."""
    checkout = await shop.ask(shop.order(organization, cents))
    await shop.pay(checkout.checkout_url, card)
    await shop.facts.wait(PurchasePaid, organization)
    return checkout


async def test_credits_for_19_99_charge_1999_cents_and_are_told_once(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    checkout = await buy(shop, organization, 1999)
    assert shop.charged(customer=customer) == [1999]
    found = await state(shop, organization, checkout.session_id)
    assert (found.status, found.kind, found.amount_cents) == ("complete", "credits", 1999)
    await shop.idle()
    paid = shop.facts.all(PurchasePaid, organization)
    assert [(p.session_id, p.amount_cents, p.kind) for p in paid] == [
        (checkout.session_id, 1999, "credits")
    ]
    assert paid[0].payment_intent_id
    assert paid[0].stripe_invoice_id
    moved = shop.facts.all(MoneyMoved, organization)
    assert [(m.amount_cents, m.purpose) for m in moved] == [(1999, "credits")]


async def test_amounts_arrive_to_the_cent(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    pages = await asyncio.gather(
        *(shop.settled(shop.order(organization, cents)) for cents in AMOUNTS)
    )
    for page in pages:
        await shop.pay(page.checkout_url)
    paid = await shop.facts.wait(PurchasePaid, organization, len(AMOUNTS))
    assert sorted(fact.amount_cents for fact in paid) == sorted(AMOUNTS)
    assert sorted(shop.charged(organization_id=organization)) == sorted(AMOUNTS)


@pytest.mark.parametrize("cents", [0, 1, 49, 100_001])
async def test_an_amount_out_of_bounds_makes_no_session(
    shop: Shop, organization: str, cents: int
) -> None:
    customer = await shop.open_account(organization)
    assert (await shop.refusal(shop.order(organization, cents))).status == 422
    found = await shop.stripe.checkout.sessions.list_async({"customer": customer})
    assert found.data == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://localhost:3000@evil.example/",
        "http://localhost:3000.evil.example/",
        "http://localhost:3001/",
        "https://localhost:3000/",
        "http://localhost/",
        "http://evil.example\\@localhost:3000/",
        "http://localhost:3000\\.evil.example/",
        "http://user:pw@localhost:3000/",
        "http://127.0.0.1:3000/",
        "http://localhost:3000%2eevil.example/",
        "http://locаlhost:3000/",
    ],
)
async def test_a_page_leads_back_to_our_own_origins_only(
    shop: Shop, organization: str, url: str
) -> None:
    await shop.open_account(organization)
    for name in ("success_url", "cancel_url"):
        changes: dict[str, Any] = {name: url}
        refusal = await shop.refusal(shop.order(organization, **changes))
        assert refusal.code == "redirect_not_allowed"


async def test_two_tabs_of_one_purchase_share_a_page(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    order = shop.order(organization)
    first = await shop.ask(order)
    assert await shop.ask(order) == first
    other = await shop.ask(shop.order(organization, 2000, requested_by=order.requested_by))
    assert other.session_id != first.session_id


async def test_an_event_twenty_times_in_any_order_and_style_is_told_once(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    checkout = await buy(shop, organization, 5000)
    events = [
        event
        for kind in ("checkout.session.completed", "payment_intent.succeeded", "invoice.paid")
        for event in await shop.events(kind, organization)
    ]
    assert len(events) >= 2
    RNG.shuffle(events)
    for event in events:
        for style in ("snapshot", "thin"):
            path = f"events/{event['id']}/send"
            shop.sandbox.control(path, copies=20, style=style)
    # The same change as another event: only the business key can tell.
    copies = [{**event, "id": f"{event['id']}copy{n}"} for event in events for n in range(3)]
    assert set(await asyncio.gather(*(shop.deliver(each) for each in copies))) == {200}
    await shop.delivered()
    await shop.idle()
    assert len(shop.facts.all(PurchasePaid, organization)) == 1
    assert len(shop.facts.all(MoneyMoved, organization)) == 1
    assert (await state(shop, organization, checkout.session_id)).status == "complete"


async def unsettled(shop: Shop, organization: str) -> tuple[Checkout, str]:
    """A page that was paid by bank debit, which takes its time; and its payment."""
    checkout = await shop.ask(shop.order(organization, 3000))
    await shop.pay(checkout.checkout_url, "usBankAccount_success")

    async def status() -> str:
        return (await state(shop, organization, checkout.session_id)).status

    await until(status, lambda found: found == "processing")
    assert shop.facts.all(PurchasePaid, organization) == []
    session = await shop.stripe.checkout.sessions.retrieve_async(checkout.session_id)
    assert isinstance(session.payment_intent, str)
    return checkout, session.payment_intent


async def test_an_unpaid_page_grants_nothing_until_its_payment_succeeds(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    _, intent = await unsettled(shop, organization)
    shop.sandbox.control(f"payments/{intent}/succeed")
    paid = await shop.facts.wait(PurchasePaid, organization)
    assert [fact.amount_cents for fact in paid] == [3000]


async def test_a_page_whose_payment_fails_later_grants_nothing(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    checkout, intent = await unsettled(shop, organization)
    shop.sandbox.control(f"payments/{intent}/fail")

    async def status() -> str:
        return (await state(shop, organization, checkout.session_id)).status

    await until(status, lambda found: found == "failed")
    assert shop.facts.all(PurchasePaid, organization) == []


async def test_a_page_that_expires_is_closed(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    checkout = await shop.ask(shop.order(organization))
    await shop.stripe.checkout.sessions.expire_async(checkout.session_id)

    async def status() -> str:
        return (await state(shop, organization, checkout.session_id)).status

    await until(status, lambda found: found == "expired")


async def reversed_cents(shop: Shop, organization: str, wanted: list[int]) -> list[Any]:
    facts = await shop.facts.wait(PurchaseReversed, organization, len(wanted))
    assert [fact.reversed_cents for fact in facts] == wanted
    assert [fact.version for fact in facts] == list(range(1, len(wanted) + 1))
    return facts


async def test_refunds_of_a_purchase_are_told_as_what_is_gone_in_all(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    checkout = await buy(shop, organization, 500)
    for cents, name in ((300, "a"), (200, "b")):
        await shop.settled(
            RefundPayment(
                organization_id=organization,
                refund_id=f"{organization}-{name}",
                session_id=checkout.session_id,
                amount_cents=cents,
                requested_by="operator",
            )
        )
    await shop.idle()
    facts = await reversed_cents(shop, organization, [300, 500])
    assert {fact.reason for fact in facts} == {"refund"}
    assert sum(m.amount_cents for m in shop.facts.all(MoneyMoved, organization)) == 0


async def test_a_refund_that_fails_is_taken_back(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await buy(shop, organization, 700, "refundFail")
    paid = shop.facts.all(PurchasePaid, organization)[0]
    await shop.stripe.refunds.create_async({"payment_intent": paid.payment_intent_id or ""})

    async def net() -> int:
        return sum(m.amount_cents for m in shop.facts.all(MoneyMoved, organization))

    await shop.idle()
    await until(net, lambda cents: cents == 700)
    facts = shop.facts.all(PurchaseReversed, organization)
    assert not facts or facts[-1].reversed_cents == 0
    receipts = shop.facts.all(StripeInvoiceChanged, organization)
    assert max(receipts, key=lambda fact: fact.version).invoice.amount_refunded_cents == 0


async def test_a_dispute_takes_back_and_a_won_one_gives_again(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    await buy(shop, organization, 1200)
    paid = shop.facts.all(PurchasePaid, organization)[0]
    dispute = shop.sandbox.control("disputes", payment_intent=paid.payment_intent_id)
    await reversed_cents(shop, organization, [1200])
    shop.sandbox.control(f"disputes/{dispute['id']}/won")
    facts = await reversed_cents(shop, organization, [1200, 0])
    assert [fact.reason for fact in facts] == ["dispute", "reinstated"]
    await shop.idle()
    moved = shop.facts.all(MoneyMoved, organization)
    assert [m.amount_cents for m in moved] == [1200, -1200, 1200]
    stages = [fact.stage for fact in shop.facts.all(DisputeChanged, organization)]
    assert stages[0] == "withdrawn"
    assert stages[-1] == "reinstated"


async def test_a_lost_dispute_keeps_what_it_took(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await buy(shop, organization, 1300)
    paid = shop.facts.all(PurchasePaid, organization)[0]
    dispute = shop.sandbox.control("disputes", payment_intent=paid.payment_intent_id)
    await reversed_cents(shop, organization, [1300])
    shop.sandbox.control(f"disputes/{dispute['id']}/lost")

    async def stage() -> str:
        return shop.facts.all(DisputeChanged, organization)[-1].stage

    await until(stage, lambda found: found == "closed")
    await reversed_cents(shop, organization, [1300])


async def test_an_inquiry_moves_nothing(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    await buy(shop, organization, 1400)
    paid = shop.facts.all(PurchasePaid, organization)[0]
    inquiry = shop.sandbox.control(
        "disputes", payment_intent=paid.payment_intent_id, inquiry="true"
    )
    facts = await shop.facts.wait(DisputeChanged, organization)
    assert facts[0].stage == "inquiry"
    shop.sandbox.control(f"disputes/{inquiry['id']}/closed")
    await shop.facts.wait(DisputeChanged, organization, 2)
    await shop.idle()
    assert shop.facts.all(PurchaseReversed, organization) == []
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [1400]

"""Payment methods: whose they are, which is the default, which cannot go."""

import asyncio
from uuid import uuid4

import httpx

from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    CreatePortal,
    DetachPaymentMethod,
    ListPaymentMethods,
    PaymentMethod,
    PaymentMethodsChanged,
)
from tests.stack import until
from tests.stripe_gateway.processes import FRONTEND
from tests.stripe_gateway.shop import Shop


async def methods(shop: Shop, organization: str) -> list[PaymentMethod]:
    found = await shop.ask(ListPaymentMethods(organization_id=organization))
    return list(found.payment_methods)


def detach(organization: str, method: str) -> DetachPaymentMethod:
    return DetachPaymentMethod(
        organization_id=organization, payment_method_id=method, requested_by="user-1"
    )


def attach(organization: str, method: str, *, default: bool = True) -> AttachPaymentMethod:
    return AttachPaymentMethod(
        organization_id=organization,
        payment_method_id=method,
        set_as_default=default,
        requested_by="user-1",
    )


async def test_a_card_is_attached_and_becomes_the_default(shop: Shop, organization: str) -> None:
    customer = await shop.open_account(organization)
    card = await shop.attach(organization)
    found = await methods(shop, organization)
    assert [(m.payment_method_id, m.card_brand, m.card_last4, m.is_default) for m in found] == [
        (card, "visa", "4242", True)
    ]
    at_stripe = await shop.stripe.customers.retrieve_async(customer)
    assert at_stripe.invoice_settings is not None
    assert at_stripe.invoice_settings.default_payment_method == card
    told = await shop.facts.wait(PaymentMethodsChanged, organization)
    assert told[-1].default_payment_method_id == card
    assert told[-1].has_payment_method


async def test_a_token_of_a_test_card_becomes_one_card_however_often_it_is_asked_for(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    key = uuid4().hex
    request = attach(organization, "pm_card_visa")
    first = await shop.ask(request, idempotency_key=key)
    assert await shop.ask(request, idempotency_key=key) == first
    assert len(await methods(shop, organization)) == 1


async def test_posting_an_attached_card_again_makes_it_the_default(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    first = await shop.attach(organization)
    second = await shop.attach(organization, set_as_default=False)
    assert [m.payment_method_id for m in await methods(shop, organization)] == [first, second]
    await shop.ask(attach(organization, second))
    found = await methods(shop, organization)
    assert [(m.payment_method_id, m.is_default) for m in found] == [(second, True), (first, False)]


async def test_removing_the_default_promotes_the_newest_left(shop: Shop, organization: str) -> None:
    customer = await shop.open_account(organization)
    await shop.attach(organization)
    newest = await shop.attach(organization, "pm_card_mastercard", set_as_default=False)
    default = next(m for m in await methods(shop, organization) if m.is_default)
    left = await shop.ask(detach(organization, default.payment_method_id))
    assert [(m.payment_method_id, m.is_default) for m in left.payment_methods] == [(newest, True)]
    at_stripe = await shop.stripe.customers.retrieve_async(customer)
    assert at_stripe.invoice_settings is not None
    assert at_stripe.invoice_settings.default_payment_method == newest


async def test_a_card_removed_at_stripe_is_gone_here_and_another_becomes_the_default(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    other = await shop.attach(organization)
    default = await shop.attach(organization, "pm_card_mastercard")
    await shop.stripe.payment_methods.detach_async(default)

    async def found() -> list[tuple[str, bool]]:
        return [(m.payment_method_id, m.is_default) for m in await methods(shop, organization)]

    await until(found, lambda left: left == [(other, True)])


async def test_anothers_card_cannot_be_attached_made_default_or_removed(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    victim = f"{organization}-victim"
    await shop.open_account(victim)
    card = await shop.attach(victim)
    assert (await shop.refusal(attach(organization, card))).status == 404
    assert (await shop.refusal(attach(organization, card, default=False))).status == 404
    assert (await shop.refusal(detach(organization, card))).status == 404
    assert [m.payment_method_id for m in await methods(shop, victim)] == [card]
    assert await methods(shop, organization) == []


async def test_anothers_card_that_we_have_not_heard_of_cannot_be_attached(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    stranger = await shop.stripe.customers.create_async({"name": "another platform's"})
    card = await shop.stripe.payment_methods.attach_async("pm_card_visa", {"customer": stranger.id})
    assert (await shop.refusal(attach(organization, card.id))).status == 404
    assert (await shop.refusal(attach(organization, "pm_of_nobody"))).status == 404


async def test_a_declined_card_is_refused_in_our_own_words(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    refusal = await shop.refusal(attach(organization, "pm_card_chargeDeclined"))
    assert (refusal.status, refusal.code) == (402, "card_declined")
    assert "bank" in refusal.detail
    assert await methods(shop, organization) == []


async def test_the_same_card_attached_at_once_by_ten_is_attached_once(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    made = await shop.stripe.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_visa"}}
    )
    await asyncio.gather(*(shop.settled(attach(organization, made.id)) for _ in range(10)))
    assert [m.payment_method_id for m in await methods(shop, organization)] == [made.id]


async def test_a_card_saved_in_the_portal_is_ours_and_one_key_opens_one_portal(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    request = CreatePortal(
        organization_id=organization, return_url=f"{FRONTEND}/billing", requested_by="user-1"
    )
    key = uuid4().hex
    portal = await shop.ask(request, idempotency_key=key)
    assert await shop.ask(request, idempotency_key=key) == portal
    entries = shop.sandbox.ledger(kind="portal_session", customer=customer)["entries"]
    assert [each["object"] for each in entries] == [portal.portal_url.rpartition("/")[2]]
    async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
        page = await browser.get(portal.portal_url)
        assert f"{FRONTEND}/billing" in page.text
        saved = await browser.post(f"{portal.portal_url}/cards", data={"card": "mastercard"})
        assert saved.status_code == 303

    async def brands() -> list[tuple[str | None, bool]]:
        return [(each.card_brand, each.is_default) for each in await methods(shop, organization)]

    await until(brands, lambda found: found == [("mastercard", True)])


async def test_the_portal_leads_back_to_our_pages_only(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    request = CreatePortal(
        organization_id=organization, return_url="https://evil.example/", requested_by="user-1"
    )
    refusal = await shop.refusal(request)
    assert (refusal.status, refusal.code) == (422, "redirect_not_allowed")

"""The billing portal and the hosted invoice, used as a browser would."""

import re
from typing import Any

import httpx
import stripe

from tests.stripe_sandbox.examples import (
    add_customer,
    add_price,
    add_subscription,
    authenticate,
    default_card,
    follow,
    submit,
)
from tests.stripe_sandbox.running import Running, Webhooks

BACK = "http://127.0.0.1:3000/billing"


async def open_portal(client: stripe.StripeClient, customer: str, **params: Any) -> str:
    """The address of a customer's portal."""
    given: Any = {"customer": customer, "return_url": BACK, **params}
    made = await client.v1.billing_portal.sessions.create_async(given)
    return made.url


def press(browser: httpx.Client, url: str, label: str) -> str:
    """Press the button with this name; returns where it leads."""
    shown = browser.get(url).text
    found = re.search(rf'action="([^"]+)"><button[^>]+aria-label="{label}', shown)
    assert found is not None, shown
    return follow(browser, browser.post(found[1]))


async def test_a_new_card_becomes_the_default(
    client: stripe.StripeClient, browser: httpx.Client, webhooks: Webhooks
) -> None:
    customer = await add_customer(client)
    price = await add_price(client, 7900)
    old = await default_card(client, customer.id)
    begun = await add_subscription(client, customer.id, price.id, default_payment_method=old)
    portal = await open_portal(client, customer.id)
    assert "Visa …4242 (default)" in browser.get(portal).text
    assert submit(browser, portal_form(browser, portal), "mastercard") == portal
    new = await default_card(client, customer.id)
    assert new != old
    after = await client.v1.subscriptions.retrieve_async(begun.id)
    assert after.default_payment_method == new
    await webhooks.wait_for_type(new, "payment_method.attached")
    await webhooks.wait_for_type(customer.id, "customer.updated")
    press(browser, portal, "Make default Visa")
    assert await default_card(client, customer.id) == old
    press(browser, portal, "Remove Mastercard")
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [each.id for each in cards.data] == [old]


def portal_form(browser: httpx.Client, portal: str) -> str:
    """The portal's address, checked to have its form for cards first."""
    shown = browser.get(portal).text
    forms = re.findall(r'<form method="post" action="([^"]+)"', shown)
    assert forms[0].endswith("/cards")
    return portal


async def test_a_card_may_need_3d_secure_or_be_declined(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    customer = await add_customer(client, card="")
    portal = await open_portal(client, customer.id)
    assert submit(browser, portal, "chargeDeclined") == portal
    assert "Your card was declined." in browser.get(portal).text
    bank = submit(browser, portal, "authenticationRequiredOnSetup")
    assert authenticate(browser, bank).startswith(portal)
    assert await default_card(client, customer.id) != "None"


async def test_a_subscription_is_canceled_and_renewed(
    client: stripe.StripeClient, browser: httpx.Client, webhooks: Webhooks
) -> None:
    customer, price = await add_customer(client), await add_price(client, 7900)
    begun = await add_subscription(client, customer.id, price.id)
    portal = await open_portal(client, customer.id)
    press(browser, portal, "Cancel Pro")
    after = await client.v1.subscriptions.retrieve_async(begun.id)
    assert (after.cancel_at_period_end, after.status) == (True, "active")
    assert after.cancel_at == after.items.data[0].current_period_end
    press(browser, portal, "Renew Pro")
    after = await client.v1.subscriptions.retrieve_async(begun.id)
    assert (after.cancel_at_period_end, after.cancel_at) == (False, None)
    await webhooks.wait_for_type(begun.id, "customer.subscription.updated")


async def test_a_deep_link_does_one_thing_and_leads_back(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    customer, price = await add_customer(client), await add_price(client, 7900)
    begun = await add_subscription(client, customer.id, price.id)
    after = {"type": "redirect", "redirect": {"return_url": f"{BACK}?done"}}
    portal = await open_portal(
        client,
        customer.id,
        flow_data={
            "type": "subscription_cancel",
            "subscription_cancel": {"subscription": begun.id},
            "after_completion": after,
        },
    )
    assert "Test card" not in browser.get(portal).text
    assert press(browser, portal, "Cancel Pro") == f"{BACK}?done"
    portal = await open_portal(
        client,
        customer.id,
        flow_data={"type": "payment_method_update", "after_completion": after},
    )
    assert "Cancel Pro" not in browser.get(portal).text
    assert submit(browser, portal, "mastercard") == f"{BACK}?done"


async def test_the_configuration_may_cancel_at_once(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    customer, price = await add_customer(client), await add_price(client, 7900)
    begun = await add_subscription(client, customer.id, price.id)
    config = await client.v1.billing_portal.configurations.create_async(
        {
            "features": {
                "invoice_history": {"enabled": True},
                "subscription_cancel": {"enabled": True, "mode": "immediately"},
            },
            "business_profile": {"headline": "OmoiOS"},
        }
    )
    portal = await open_portal(client, customer.id, configuration=config.id)
    press(browser, portal, "Cancel Pro")
    after = await client.v1.subscriptions.retrieve_async(begun.id)
    assert after.status == "canceled"
    changed = await client.v1.billing_portal.configurations.update_async(
        config.id, {"active": False}
    )
    assert changed.active is False


async def test_nobody_touches_the_card_of_another(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    one, other = await add_customer(client), await add_customer(client)
    foreign = await default_card(client, other.id)
    portal = await open_portal(client, one.id)
    for what in ("remove", "default"):
        browser.post(f"{portal}/{what}/{foreign}")
    assert await default_card(client, other.id) == foreign
    assert await default_card(client, one.id) != foreign
    assert browser.get("/p/session/bps_nothing").status_code == 404


async def test_an_invoice_is_paid_on_its_page(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client
) -> None:
    customer = await add_customer(client, card="")
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    await client.v1.invoice_items.create_async(
        {
            "customer": customer.id,
            "invoice": draft.id,
            "amount": 4200,
            "currency": "usd",
            "description": "42 workflows",
        }
    )
    invoice = await client.v1.invoices.finalize_invoice_async(draft.id)
    url = str(invoice.hosted_invoice_url)
    assert "42 workflows" in browser.get(url).text
    assert submit(browser, url, "chargeDeclined") == url
    bank = submit(browser, url, "authenticationRequired")
    authenticate(browser, bank)
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.amount_paid) == ("paid", 4200)
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 4200
    document = browser.get(str(after.invoice_pdf))
    assert document.content.startswith(b"%PDF-1.4")
    assert b"42 workflows" in document.content
    (charge,) = (await client.v1.charges.list_async({"customer": customer.id, "limit": 1})).data
    assert "$42.00" in browser.get(str(charge.receipt_url)).text
    portal = await open_portal(client, customer.id)
    assert str(after.number) in browser.get(portal).text

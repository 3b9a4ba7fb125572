"""Customers, prices and sessions as tests need them."""

import re
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
import stripe
from stripe.checkout import Session

SUCCESS = "http://127.0.0.1:3000/billing/success?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:3000/billing/cancel"


async def add_customer(
    client: stripe.StripeClient, card: str = "visa", **params: Any
) -> stripe.Customer:
    """A customer whose default is a test card; `card=""` for one without."""
    given: Any = {"email": "jenny@example.com", **params}
    made = await client.v1.customers.create_async(given)
    if not card:
        return made
    method = await client.v1.payment_methods.attach_async(f"pm_card_{card}", {"customer": made.id})
    return await client.v1.customers.update_async(
        made.id, {"invoice_settings": {"default_payment_method": method.id}}
    )


async def default_card(client: stripe.StripeClient, customer: str) -> str:
    """The id of a customer's default payment method."""
    found = await client.v1.customers.retrieve_async(customer)
    assert found.invoice_settings is not None
    return str(found.invoice_settings.default_payment_method)


async def add_price(
    client: stripe.StripeClient, cents: int, interval: str | None = "month", name: str = "Pro"
) -> stripe.Price:
    """A price of a product of its own; without an interval it is paid once."""
    params: Any = {
        "currency": "usd",
        "unit_amount": cents,
        "product_data": {"name": name},
    }
    if interval:
        params["recurring"] = {"interval": interval}
    return await client.v1.prices.create_async(params)


async def add_subscription(
    client: stripe.StripeClient, customer: str, price: str, **params: Any
) -> stripe.Subscription:
    """A subscription to one price."""
    given: Any = {"customer": customer, "items": [{"price": price}], **params}
    return await client.v1.subscriptions.create_async(given)


async def pay(client: stripe.StripeClient, cents: int, **params: Any) -> stripe.PaymentIntent:
    """A payment that is confirmed at once, by default with a card that succeeds."""
    given: Any = {
        "amount": cents,
        "currency": "usd",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        **params,
    }
    return await client.v1.payment_intents.create_async(given)


async def open_session(client: stripe.StripeClient, cents: int = 1999, **params: Any) -> Session:
    """A checkout session for credits."""
    item = {
        "price_data": {
            "currency": "usd",
            "unit_amount": cents,
            "product_data": {"name": "Credits"},
        },
        "quantity": 1,
    }
    given: Any = {
        "mode": "payment",
        "line_items": [item],
        "success_url": SUCCESS,
        "cancel_url": CANCEL,
        **params,
    }
    if given["mode"] == "setup":
        del given["line_items"]
        given.setdefault("currency", "usd")
    return await client.v1.checkout.sessions.create_async(given)


def submit(browser: httpx.Client, url: str, card: str, **fields: str) -> str:
    """Fill in the form of a page as a browser would; returns where it leads."""
    shown = browser.get(url)
    assert shown.status_code == 200, shown.text
    action = re.search(r'<form method="post" action="([^"]+)"', shown.text)
    assert action is not None, shown.text
    form = {"card": card, "email": "jenny@example.com", "name": "Jenny", **fields}
    return follow(browser, browser.post(unescape(action[1]), data=form))


def authenticate(browser: httpx.Client, url: str, outcome: str = "complete") -> str:
    """Press a button of the 3D Secure page; returns where it leads."""
    assert "3D Secure" in browser.get(url).text
    return follow(browser, browser.post(url, data={"outcome": outcome}))


def follow(browser: httpx.Client, answer: httpx.Response) -> str:
    """Where a form led to, through redirects within the sandbox."""
    here = str(browser.base_url)
    while answer.status_code == 303:
        target = answer.headers["location"]
        if target.startswith("http") and not target.startswith(here.rstrip("/")):
            return str(target)
        if "/3ds/" in target:
            return str(target)
        answer = browser.get(target)
    assert answer.status_code == 200, answer.text
    return str(answer.url)


def unique() -> str:
    """A word that no other test uses."""
    return uuid4().hex[:12]

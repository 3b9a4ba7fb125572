"""The hosted checkout page, used as a browser would: forms, redirects, nothing else."""

import asyncio
from typing import Any

import httpx
import pytest
import stripe

from tests.stripe_sandbox.examples import (
    CANCEL,
    add_customer,
    add_price,
    authenticate,
    open_session,
    submit,
    unique,
)
from tests.stripe_sandbox.running import Running, Webhooks


def success(session: str) -> str:
    """Where a browser ends up after a payment."""
    return f"http://127.0.0.1:3000/billing/success?session={session}"


async def fetched(client: stripe.StripeClient, session: str, *expand: str) -> Any:
    """A session as it is now."""
    return await client.v1.checkout.sessions.retrieve_async(session, {"expand": list(expand)})


async def test_credits_are_bought_with_a_card(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client, webhooks: Webhooks
) -> None:
    customer, order = await add_customer(client, card=""), unique()
    session = await open_session(
        client,
        customer=customer.id,
        client_reference_id="org-1",
        metadata={"order": order},
        payment_intent_data={
            "metadata": {"order": order},
            "setup_future_usage": "off_session",
        },
        invoice_creation={"enabled": True, "invoice_data": {"metadata": {"order": order}}},
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.payment_intent is None
    url = str(session.url)
    shown = browser.get(url).text
    assert "$19.99" in shown
    assert "jenny@example.com" in shown
    assert submit(browser, url, "visa") == success(session.id)
    after = await fetched(client, session.id, "payment_intent", "invoice", "line_items")
    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert after.amount_total == after.payment_intent.amount_received == 1999
    assert after.payment_intent.metadata["order"] == order
    assert after.customer_details.email == "jenny@example.com"
    assert [each.description for each in after.line_items.data] == ["Credits"]
    assert (after.invoice.status, after.invoice.amount_paid) == ("paid", 1999)
    assert after.invoice.metadata["order"] == order
    assert after.invoice.lines.data[0].amount == 1999
    assert sandbox.ledger(order=order, kind="charge")["charged"] == 1999
    await webhooks.wait_for_type(session.id, "checkout.session.completed")
    await webhooks.wait_for_type(after.invoice.id, "invoice.paid")
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert len(cards.data) == 1
    payments = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": after.payment_intent.id}}
    )
    assert [each.invoice for each in payments.data] == [after.invoice.id]
    assert browser.get(url).headers["location"] == success(session.id)


async def test_a_decline_is_shown_and_another_card_pays(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client
) -> None:
    order = unique()
    session = await open_session(client, payment_intent_data={"metadata": {"order": order}})
    url = str(session.url)
    assert submit(browser, url, "chargeDeclinedInsufficientFunds") == url
    assert "Your card has insufficient funds." in browser.get(url).text
    assert (await fetched(client, session.id)).status == "open"
    assert submit(browser, url, "mastercard") == success(session.id)
    assert sandbox.ledger(order=order, kind="charge")["charged"] == 1999
    assert len(sandbox.ledger(order=order, kind="charge")["entries"]) == 1


@pytest.mark.parametrize("outcome", ["complete", "fail"])
async def test_3d_secure_on_the_way(
    outcome: str, client: stripe.StripeClient, browser: httpx.Client
) -> None:
    session = await open_session(client)
    url = str(session.url)
    bank = submit(browser, url, "authenticationRequired")
    assert "/3ds/" in bank
    assert (await fetched(client, session.id)).status == "open"
    back = authenticate(browser, bank, outcome)
    if outcome == "complete":
        assert back == success(session.id)
    else:
        assert back.startswith(url)
        assert "failed authentication" in browser.get(url).text
        assert submit(browser, url, "visa") == success(session.id)
    assert (await fetched(client, session.id)).payment_status == "paid"


@pytest.mark.parametrize(
    ("outcome", "event", "status"),
    [
        ("succeed", "checkout.session.async_payment_succeeded", "paid"),
        ("fail", "checkout.session.async_payment_failed", "unpaid"),
    ],
)
async def test_a_bank_debit_completes_first_and_is_paid_later(
    outcome: str,
    event: str,
    status: str,
    client: stripe.StripeClient,
    sandbox: Running,
    browser: httpx.Client,
    webhooks: Webhooks,
) -> None:
    sandbox.control("settings", settle_seconds=3600)
    customer = await add_customer(client, card="")
    session = await open_session(client, customer=customer.id, invoice_creation={"enabled": True})
    submit(browser, str(session.url), "usBankAccount_success")
    completed = await webhooks.wait_for_type(session.id, "checkout.session.completed")
    assert completed["data"]["object"]["payment_status"] == "unpaid"
    after = await fetched(client, session.id)
    assert (after.status, after.payment_status, after.invoice) == ("complete", "unpaid", None)
    sandbox.control(f"payments/{after.payment_intent}/{outcome}")
    await webhooks.wait_for_type(session.id, event)
    after = await fetched(client, session.id)
    assert after.payment_status == status
    assert (after.invoice is not None) == (outcome == "succeed")


async def test_who_leaves_pays_nothing(
    client: stripe.StripeClient, browser: httpx.Client, webhooks: Webhooks
) -> None:
    session = await open_session(client)
    assert f'href="{CANCEL}"' in browser.get(str(session.url)).text
    expired = await client.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    await webhooks.wait_for_type(session.id, "checkout.session.expired")
    assert browser.get(f"/c/pay/{session.id}").status_code == 410
    answer = browser.post(f"/c/pay/{session.id}", data={"card": "visa", "email": "a@b.c"})
    assert answer.status_code == 410
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)


async def test_a_session_expires_by_the_clock(client: stripe.StripeClient) -> None:
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": 1_800_000_000})
    customer = await add_customer(client, card="", test_clock=clock.id)
    session = await open_session(client, customer=customer.id, expires_at=1_800_000_000 + 30 * 60)
    await client.v1.test_helpers.test_clocks.advance_async(
        clock.id, {"frozen_time": 1_800_000_000 + 30 * 60}
    )
    assert (await fetched(client, session.id)).status == "expired"


async def test_two_clicks_at_once_charge_once(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client
) -> None:
    order = unique()
    session = await open_session(client, payment_intent_data={"metadata": {"order": order}})
    form = {"card": "visa", "email": "jenny@example.com"}
    await asyncio.gather(
        *(asyncio.to_thread(browser.post, f"/c/pay/{session.id}", data=form) for _ in range(5))
    )
    assert sandbox.ledger(order=order, kind="charge")["charged"] == 1999


async def test_a_card_is_saved_without_paying(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client, webhooks: Webhooks
) -> None:
    customer = await add_customer(client, card="")
    session = await open_session(client, mode="setup", customer=customer.id)
    url = str(session.url)
    assert submit(browser, url, "chargeDeclined") == url
    assert "Your card was declined." in browser.get(url).text
    bank = submit(browser, url, "authenticationRequiredOnSetup")
    assert authenticate(browser, bank) == success(session.id)
    after = await fetched(client, session.id, "setup_intent")
    assert (after.status, after.payment_status) == ("complete", "no_payment_required")
    assert after.setup_intent.status == "succeeded"
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [each.id for each in cards.data] == [after.setup_intent.payment_method]
    assert sandbox.ledger(customer=customer.id)["net"] == 0
    await webhooks.wait_for_type(session.id, "checkout.session.completed")


@pytest.mark.parametrize("card", ["visa", "authenticationRequiredOnSetup"])
async def test_a_subscription_begins_once_it_is_paid(
    card: str, client: stripe.StripeClient, sandbox: Running, browser: httpx.Client
) -> None:
    customer, price = await add_customer(client, card=""), await add_price(client, 7900)
    session = await open_session(
        client,
        mode="subscription",
        customer=customer.id,
        line_items=[{"price": price.id, "quantity": 1}],
        subscription_data={"metadata": {"organization_id": "org-1"}},
    )
    url = str(session.url)
    assert submit(browser, url, "chargeDeclined") == url
    assert (await client.v1.subscriptions.list_async({"customer": customer.id})).data == []
    went = submit(browser, url, card)
    if card != "visa":
        went = authenticate(browser, went)
    assert went == success(session.id)
    after = await fetched(client, session.id, "subscription.default_payment_method", "invoice")
    assert (after.status, after.payment_status) == ("complete", "paid")
    assert after.subscription.status == "active"
    assert after.subscription.metadata["organization_id"] == "org-1"
    assert after.subscription.default_payment_method.card is not None
    assert (after.invoice.billing_reason, after.invoice.status) == ("subscription_create", "paid")
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 7900


async def test_a_trial_begins_without_paying(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    price = await add_price(client, 7900)
    session = await open_session(
        client,
        mode="subscription",
        line_items=[{"price": price.id, "quantity": 1}],
        subscription_data={"trial_period_days": 14},
    )
    submit(browser, str(session.url), "visa")
    after = await fetched(client, session.id, "subscription", "customer")
    assert after.payment_status == "no_payment_required"
    assert after.subscription.status == "trialing"
    assert after.customer.email == "jenny@example.com"


async def test_the_page_is_plain_and_safe(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    customer = await add_customer(client, card="", name="<script>alert(1)</script>")
    session = await open_session(client, customer=customer.id)
    answer = browser.get(str(session.url))
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert '<html lang="en">' in answer.text
    assert browser.get("/c/pay/cs_test_nothing").status_code == 404
    answer = browser.post(f"/c/pay/{session.id}", data={"card": "gold"})
    assert answer.status_code == 303
    assert "Choose a test card" in browser.get(str(session.url)).text

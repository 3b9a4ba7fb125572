"""Payment intents, setup intents, refunds and disputes."""

import httpx
import pytest
import stripe

from tests.stripe_sandbox.examples import add_customer, authenticate, default_card, pay, unique
from tests.stripe_sandbox.running import Running, Webhooks, until

BACK = "http://127.0.0.1:3000/billing"


@pytest.mark.parametrize("cents", [50, 99, 1998, 1999, 2001, 99_999, 100_000])
async def test_every_cent_arrives(
    cents: int, client: stripe.StripeClient, sandbox: Running
) -> None:
    order = unique()
    paid = await pay(client, cents, metadata={"order": order})
    assert paid.amount_received == cents
    assert sandbox.ledger(order=order, kind="charge")["charged"] == cents


@pytest.mark.parametrize(
    ("cents", "code"),
    [(0, "amount_too_small"), (49, "amount_too_small"), (10**8, "amount_too_large")],
)
async def test_too_little_and_too_much_are_refused(
    cents: int, code: str, client: stripe.StripeClient, sandbox: Running
) -> None:
    order = unique()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await pay(client, cents, metadata={"order": order})
    assert (caught.value.code, caught.value.param) == (code, "amount")
    assert sandbox.ledger(order=order)["entries"] == []


async def test_a_declined_payment_succeeds_with_another_card(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await pay(client, 1999, payment_method="pm_card_chargeDeclined")
    assert caught.value.error is not None
    assert caught.value.error.payment_intent is not None
    intent = caught.value.error.payment_intent.id
    paid = await client.v1.payment_intents.confirm_async(intent, {"payment_method": "pm_card_visa"})
    assert paid.status == "succeeded"
    assert sandbox.ledger(payment_intent=intent, kind="charge")["charged"] == 1999
    with pytest.raises(stripe.InvalidRequestError) as again:
        await client.v1.payment_intents.confirm_async(intent)
    assert again.value.code == "payment_intent_unexpected_state"
    assert again.value.error is not None
    assert again.value.error.payment_intent is not None
    assert sandbox.ledger(payment_intent=intent, kind="charge")["charged"] == 1999


async def test_a_payment_without_a_payment_method_is_refused(
    client: stripe.StripeClient,
) -> None:
    customer = await add_customer(client, card="")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.payment_intents.create_async(
            {
                "amount": 500,
                "currency": "usd",
                "customer": customer.id,
                "confirm": True,
                "off_session": True,
            }
        )
    assert caught.value.code == "payment_intent_unexpected_state"
    assert "missing a payment method" in str(caught.value.user_message)


async def test_nobody_pays_with_the_card_of_another(client: stripe.StripeClient) -> None:
    one, other = await add_customer(client), await add_customer(client)
    card = await default_card(client, one.id)
    for params in ({"customer": other.id}, {}):
        with pytest.raises(stripe.InvalidRequestError):
            await pay(client, 500, payment_method=card, **params)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_methods.attach_async(card, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.update_async(
            other.id, {"invoice_settings": {"default_payment_method": card}}
        )


async def test_a_detached_card_is_gone_for_good(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    card = await default_card(client, customer.id)
    detached = await client.v1.payment_methods.detach_async(card)
    assert detached.customer is None
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.invoice_settings is not None
    assert after.invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_methods.attach_async(card, {"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError):
        await pay(client, 500, customer=customer.id, payment_method=card)
    listed = await client.v1.payment_methods.list_async({"customer": customer.id})
    assert listed.data == []


async def test_attaching_twice_changes_nothing(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    card = await default_card(client, customer.id)
    again = await client.v1.payment_methods.attach_async(card, {"customer": customer.id})
    assert again.id == card


@pytest.mark.parametrize("outcome", ["complete", "fail"])
async def test_3d_secure_on_the_hosted_page(
    outcome: str,
    client: stripe.StripeClient,
    sandbox: Running,
    webhooks: Webhooks,
    browser: httpx.Client,
) -> None:
    asked = await pay(
        client,
        1999,
        payment_method="pm_card_authenticationRequired",
        automatic_payment_methods={"enabled": True},
        return_url=BACK,
    )
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    page = asked.next_action.redirect_to_url.url
    assert page is not None
    back = authenticate(browser, page, outcome)
    passed = outcome == "complete"
    assert back.startswith(f"{BACK}?payment_intent={asked.id}")
    assert f"redirect_status={'succeeded' if passed else 'failed'}" in back
    after = await client.v1.payment_intents.retrieve_async(asked.id)
    assert after.status == ("succeeded" if passed else "requires_payment_method")
    assert sandbox.ledger(payment_intent=asked.id)["charged"] == (1999 if passed else 0)
    await webhooks.wait_for_type(asked.id, "payment_intent.requires_action")
    kind = "payment_intent.succeeded" if passed else "payment_intent.payment_failed"
    await webhooks.wait_for_type(asked.id, kind)
    assert "nothing to confirm" in browser.get(page).text


async def test_a_card_that_is_saved_can_be_charged_later(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client, card="")
    intent = await client.v1.setup_intents.create_async(
        {
            "customer": customer.id,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"organization_id": "org-1"},
        }
    )
    assert intent.status == "requires_payment_method"
    saved = await client.v1.setup_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert saved.status == "succeeded"
    paid = await pay(
        client, 900, customer=customer.id, payment_method=saved.payment_method, off_session=True
    )
    assert paid.status == "succeeded"
    assert sandbox.ledger(customer=customer.id)["net"] == 900


async def test_refunds_come_in_parts_and_add_up(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    paid = await pay(client, 1000, expand=["latest_charge"])
    await client.v1.refunds.create_async({"payment_intent": paid.id, "amount": 300})
    assert isinstance(paid.latest_charge, stripe.Charge)
    second = await client.v1.refunds.create_async(
        {"charge": paid.latest_charge.id, "amount": 200, "expand": ["charge.refunds"]}
    )
    assert isinstance(second.charge, stripe.Charge)
    assert (second.charge.amount_refunded, second.charge.refunded) == (500, False)
    assert second.charge.refunds is not None
    assert [each.amount for each in second.charge.refunds.data] == [200, 300]
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        await client.v1.refunds.create_async({"payment_intent": paid.id, "amount": 501})
    assert "greater than unrefunded amount" in str(too_much.value)
    await client.v1.refunds.create_async({"payment_intent": paid.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing:
        await client.v1.refunds.create_async({"payment_intent": paid.id})
    assert nothing.value.code == "charge_already_refunded"
    ledger = sandbox.ledger(payment_intent=paid.id)
    assert (ledger["charged"], ledger["given_back"], ledger["net"]) == (1000, 1000, 0)


async def test_a_refund_may_be_pending_or_fail_later(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("settings", settle_seconds=0)
    paid = await pay(client, 1000, payment_method="pm_card_pendingRefund")
    pending = await client.v1.refunds.create_async({"payment_intent": paid.id})
    assert pending.status == "pending"
    await webhooks.wait_for_type(pending.id, "refund.updated")
    paid = await pay(client, 1000, payment_method="pm_card_refundFail")
    failing = await client.v1.refunds.create_async({"payment_intent": paid.id})
    assert failing.status == "succeeded"
    failed = await webhooks.wait_for_type(failing.id, "refund.failed")
    assert failed["data"]["object"]["failure_reason"]
    assert sandbox.ledger(payment_intent=paid.id)["net"] == 1000


async def test_an_inquiry_moves_no_money_until_it_escalates(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    paid = await pay(client, 4000)
    inquiry = sandbox.control("disputes", payment_intent=paid.id, inquiry="true")
    assert inquiry["status"] == "warning_needs_response"
    await webhooks.wait_for_type(inquiry["id"], "charge.dispute.created")
    assert sandbox.ledger(payment_intent=paid.id)["net"] == 4000
    sandbox.control(f"disputes/{inquiry['id']}/escalate")
    await webhooks.wait_for_type(inquiry["id"], "charge.dispute.funds_withdrawn")
    assert sandbox.ledger(payment_intent=paid.id)["net"] == 0
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.refunds.create_async({"payment_intent": paid.id})
    assert caught.value.code == "charge_disputed"
    sandbox.control(f"disputes/{inquiry['id']}/won")
    await webhooks.wait_for_type(inquiry["id"], "charge.dispute.funds_reinstated")
    assert sandbox.ledger(payment_intent=paid.id)["net"] == 4000


async def test_an_inquiry_that_closes_has_moved_nothing(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    paid = await pay(client, 4000, payment_method="pm_card_createDisputeInquiry")
    (inquiry,) = (await client.v1.disputes.list_async({"payment_intent": paid.id})).data
    closed = sandbox.control(f"disputes/{inquiry.id}/closed")
    assert closed["status"] == "warning_closed"
    assert sandbox.ledger(payment_intent=paid.id)["net"] == 4000


@pytest.mark.parametrize(
    ("words", "status", "net"), [("winning_evidence", "won", 4000), ("losing_evidence", "lost", 0)]
)
async def test_evidence_decides_a_dispute(
    words: str, status: str, net: int, client: stripe.StripeClient, sandbox: Running
) -> None:
    paid = await pay(client, 4000, payment_method="pm_card_createDispute")
    (dispute,) = (await client.v1.disputes.list_async({"payment_intent": paid.id})).data
    assert dispute.status == "needs_response"
    decided = await client.v1.disputes.update_async(
        dispute.id, {"evidence": {"uncategorized_text": words}, "submit": True}
    )
    assert decided.status == status
    assert sandbox.ledger(payment_intent=paid.id)["net"] == net


async def test_a_fraud_warning_comes_with_its_card(client: stripe.StripeClient) -> None:
    paid = await pay(client, 4000, payment_method="pm_card_createIssuerFraudRecord")
    found = await client.v1.radar.early_fraud_warnings.list_async({"payment_intent": paid.id})
    assert [each.charge for each in found.data] == [paid.latest_charge]


@pytest.mark.parametrize(("outcome", "charged"), [("succeed", 2500), ("fail", 0)])
async def test_a_bank_debit_takes_its_time(
    outcome: str, charged: int, client: stripe.StripeClient, sandbox: Running
) -> None:
    sandbox.control("settings", settle_seconds=3600)
    begun = await pay(client, 2500, payment_method="pm_usBankAccount_success")
    assert begun.status == "processing"
    assert sandbox.ledger(payment_intent=begun.id)["charged"] == 0
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_intents.cancel_async(begun.id)
    sandbox.control(f"payments/{begun.id}/{outcome}")
    assert sandbox.ledger(payment_intent=begun.id)["charged"] == charged


async def test_a_bank_debit_settles_by_itself(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    sandbox.control("settings", settle_seconds=0)
    begun = await pay(client, 2500, payment_method="pm_usBankAccount_insufficientFunds")

    async def settled() -> bool:
        found = await client.v1.payment_intents.retrieve_async(begun.id)
        return found.status == "requires_payment_method"

    await until(settled)


async def test_a_canceled_payment_stays_so(client: stripe.StripeClient) -> None:
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    canceled = await client.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})


async def test_a_test_can_force_a_decline_and_3d_secure(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    card = await default_card(client, customer.id)
    sandbox.control("faults", kind="decline", target=customer.id, code="insufficient_funds")
    with pytest.raises(stripe.CardError) as caught:
        await pay(client, 500, customer=customer.id, payment_method=card, off_session=True)
    assert caught.value.error is not None
    assert caught.value.error.decline_code == "insufficient_funds"
    sandbox.control("faults", kind="three_d_secure", target=card)
    asked = await pay(client, 500, customer=customer.id, payment_method=card)
    assert asked.status == "requires_action"
    paid = await pay(client, 500, customer=customer.id, payment_method=card, off_session=True)
    assert paid.status == "succeeded"

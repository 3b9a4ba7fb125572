"""Idempotency keys: one answer for one key, whatever happens."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.examples import pay, unique
from tests.stripe_sandbox.running import Running

INTENT: Any = {
    "amount": 1999,
    "currency": "usd",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}


async def charge(client: stripe.StripeClient, key: str, **more: Any) -> stripe.PaymentIntent:
    """A charge of $19.99 under a key, which is its order too."""
    params: Any = {**INTENT, "metadata": {"order": key}, **more}
    return await client.v1.payment_intents.create_async(params, {"idempotency_key": key})


async def test_the_same_key_gives_the_same_answer_and_one_charge(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    first, second = await charge(client, key), await charge(client, key)
    assert first.id == second.id
    assert sandbox.ledger(order=key, kind="charge")["charged"] == 1999
    assert second.last_response is not None
    headers = second.last_response.headers
    assert headers["idempotent-replayed"] == "true"
    assert headers["idempotency-key"] == key
    assert first.last_response is not None
    assert headers["original-request"] == first.last_response.headers["request-id"]


async def test_a_decline_is_replayed_as_well(client: stripe.StripeClient, sandbox: Running) -> None:
    key = unique()
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            await charge(client, key, payment_method="pm_card_chargeDeclined")
        bodies.append(caught.value.json_body)
    assert bodies[0] == bodies[1]
    intents = sandbox.ledger(order=key, kind="payment_intent")["entries"]
    assert len(intents) == 1


async def test_one_key_for_two_things_is_our_mistake(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    await charge(client, key)
    with pytest.raises(stripe.IdempotencyError) as caught:
        await charge(client, key, amount=2000)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        await client.v1.customers.create_async({}, {"idempotency_key": key})
    assert sandbox.ledger(order=key, kind="charge")["charged"] == 1999


async def test_what_was_not_begun_is_not_remembered(
    client: stripe.StripeClient,
) -> None:
    key = unique()
    with pytest.raises(stripe.InvalidRequestError):
        await charge(client, key, colour="red")
    paid = await charge(client, key)
    assert paid.status == "succeeded"


async def test_a_key_in_use_is_a_conflict(client: stripe.StripeClient, sandbox: Running) -> None:
    key = unique()
    sandbox.control("faults", kind="slow", seconds=0.5, target="POST /v1/payment_intents")
    results = await asyncio.gather(*(charge(client, key) for _ in range(8)), return_exceptions=True)
    paid = [each for each in results if isinstance(each, stripe.PaymentIntent)]
    refused = [each for each in results if isinstance(each, stripe.APIError)]
    assert (len(paid), len(refused)) == (1, 7)
    for each in refused:
        assert each.http_status == 409
        assert each.error is not None
        assert (each.error.type, each.error.code) == (
            "idempotency_error",
            "idempotency_key_in_use",
        )
    assert sandbox.ledger(order=key, kind="charge")["charged"] == 1999


async def test_many_requests_at_once_with_one_key_charge_once(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    results = await asyncio.gather(*(charge(client, key) for _ in range(30)))
    assert len({each.id for each in results}) == 1
    assert sandbox.ledger(order=key, kind="charge")["charged"] == 1999


async def test_a_forgotten_key_charges_again(client: stripe.StripeClient, sandbox: Running) -> None:
    key = unique()
    await charge(client, key)
    assert sandbox.control("idempotency/prune")["pruned"] >= 1
    await charge(client, key)
    assert sandbox.ledger(order=key, kind="charge")["charged"] == 2 * 1999


async def test_without_a_key_of_ours_each_call_is_its_own(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    order = unique()
    await pay(client, 500, metadata={"order": order})
    await pay(client, 500, metadata={"order": order})
    assert sandbox.ledger(order=order, kind="charge")["charged"] == 1000

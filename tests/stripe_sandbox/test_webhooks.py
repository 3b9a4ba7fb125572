"""Webhooks: signed, retried, in every order that a test wants, as snapshot and as thin event."""

import json
import time
from collections import Counter
from typing import Any

import pytest
import stripe

from services.stripe_sandbox.webhooks import signature
from tests.stripe_sandbox.contract import problems_of
from tests.stripe_sandbox.examples import add_customer, pay, unique
from tests.stripe_sandbox.running import WEBHOOK_SECRET, Running, Webhooks, until


async def rename(client: stripe.StripeClient, customer: str, *names: str) -> None:
    """Change a customer, which makes an event each time."""
    for name in names:
        await client.v1.customers.update_async(customer, {"name": name})


def names_in(events: list[dict[str, Any]]) -> list[str]:
    """The names that `customer.updated` events tell, in their order."""
    updates = [each for each in events if each["type"] == "customer.updated"]
    return [each["data"]["object"]["name"] for each in updates]


async def test_a_webhook_is_signed_as_the_sdk_verifies(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    customer = await add_customer(client, card="")
    await webhooks.wait_for_type(customer.id, "customer.created")
    body, header = next(each for each in webhooks.received if customer.id.encode() in each[0])
    event = stripe.Webhook.construct_event(body, header, WEBHOOK_SECRET)
    assert event.type == "customer.created"
    assert event.api_version == stripe.api_version
    assert event.request is not None
    assert event.request.id is not None
    assert problems_of(json.loads(body)) == []
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, "whsec_other")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", header, WEBHOOK_SECRET)


def test_an_old_signature_is_refused_and_any_of_two_secrets_will_do() -> None:
    body, now = b'{"object": "event"}', int(time.time())
    header = signature(body, ["whsec_new", "whsec_old"], now)
    for secret in ("whsec_new", "whsec_old"):
        assert stripe.WebhookSignature.verify_header(body, header, secret, 300)
    old = signature(body, ["whsec_new"], now - 301)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, old, "whsec_new", 300)


async def test_an_update_tells_what_was_before(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    customer = await add_customer(client, card="", name="Ann")
    await rename(client, customer.id, "Bea")
    event = await webhooks.wait_for_type(customer.id, "customer.updated")
    assert event["data"]["previous_attributes"] == {"name": "Ann"}
    assert event["data"]["object"]["name"] == "Bea"


async def test_a_webhook_that_is_not_taken_comes_again(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("settings", webhook_retry_seconds=0.05)
    webhooks.answers += [500, 503, 400, 301]
    customer = await add_customer(client, card="")
    event = await webhooks.wait_for_type(customer.id, "customer.created")
    assert webhooks.answers == []
    told = await client.v1.events.retrieve_async(event["id"])
    assert told.type == "customer.created"


async def test_events_that_were_not_delivered_are_listed_as_such(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("faults", kind="webhook_lose", target="customer.updated")
    customer = await add_customer(client, card="", name="Ann")
    await rename(client, customer.id, "lost", "told")
    await webhooks.wait_for(customer.id, lambda events: names_in(events) == ["told"])

    async def only_the_lost_one_is_listed() -> bool:
        # What was just taken is still pending until its answer has come back.
        undelivered = await client.v1.events.list_async({"delivery_success": False, "limit": 100})
        names = [each.data.object.to_dict().get("name") for each in undelivered.data]
        assert "lost" in names
        return "told" not in names

    await until(only_the_lost_one_is_listed)


async def test_webhooks_can_be_duplicated(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("faults", kind="webhook_duplicate", target="customer.updated", copies=19)
    customer = await add_customer(client, card="", name="Ann")
    await rename(client, customer.id, "Bea")
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 20)
    ids = Counter(each["id"] for each in events if each["type"] == "customer.updated")
    assert list(ids.values()) == [20]


async def test_webhooks_can_be_dropped_and_come_later(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("settings", webhook_retry_seconds=0.3)
    sandbox.control("faults", kind="webhook_drop", target="customer.updated")
    customer = await add_customer(client, card="", name="Ann")
    await rename(client, customer.id, "first", "second")
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 2)
    assert names_in(events) == ["second", "first"]


async def test_webhooks_can_be_delayed(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("faults", kind="webhook_delay", target="customer.updated", seconds=0.4)
    customer = await add_customer(client, card="", name="Ann")
    await rename(client, customer.id, "late", "early")
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 2)
    assert names_in(events) == ["early", "late"]


async def test_webhooks_can_come_last_first(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("faults", kind="webhook_reorder", target="customer.updated", count=5)
    customer = await add_customer(client, card="", name="0")
    await rename(client, customer.id, "1", "2", "3", "4", "5")
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 5)
    assert names_in(events) == ["5", "4", "3", "2", "1"]


async def test_what_is_held_back_is_sent_when_the_faults_are_over(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("faults", kind="webhook_reorder", target="customer.updated", count=5)
    customer = await add_customer(client, card="", name="0")
    await rename(client, customer.id, "1", "2")
    sandbox.control("faults/clear")
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 2)
    assert names_in(events) == ["2", "1"]


async def test_events_of_one_customer_come_in_order_without_faults(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    customer = await add_customer(client, card="", name="0")
    names = [str(number) for number in range(1, 15)]
    await rename(client, customer.id, *names)
    events = await webhooks.wait_for(customer.id, lambda all_: len(names_in(all_)) == 14)
    assert names_in(events) == names


async def test_a_thin_event_leads_to_its_object(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    sandbox.control("settings", webhook_styles=["snapshot", "thin"])
    customer = await add_customer(client, card="")
    sandbox.control("settings", webhook_styles=["snapshot"])
    thin = await webhooks.wait_for_type(customer.id, "v1.customer.created")
    snapshot = await webhooks.wait_for_type(customer.id, "customer.created")
    assert thin["id"] != snapshot["id"]
    body, header = next(
        (body, header)
        for body, header in webhooks.received
        if thin["id"].encode() in body and b"v2.core.event" in body
    )
    notification: Any = client.parse_event_notification(body, header, WEBHOOK_SECRET)
    assert type(notification).__name__ == "V1CustomerCreatedEventNotification"
    found = await notification.fetch_related_object_async()
    assert found.id == customer.id
    event = await notification.fetch_event_async()
    assert (event.id, event.snapshot_event) == (thin["id"], snapshot["id"])


async def test_an_event_can_be_sent_again_at_will(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    customer = await add_customer(client, card="")
    event = await webhooks.wait_for_type(customer.id, "customer.created")
    sandbox.control(f"events/{event['id']}/send", copies=3, style="thin")
    kind = "v1.customer.created"
    await webhooks.wait_for(
        customer.id, lambda all_: [each["type"] for each in all_].count(kind) == 3
    )


async def test_the_list_of_events_filters_by_type(client: stripe.StripeClient) -> None:
    order = unique()
    await pay(client, 500, metadata={"order": order})
    found = await client.v1.events.list_async(
        {"types": ["charge.succeeded", "payment_intent.succeeded"], "limit": 2}
    )
    assert {each.type for each in found.data} == {"charge.succeeded", "payment_intent.succeeded"}
    by_pattern = await client.v1.events.list_async({"type": "charge.*", "limit": 5})
    assert all(each.type.startswith("charge.") for each in by_pattern.data)

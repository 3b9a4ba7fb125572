"""Webhooks: what is let in, kept, worked on once, and never lost."""

import asyncio
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import stripe

from shared.contracts.stripe_gateway import (
    MAX_WEBHOOK_BYTES,
    PaymentMethodsChanged,
    PurchasePaid,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop
from tests.stripe_sandbox.running import WEBHOOK_SECRET


def event(kind: str = "customer.updated", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "type": kind,
        "livemode": False,
        "data": {"object": {"id": "cus_nobody", "object": "customer"}},
        **changes,
    }


def signed(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    """A header for bytes that may be no text at all, as whoever has the secret could make it."""
    at = int(time.time())
    code = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={code}"


async def state_of(shop: Shop, event_id: str) -> tuple[str, str | None] | None:
    rows = await shop.rows(
        "SELECT state, reason FROM webhook_events WHERE event_id = :id", id=event_id
    )
    return (rows[0].state, rows[0].reason) if rows else None


HEADERS = (
    "",
    "t=1,v1=00",
    "v1=00",
    "t=,v1=",
    "t=now,v1=x",
    "t=1",
    "garbage",
    "t=99999999999999999999,v1=00",
)


@pytest.mark.parametrize("header", HEADERS)
async def test_a_bad_signature_is_refused(shop: Shop, header: str) -> None:
    told = event()
    assert await shop.deliver(told, signature=header) == 400
    assert await state_of(shop, told["id"]) is None


async def test_another_secret_or_an_altered_body_is_refused(shop: Shop) -> None:
    told = event()
    assert await shop.deliver(told, secret="whsec_of_a_thief") == 400
    body = json.dumps(told).encode()
    header = signed(body)
    assert await shop.edge.receive(body + b" ", header) == 400
    assert await shop.edge.receive(body, header) == 200


async def test_an_old_timestamp_is_refused_and_one_within_five_minutes_is_not(shop: Shop) -> None:
    assert await shop.deliver(event(), at=time.time() - 400) == 400
    assert await shop.deliver(event(), at=time.time() - 200) == 200


async def test_the_other_mode_is_refused(shop: Shop) -> None:
    told = event(livemode=True)
    assert await shop.deliver(told) == 400
    assert await state_of(shop, told["id"]) is None


BODIES = (
    b"",
    b"not json",
    b"{",
    b"[]",
    b'["event"]',
    b"null",
    b'"event"',
    b"1",
    b"\xff\xfe{}",
    b'{"object": "event"}',
    b'{"object": "charge", "id": "ch_1", "type": "x", "livemode": false, "created": 1}',
    b'{"object": "event", "id": "a\\u0000b", "type": "x", "livemode": false, "created": 1}',
    b'{"object": "event", "id": "e", "type": "x", "livemode": false, "created": 1e300}',
    b'{"object": "event", "id": "e", "type": "x", "livemode": "no", "created": 1}',
    b"[" * 50_000,
    b'{"object": "event", "id": "' + b"x" * 200_000 + b'"}',
)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
async def test_a_signed_body_that_is_no_event_is_refused(shop: Shop, body: bytes) -> None:
    assert await shop.edge.receive(body, signed(body)) == 400


async def test_the_largest_event_that_the_gateway_takes_is_kept_and_a_larger_one_is_named(
    shop: Shop,
) -> None:
    told = event("invention.of_tomorrow")
    body = json.dumps(told).encode().ljust(MAX_WEBHOOK_BYTES)
    assert await shop.edge.receive(body, signed(body)) == 200
    assert await state_of(shop, told["id"]) == ("ignored", None)
    assert await shop.edge.receive(body + b" ", signed(body + b" ")) == 413


async def test_both_secrets_of_a_rotation_are_accepted(shop: Shop) -> None:
    for secret in (WEBHOOK_SECRET, "whsec_of_yesterday"):
        assert await shop.deliver(event(), secret=secret) == 200


async def test_an_unknown_type_is_kept_and_ignored(shop: Shop) -> None:
    told = event("invention.of_tomorrow")
    assert await shop.deliver(told) == 200
    assert await state_of(shop, told["id"]) == ("ignored", None)


async def test_an_event_of_something_that_stripe_does_not_have_is_parked(shop: Shop) -> None:
    session = {"id": "cs_test_nobody", "object": "checkout.session", "customer": "cus_nobody"}
    told = event("checkout.session.completed", data={"object": session})
    assert await shop.deliver(told) == 200

    async def state() -> tuple[str, str | None] | None:
        return await state_of(shop, told["id"])

    assert await until(state, lambda found: found is not None and found[0] != "waiting") == (
        "parked",
        "resource_missing",
    )


async def test_another_platforms_customer_is_none_of_our_business(shop: Shop) -> None:
    stranger = await shop.stripe.customers.create_async({"name": "another platform's"})
    told = event(data={"object": {"id": stranger.id, "object": "customer"}})
    assert await shop.deliver(told) == 200

    async def state() -> tuple[str, str | None] | None:
        return await state_of(shop, told["id"])

    found = await until(state, lambda each: each is not None and each[0] != "waiting")
    assert found == ("ignored", "other environment")


async def test_a_webhook_before_our_own_commit_is_not_lost(shop: Shop, organization: str) -> None:
    """The page is made and paid at Stripe while we still wait for the answer."""
    customer = await shop.open_account(organization)
    shop.sandbox.control("faults", kind="timeout_after", target="POST /v1/checkout/sessions")
    asked = asyncio.create_task(shop.settled(shop.order(organization)))

    async def pages() -> list[Any]:
        return (await shop.stripe.checkout.sessions.list_async({"customer": customer})).data

    found = await until(pages, bool)
    await shop.pay(found[0].url or "")
    paid = await shop.facts.wait(PurchasePaid, organization)
    checkout = await asked
    assert checkout.session_id == paid[0].session_id == found[0].id
    assert len(await pages()) == 1


async def test_a_webhook_is_answered_5xx_while_our_database_is_away_and_comes_again(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    await shop.delivered()
    before = len(shop.edge.answers)
    admin = await shop.admin()
    try:
        await admin.execute("ALTER DATABASE stripe_gateway WITH ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'stripe_gateway'"
        )
        await shop.stripe.payment_methods.attach_async("pm_card_visa", {"customer": customer})

        async def answers() -> list[int]:
            return shop.edge.answers[before:]

        assert set(await until(answers, bool)) == {503}
    finally:
        await admin.execute("ALTER DATABASE stripe_gateway WITH ALLOW_CONNECTIONS true")
        await admin.close()
    told = await shop.facts.wait(PaymentMethodsChanged, organization)
    assert told[0].has_payment_method


async def test_every_webhook_fault_ends_in_the_same_state(shop: Shop, organization: str) -> None:
    await shop.open_account(organization)
    for kind, more in (
        ("webhook_duplicate", {"copies": 5}),
        ("webhook_drop", {}),
        ("webhook_delay", {"seconds": "0.5"}),
        ("webhook_reorder", {"count": 3}),
    ):
        shop.sandbox.control("faults", kind=kind, target="*", **more)
        checkout = await shop.ask(shop.order(organization))
        await shop.pay(checkout.checkout_url)

        async def paid(session: str = checkout.session_id) -> list[str]:
            facts = shop.facts.all(PurchasePaid, organization)
            return [fact.session_id for fact in facts if fact.session_id == session]

        await until(paid, lambda found: len(found) == 1)
        shop.sandbox.control("faults/clear")
    await shop.delivered()
    await shop.idle()
    assert len(shop.facts.all(PurchasePaid, organization)) == 4


async def test_a_webhook_that_never_comes_is_found_by_the_reconciler(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    shop.sandbox.control("faults", kind="webhook_lose", target="*", count=50)
    checkout = await shop.ask(shop.order(organization))
    await shop.pay(checkout.checkout_url)
    assert shop.facts.all(PurchasePaid, organization) == []
    # Longer than the second that Stripe tells of.
    await asyncio.sleep(1.1)
    await shop.reconcile()
    paid = await shop.facts.wait(PurchasePaid, organization)
    assert [fact.session_id for fact in paid] == [checkout.session_id]
    # However late it is heard of: what renewed meanwhile is paid back from that moment on.
    receipt = await shop.stripe.invoices.retrieve_async(paid[0].stripe_invoice_id or "")
    paid_at = receipt.status_transitions.paid_at
    assert paid_at is not None
    assert paid[0].paid_at == datetime.fromtimestamp(paid_at + 1, UTC)


def test_the_sdk_signs_as_we_do_here() -> None:
    body = json.dumps(event()).encode()
    assert stripe.WebhookSignature.verify_header(body, signed(body), WEBHOOK_SECRET, 300)

"""The live stream: what comes, what is made up for, and how a stream ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from litestar import Litestar

from services.gateway.app import create_app
from services.gateway.events import StreamLimits
from services.gateway.live import (
    IDLE_ORGANIZATIONS,
    QUEUED_EVENTS,
    REMEMBERED_EVENTS,
    LiveEvents,
)
from services.gateway.live_facts import SHOWN, live_subjects
from shared.clock import FixedClock
from shared.contracts.account import AccountChanged, Buyer, CreditsChanged, CreditsLow
from shared.contracts.base import event_subject, name_of
from shared.contracts.cost_metering import CostByModel, CostsRecorded
from shared.contracts.invoicing import InvoiceChanged, PaymentChanged, UsageRecorded
from shared.contracts.notices import NoticeRaised
from shared.contracts.stripe_gateway import PaymentMethodsChanged, PurchasePaid
from shared.contracts.subscription import LimitReached, PlanChanged
from tests.gateway.invoice_answers import INVOICE, PAYMENT, RECORD
from tests.gateway.scripted import (
    NOW,
    ScriptedServices,
    bearer,
    http_scope,
    settings,
    token,
)

QUICK = StreamLimits(heartbeat=0.05, send=0.1, longest=3600.0)
PATIENCE_SECONDS = 5.0


class Message(NamedTuple):
    """What comes from the bus."""

    subject: str
    data: bytes


def costs(organization_id: str = "acme", sequence: int = 1) -> Message:
    event = CostsRecorded(
        organization_id=organization_id,
        sequence=sequence,
        cost_picousd=7_500_000_000,
        billable_cost_picousd=7_500_000_000,
        tokens=1500,
        records=1,
        total_cost_picousd=7_500_000_000 * sequence,
        total_billable_cost_picousd=7_500_000_000 * sequence,
        total_tokens=1500 * sequence,
        total_records=sequence,
        unpriced_records=0,
        changes=(
            CostByModel(
                provider="openai",
                model="gpt-4o",
                cost_picousd=7_500_000_000,
                tokens=1500,
                records=1,
            ),
        ),
        recorded_at=NOW,
    )
    return Message(event_subject(CostsRecorded, organization_id), msgspec.json.encode(event))


class Feed:
    """A bus that a test publishes on, and loses."""

    def __init__(self) -> None:
        self.gaps = 0
        self.live = LiveEvents(lambda: self.gaps)
        self._receive = self.live.receiver(CostsRecorded)

    async def publish(self, *messages: Message) -> None:
        for message in messages:
            await self._receive(message)


class Event(NamedTuple):
    """One event as a browser sees it."""

    id: str
    kind: str
    data: Any


def event_of(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    return Event(fields["id"], fields["event"], json.loads(fields["data"]))


class Browser:
    """An EventSource: reads a stream of an application as it comes."""

    def __init__(self, app: Litestar, headers: Mapping[str, str]) -> None:
        self._scope = http_scope("GET", "/api/billing/account/acme/events", headers)
        self._app = app
        self._left = asyncio.Event()
        self._requested = False
        self._blocks: asyncio.Queue[str | None] = asyncio.Queue()
        self._rest = ""
        self.reads = asyncio.Event()
        self.reads.set()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._blocks.put_nowait(None)

    async def _receive(self) -> Any:
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        *blocks, self._rest = (self._rest + message["body"].decode()).split("\n\n")
        for block in blocks:
            self._blocks.put_nowait(block)

    async def next_block(self) -> str | None:
        """The next event or comment as text, None at the end."""
        return await asyncio.wait_for(self._blocks.get(), PATIENCE_SECONDS)

    async def next(self) -> Event:
        """The next event; heartbeats are passed over."""
        while (block := await self.next_block()) is not None:
            if not block.startswith(":"):
                return event_of(block)
        raise AssertionError("the stream has ended")

    async def ended(self) -> list[Event]:
        """What still came before the end."""
        events = []
        while (block := await self.next_block()) is not None:
            if not block.startswith(":"):
                events.append(event_of(block))
        await asyncio.wait_for(self.task, PATIENCE_SECONDS)
        return events

    async def leave(self) -> None:
        """Close the page."""
        self._left.set()
        self.reads.set()
        await asyncio.wait_for(self.task, PATIENCE_SECONDS)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def app(feed: Feed, clock: FixedClock) -> Litestar:
    return create_app(settings(), ScriptedServices(), clock, live=feed.live, stream_limits=QUICK)


@asynccontextmanager
async def opened(
    app: Litestar, last_event_id: str | None = None, text: str | None = None
) -> AsyncIterator[Browser]:
    headers = bearer(text)
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    browser = Browser(app, headers)
    try:
        yield browser
    finally:
        await browser.leave()


async def test_costs_arrive_as_dollars(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        first = await browser.next()
        await feed.publish(costs())
        event = await browser.next()

    assert (first.kind, first.data) == ("resync", {"reason": "connected"})
    assert event.kind == "costs_recorded"
    assert event.data["cost"] == 0.0075
    assert event.data["total_cost"] == 0.0075
    assert event.data["changes"][0]["model"] == "gpt-4o"
    assert "picousd" not in json.dumps(event.data)
    assert browser.headers["content-type"].startswith("text/event-stream")
    assert browser.headers["cache-control"] == "no-store"
    assert "content-encoding" not in browser.headers


async def test_another_organizations_costs_never_arrive(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser, opened(app, text=token(sub="bob")) as other:
        for each in (browser, other):
            await each.next()
        await feed.publish(costs("globex"), costs("acme", sequence=2))

        for each in (browser, other):
            event = await each.next()
            assert (event.data["organization_id"], event.data["sequence"]) == ("acme", 2)


async def test_a_browser_that_comes_back_is_given_what_it_missed(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(costs(sequence=1))
        last = await browser.next()
    await feed.publish(costs("globex"), costs(sequence=2), costs(sequence=3))

    async with opened(app, last.id) as browser:
        missed = [await browser.next(), await browser.next()]
        await feed.publish(costs(sequence=4))
        missed.append(await browser.next())

    assert [event.data["sequence"] for event in missed] == [2, 3, 4]


async def test_a_browser_that_missed_nothing_is_given_nothing(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        connected = await browser.next()

    async with opened(app, connected.id) as browser:
        block = await browser.next_block()

    assert block == ": still here"


async def test_a_browser_that_was_away_too_long_fetches_everything_once(
    app: Litestar, feed: Feed
) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(costs())
        last = await browser.next()
    await feed.publish(*(costs(sequence=n) for n in range(2, REMEMBERED_EVENTS + 4)))

    async with opened(app, last.id) as browser:
        first = await browser.next()
        await feed.publish(costs(sequence=500))
        second = await browser.next()

    assert (first.kind, first.data["reason"]) == ("resync", "position_unknown")
    assert second.data["sequence"] == 500


@pytest.mark.parametrize(
    "position", ["", "x", "-", "other-1", "{}-999999", "{}--1", "{}-x", "{}-1٣", "{}-" + "9" * 50]
)
async def test_a_position_that_nobody_gave_begins_with_a_resync(
    app: Litestar, feed: Feed, position: str
) -> None:
    async with opened(app) as browser:
        replica = (await browser.next()).id.partition("-")[0]

    async with opened(app, position.replace("{}", replica)[:64]) as browser:
        assert (await browser.next()).kind == "resync"


async def test_another_replica_does_not_know_the_position(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(costs())
        last = await browser.next()
    other = create_app(settings(), ScriptedServices(), FixedClock(NOW), stream_limits=QUICK)

    async with opened(other, last.id) as browser:
        assert (await browser.next()).kind == "resync"


async def test_silence_is_filled_with_heartbeats(app: Litestar) -> None:
    async with opened(app) as browser:
        await browser.next()
        assert [await browser.next_block() for _ in range(3)] == [": still here"] * 3


async def test_after_the_bus_was_away_every_browser_fetches_everything(
    app: Litestar, feed: Feed
) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(costs())
        before = await browser.next()
        feed.gaps += 1
        missed = await browser.next()
        await feed.publish(costs(sequence=9))
        after = await browser.next()

    assert (missed.kind, missed.data["reason"]) == ("resync", "events_missed")
    assert after.data["sequence"] == 9
    async with opened(app, before.id) as browser:
        assert (await browser.next()).kind == "resync"
    async with opened(app, missed.id) as browser:
        assert (await browser.next()).data["sequence"] == 9


async def test_a_slow_browser_is_told_to_fetch_everything_and_dropped(
    app: Litestar, feed: Feed
) -> None:
    async with opened(app) as browser:
        await browser.next()
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Not a moment passes for the stream, so its queue overflows.
            await feed.publish(*(costs(sequence=n) for n in range(1, QUEUED_EVENTS + 3)))
        rest = await browser.ended()

    assert [(event.kind, event.data.get("reason")) for event in rest] == [("resync", "too_slow")]
    # The position of that resync is known, so the browser goes on without missing anything.
    await feed.publish(costs(sequence=77))
    async with opened(app, rest[-1].id) as browser:
        seen = [(await browser.next()).data["sequence"] for _ in range(2)]
    assert seen == [QUEUED_EVENTS + 2, 77]


async def test_a_browser_that_takes_nothing_is_given_up(app: Litestar, feed: Feed) -> None:
    browser = Browser(app, bearer())
    await browser.next()
    browser.reads.clear()
    await feed.publish(costs())

    await asyncio.wait_for(browser.task, PATIENCE_SECONDS)

    assert feed.live.listeners == 0


async def test_a_slow_browser_delays_nobody(app: Litestar, feed: Feed) -> None:
    async with opened(app) as slow, opened(app) as quick:
        await slow.next()
        await quick.next()
        slow.reads.clear()
        for number in range(1, 3 * QUEUED_EVENTS):
            await feed.publish(costs(sequence=number))
            assert (await quick.next()).data["sequence"] == number


async def test_a_stream_ends_with_its_token(feed: Feed) -> None:
    clock = FixedClock(NOW)
    app = create_app(settings(), ScriptedServices(), clock, live=feed.live, stream_limits=QUICK)
    soon = token(exp=(NOW + timedelta(seconds=1)).timestamp() - 0.8)

    async with opened(app, text=soon) as browser:
        assert [event.kind for event in await browser.ended()] == ["resync"]


async def test_a_stream_has_a_longest_time(feed: Feed) -> None:
    limits = msgspec.structs.replace(QUICK, longest=0.1)
    app = create_app(
        settings(), ScriptedServices(), FixedClock(NOW), live=feed.live, stream_limits=limits
    )

    async with opened(app) as browser:
        assert [event.kind for event in await browser.ended()] == ["resync"]


async def test_a_browser_that_leaves_is_forgotten(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        await browser.next()
        assert feed.live.listeners == 1

    assert feed.live.listeners == 0


async def test_stopping_ends_every_stream_and_takes_no_new_one(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(costs())
        feed.live.stop()
        assert [event.kind for event in await browser.ended()] == ["costs_recorded"]

    async with opened(app) as late:
        await late.ended()


async def test_a_principal_has_twenty_streams(app: Litestar, feed: Feed) -> None:
    browsers = [Browser(app, bearer()) for _ in range(20)]
    for browser in browsers:
        await browser.next()

    refused = Browser(app, bearer())
    other = Browser(app, bearer(token(sub="bob")))
    await other.next()
    assert await refused.next_block() is None
    for browser in (*browsers, other):
        await browser.leave()

    assert (refused.status, other.status) == (429, 200)
    assert feed.live.listeners == 0
    async with opened(app) as browser:
        await browser.next()


async def test_a_fact_that_cannot_be_read_is_passed_over(app: Litestar, feed: Feed) -> None:
    async with opened(app) as browser:
        await browser.next()
        await feed.publish(Message(costs().subject, b"{"), costs(sequence=5))

        assert (await browser.next()).data["sequence"] == 5


async def test_organizations_that_nobody_watches_are_forgotten(feed: Feed) -> None:
    for number in range(IDLE_ORGANIZATIONS + 50):
        name = f"org-{number}"
        feed.live.leave(name, feed.live.open(name, None))

    first = feed.live.open("org-0", None)
    assert len(feed.live._channels) <= IDLE_ORGANIZATIONS + 1
    assert feed.live.listeners == 1
    feed.live.leave("org-0", first)


def test_only_facts_with_a_form_for_customers_are_heard(app: Litestar) -> None:
    schema = app.openapi_schema.to_schema()["components"]["schemas"]["LiveEventResponse"]

    assert set(live_subjects()) == {
        "event.cost_metering.costs_recorded.*",
        "event.account.account_changed.*",
        "event.account.credits_changed.*",
        "event.stripe_gateway.payment_methods_changed.*",
        "event.stripe_gateway.purchase_paid.*",
        "event.subscription.plan_changed.*",
        "event.subscription.limit_reached.*",
        "event.invoicing.usage_recorded.*",
        "event.invoicing.invoice_changed.*",
        "event.invoicing.payment_changed.*",
        "event.account.credits_low.*",
        "event.notices.notice_raised.*",
    }
    names = {name_of(kind) for kind in SHOWN}
    assert len(names) == len(SHOWN)
    assert set(schema["properties"]["event"]["enum"]) == names | {"resync"}


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        (
            CreditsChanged(
                organization_id="acme",
                sequence=3,
                kind="granted",
                amount_cents=1999,
                balance_cents=2999,
                debt_cents=1,
                reference="cs_1",
                changed_at=NOW,
            ),
            {
                "sequence": 3,
                "kind": "granted",
                "amount": 19.99,
                "credit_balance": 29.99,
                "credit_debt": 0.01,
                "changed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            AccountChanged(
                organization_id="acme",
                billing_account_id="account-1",
                version=2,
                status="active",
                has_payment_method=True,
                auto_billing_enabled=False,
                auto_billing_monthly_limit_cents=None,
                billing_email="billing@acme.example",
                tax_exempt=False,
                buyer=Buyer(),
                changed_at=NOW,
            ),
            {
                "version": 2,
                "status": "active",
                "has_payment_method": True,
                "auto_billing_enabled": False,
                "changed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            PaymentMethodsChanged(
                organization_id="acme",
                version=4,
                has_payment_method=True,
                default_payment_method_id="pm_1",
                changed_at=NOW,
            ),
            {"version": 4, "has_payment_method": True, "changed_at": "2026-11-22T12:00:00Z"},
        ),
        (
            PurchasePaid(
                organization_id="acme",
                session_id="cs_1",
                kind="credits",
                tier=None,
                amount_cents=1999,
                payment_intent_id="pi_1",
                stripe_invoice_id="in_1",
                paid_at=NOW,
            ),
            {
                "session_id": "cs_1",
                "kind": "credits",
                "tier": None,
                "amount": 19.99,
                "paid_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            PlanChanged(
                organization_id="acme",
                version=5,
                subscription_id="subscription-1",
                tier="pro",
                status="past_due",
                is_paid=True,
                suspended=False,
                current_period_start=NOW,
                current_period_end=NOW,
                cancel_at_period_end=True,
                pending_tier="free",
                pending_change_at=NOW,
                changed_at=NOW,
            ),
            {
                "version": 5,
                "tier": "pro",
                "status": "past_due",
                "suspended": False,
                "cancel_at_period_end": True,
                "pending_tier": "free",
                "changed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            LimitReached(
                organization_id="acme",
                resource="workflows",
                threshold_percent=80,
                used=80,
                limit=100,
                period_start=NOW,
                reached_at=NOW,
            ),
            {
                "resource": "workflows",
                "threshold_percent": 80,
                "used": 80,
                "limit": 100,
                "reached_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            UsageRecorded(organization_id="acme", record=RECORD),
            {
                "record_id": "record-1",
                "usage_type": "workflow_completion",
                "covered_by": "none",
                "total_price": 10.0,
                "billed": True,
                "recorded_at": "2026-11-22T11:59:00Z",
            },
        ),
        (
            InvoiceChanged(organization_id="acme", version=3, invoice=INVOICE, changed_at=NOW),
            {
                "invoice_id": "invoice-1",
                "invoice_number": "INV-0123456789AB-000042",
                "version": 3,
                "status": "open",
                "total": 32.13,
                "amount_due": 19.99,
                "amount_paid": 0.0,
                "changed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            PaymentChanged(organization_id="acme", version=2, payment=PAYMENT, changed_at=NOW),
            {
                "payment_id": "payment-1",
                "invoice_id": "invoice-1",
                "version": 2,
                "status": "succeeded",
                "amount": 19.99,
                "refunded_amount": 0.0,
                "failure_message": None,
                "changed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            CreditsLow(
                organization_id="acme", balance_cents=499, threshold_cents=500, noticed_at=NOW
            ),
            {
                "credit_balance": 4.99,
                "threshold": 5.0,
                "noticed_at": "2026-11-22T12:00:00Z",
            },
        ),
        (
            NoticeRaised(
                organization_id="acme",
                notice_id="notice-1",
                kind="invoice_issued",
                severity="info",
                title="Invoice INV-1 is ready",
                text="$19.99 is due.",
                reference="invoice-1",
                raised_at=NOW,
            ),
            {
                "id": "notice-1",
                "kind": "invoice_issued",
                "severity": "info",
                "title": "Invoice INV-1 is ready",
                "text": "$19.99 is due.",
                "reference": "invoice-1",
                "raised_at": "2026-11-22T12:00:00Z",
            },
        ),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_fact_is_shown_in_dollars_and_without_what_is_ours(
    fact: Any, shown: dict[str, Any]
) -> None:
    live, kind = LiveEvents(), type(fact)
    listener = live.open("acme", None)
    await listener.next(0)
    message = Message(event_subject(kind, "acme"), msgspec.json.encode(fact))

    await live.receiver(kind)(message)

    text = (await listener.next(PATIENCE_SECONDS)).decode()
    fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
    assert fields["event"] == name_of(kind)
    assert json.loads(fields["data"]) == {"organization_id": "acme", **shown}

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
    live_subjects,
)
from shared.clock import FixedClock
from shared.contracts.base import event_subject
from shared.contracts.cost_metering import CostByModel, CostsRecorded
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


def test_only_facts_with_a_form_for_customers_are_heard() -> None:
    assert live_subjects() == {"event.cost_metering.costs_recorded.*": CostsRecorded}

"""Pulling: never more ahead than asked for, never at once for ever, and nothing kept at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg

from shared.bus import Bus
from shared.pulling import Puller, acknowledge
from shared.topology import Durable
from tests.chassis.stage import Stage, order
from tests.chassis.toys import Ledger
from tests.stack import until

(ORDERS, *_) = Ledger().service.durables


class Watched:
    """A puller, and what it has asked the server for."""

    def __init__(self, bus: Bus, most: int) -> None:
        self.bus = bus
        self.puller = Puller(bus, ORDERS, most, 1024 * 1024)
        self.pulls = 0
        publish = bus.connection.publish

        async def count(subject: str, *arguments: object, **options: object) -> None:
            self.pulls += subject.startswith("$JS.API.CONSUMER.MSG.NEXT")
            await publish(subject, *arguments, **options)  # type: ignore[arg-type]

        bus.connection.publish = count  # type: ignore[method-assign]

    @property
    def ahead(self) -> int:
        """Messages asked for or buffered."""
        return len(self.puller._buffer) + sum(each.left for each in self.puller._open.values())


@asynccontextmanager
async def pulling(stage: Stage, most: int) -> AsyncIterator[Watched]:
    async with stage.bus("ledger") as bus:
        watched = Watched(bus, most)
        await watched.puller.start()
        yield watched


async def publish(stage: Stage, count: int, begin: int = 0) -> None:
    async with stage.bus("shop") as bus:
        for number in range(begin, begin + count):
            await stage.publish(order(f"order-{number}"), f"id-{number}", bus=bus)


async def take(watched: Watched, count: int) -> list[Msg]:
    taken: list[Msg] = []
    while len(taken) < count:
        batch = await watched.puller.next_batch(wait_seconds=1)
        assert watched.ahead <= watched.puller._max_messages
        await acknowledge(watched.bus.connection, batch)
        taken += batch
    return taken


async def test_bursts_never_ask_for_more_than_there_is_room_for(stage: Stage) -> None:
    async with pulling(stage, 20) as watched:
        for burst in range(10):
            await publish(stage, 13, burst * 13)
            taken = await take(watched, 13)
            assert len(taken) == 13
            assert len(watched.puller._open) <= 2
        assert await watched.puller.next_batch(wait_seconds=0.1) == []
        await watched.puller.stop()


async def test_a_batch_ends_at_its_bytes(stage: Stage) -> None:
    async with pulling(stage, 100) as watched:
        watched.puller._max_bytes = 200
        await publish(stage, 10)
        sizes: list[int] = []
        while sum(sizes) < 10:
            batch = await watched.puller.next_batch(wait_seconds=1)
            await acknowledge(watched.bus.connection, batch)
            sizes.append(len(batch))
        assert max(sizes) <= 4
        await watched.puller.stop()


async def test_a_missing_consumer_is_asked_for_now_and_then(stage: Stage) -> None:
    async with pulling(stage, 20) as watched:
        async with stage.topology() as js:
            await js.delete_consumer("EVENTS", ORDERS.name)
        async with asyncio.timeout(5):
            for _ in range(3):
                await watched.puller.next_batch(wait_seconds=0.5)
        assert watched.pulls <= 3
        await stage.declare()
        await publish(stage, 1)
        assert len(await take(watched, 1)) == 1
        await watched.puller.stop()


async def test_a_restarted_server_is_asked_again_at_once(stage: Stage) -> None:
    async with pulling(stage, 20) as watched:
        assert await watched.puller.next_batch(wait_seconds=0.1) == []
        stage.nats.kill()
        stage.nats.start()
        await publish(stage, 1)
        # Well before the pull that the server forgot would have ended.
        async with asyncio.timeout(3):
            assert len(await take(watched, 1)) == 1
        await watched.puller.stop()


async def test_what_was_not_begun_is_handed_back_at_once(stage: Stage) -> None:
    async with pulling(stage, 20) as first, pulling(stage, 20) as second:
        await publish(stage, 10)
        await first.puller.next_batch(wait_seconds=0)
        await until(lambda: _buffered(first), lambda count: count == 10)
        await first.puller.stop()
        assert await first.puller.next_batch(wait_seconds=0.1) == []
        async with asyncio.timeout(0.8):  # less than the ack wait
            taken = await take(second, 10)
        assert {each.metadata.num_delivered for each in taken} == {2}
        await second.puller.stop()


async def _buffered(watched: Watched) -> int:
    return len(watched.puller._buffer)


async def test_without_a_bus_stopping_still_ends(stage: Stage) -> None:
    async with pulling(stage, 20) as watched:
        await publish(stage, 3)
        await watched.puller.next_batch(wait_seconds=0)
        await until(lambda: _buffered(watched), lambda count: count == 3)
        stage.nats.kill()
        async with asyncio.timeout(5):
            await watched.puller.stop()
        assert not watched.puller._buffer


def test_a_durable_is_named_after_its_service_and_subject() -> None:
    assert (
        Durable("EVENTS", "ledger-event-shop-order_placed", "event.shop.order_placed.*") == ORDERS
    )

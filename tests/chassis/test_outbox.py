"""Facts are told at least once under one id, whoever dies, and none is missed."""

import asyncio
import random
import re
import signal
from datetime import timedelta

import msgspec
import pytest
from nats.aio.msg import Msg

from shared.bus import AnswerFailed, Bus
from shared.database import Database
from shared.outbox import Relay, add_events
from shared.runtime import Runtime
from tests.chassis.contracts.shop import OrderPlaced, PlaceOrder
from tests.chassis.stage import Stage, order
from tests.chassis.toys import Ledger, Shop
from tests.stack import until

PLACED = "event.shop.order_placed.acme"


async def ordered(stage: Stage) -> list[str]:
    """The ids of the orders that the stream holds, with all their copies."""
    return [
        msgspec.json.decode(message.data or b"", type=OrderPlaced).order_id
        for message in await stage.stored()
    ]


async def test_a_crash_before_the_row_is_deleted_tells_the_fact_again_under_its_id(
    stage: Stage, bus: Bus
) -> None:
    told: list[Msg] = []

    async def hear(message: Msg) -> None:
        told.append(message)

    await bus.connection.subscribe(PLACED, cb=hear)
    async with stage.running(Ledger().service):
        with stage.process("shop", FAILPOINTS="outbox.published:1") as killed:
            await killed.ready()
            await bus.ask(PlaceOrder(organization_id="acme", order_id="one"))
            assert await killed.exit_code() == -signal.SIGKILL
        async with stage.running(Shop().service):
            await until(lambda: is_empty(stage), bool)
        await stage.has_effects("ledger", "one")
        await stage.idle("ledger-event-shop-order_placed")
    assert len(told) == 2
    assert len({(message.headers or {})["Nats-Msg-Id"] for message in told}) == 1
    assert await stage.effects("ledger") == ["one"]


async def is_empty(stage: Stage) -> bool:
    return not await stage.rows("shop", "SELECT FROM outbox")


async def write(database: Database, writer: int, names: list[str]) -> None:
    """Commit orders in transactions of unequal length, so that positions and commits cross."""
    for number in range(25):
        async with database.transaction() as db:
            name = f"{writer}-{number}"
            await add_events(db, [order(name)])
            await asyncio.sleep(random.random() / 200)
            names.append(name)


async def test_no_fact_of_eight_concurrent_writers_is_missed_by_two_relays(stage: Stage) -> None:
    names: list[str] = []
    async with (
        stage.bus("shop") as bus,
        stage.database("shop") as one,
        stage.database("shop") as other,
    ):
        relays = [Relay(each, bus) for each in (one, other)]
        running = [asyncio.create_task(relay.run()) for relay in relays]
        await asyncio.gather(*(write((one, other)[n % 2], n, names) for n in range(8)))
        await until(lambda: is_empty(stage), bool)
        for relay in relays:
            relay.stop()
        await asyncio.gather(*running)
    assert sorted(await ordered(stage)) == sorted(names)


async def test_facts_wait_while_the_bus_is_away(stage: Stage) -> None:
    async with stage.running(Shop().service) as shop, stage.bus() as bus:
        stage.nats.kill()
        async with shop.database.transaction() as db:
            await add_events(db, [order("one"), order("two")])
        stage.nats.start()
        await until(lambda: is_empty(stage), bool)
        await bus.ask(PlaceOrder(organization_id="acme", order_id="three"))
        await until(lambda: is_empty(stage), bool)
    assert sorted(set(await ordered(stage))) == ["one", "three", "two"]


async def test_how_long_the_oldest_fact_has_waited_is_told(stage: Stage) -> None:
    async def age(runtime: Runtime) -> float:
        text = (await runtime.health.answer("/metrics"))[2].decode()
        (found,) = re.findall(r"^billing_outbox_age_seconds (.+)$", text, re.MULTILINE)
        return float(found)

    async with stage.running(Shop().service) as shop:
        stage.nats.kill()
        async with shop.database.transaction() as db:
            await add_events(db, [order("one")])
        await until(lambda: age(shop), lambda seconds: seconds > 0.5)
        stage.nats.start()
        await until(lambda: age(shop), lambda seconds: seconds == 0)


async def test_facts_that_the_bus_refuses_hold_up_no_others(stage: Stage) -> None:
    await stage.rows(
        "shop",
        "INSERT INTO outbox (message_id, subject, body, traceparent, created_at)"
        " SELECT n::text, 'event.shop.nowhere', '{}', '', now() FROM generate_series(1, 450) n",
    )
    async with stage.running(Shop().service) as shop:
        async with shop.database.transaction() as db:
            await add_events(db, [order("one")])
        assert await until(lambda: ordered(stage), bool) == ["one"]
    waiting = await stage.rows("shop", "SELECT attempts, leased_until FROM outbox")
    assert len(waiting) == 450
    assert all(row["attempts"] >= 1 and row["leased_until"] for row in waiting)


@pytest.mark.parametrize("note", ["oversized", "malformed"])
async def test_a_fact_that_nobody_could_hear_has_no_effect(
    stage: Stage, bus: Bus, note: str
) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(AnswerFailed):
            await bus.ask(PlaceOrder(organization_id="acme", order_id="one", note=note))
    assert await stage.effects("shop") == []
    assert await is_empty(stage)


async def test_a_rolled_back_fact_is_not_told(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(AnswerFailed):
            await bus.ask(PlaceOrder(organization_id="acme", order_id="one", note="poison"))
        await bus.ask(PlaceOrder(organization_id="acme", order_id="two"))
        assert await until(lambda: ordered(stage), bool) == ["two"]


async def test_a_dead_relays_rows_are_told_once_its_lease_is_over(stage: Stage) -> None:
    await stage.rows(
        "shop",
        "INSERT INTO outbox (message_id, subject, body, traceparent, created_at, leased_until)"
        " VALUES ('1', $1, $2, '', now(), clock_timestamp() + interval '3 s')",
        PLACED,
        b'{"organization_id":"acme","order_id":"one"}',
    )
    async with stage.bus("shop") as bus, stage.database("shop") as database:
        relay = Relay(database, bus, timedelta(seconds=1))
        assert not await relay.relay_once()
        assert not await is_empty(stage)
        task = asyncio.create_task(relay.run())
        await until(lambda: is_empty(stage), bool)
        task.cancel()
    assert await ordered(stage) == ["one"]

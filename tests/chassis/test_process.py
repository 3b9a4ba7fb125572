"""A process from its first moment to its last: it waits, works, tells what it does, and drains."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from nats.aio.msg import Msg

from shared.bus import AnswerTimedOut, Bus
from shared.contracts.base import Request
from shared.database import Db
from shared.runtime import Runtime
from tests.chassis.contracts.shop import (
    ChargeCard,
    ListOrders,
    OrderPlaced,
    Orders,
    Placed,
    PlaceOrder,
)
from tests.chassis.stage import TIMES, Stage, ask_at_once, order
from tests.chassis.toys import Ledger, Shop
from tests.stack import until

DURABLE = "ledger-event-shop-order_placed"


async def test_it_is_alive_while_it_waits_for_its_servers(stage: Stage, bus: Bus) -> None:
    stage.postgres.kill()
    with stage.process("shop") as process:
        await process.answers("/livez", 200)
        assert json.loads(process.get("/readyz")[1])["problems"] == ["starting"]
        assert process.get("/metrics")[0] == 200
        assert (await process.logs("waiting"))["for"] == "database"
        stage.nats.kill()
        stage.postgres.start()
        await process.logs("bus error")
        assert process.get("/readyz")[0] == 503
        stage.nats.start()
        await process.ready()
        await until(lambda: _is_connected(bus), bool)
        assert await bus.ask(ListOrders(organization_id="acme")) == Orders(order_ids=())


async def _is_connected(bus: Bus) -> bool:
    return bool(bus.connection.is_connected)


@pytest.mark.parametrize("server", ["postgres", "nats"])
async def test_told_to_stop_while_it_waits_it_stops(stage: Stage, server: str) -> None:
    getattr(stage, server).kill()
    with stage.process("shop") as process:
        await process.answers("/livez", 200)
        await process.logs("waiting" if server == "postgres" else "bus error")
        process.signal(signal.SIGTERM)
        assert await process.exit_code(5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_under_way_is_finished_before_it_ends(
    stage: Stage, bus: Bus, number: signal.Signals
) -> None:
    with stage.process("shop") as process:
        await process.ready()
        slow = PlaceOrder(organization_id="acme", order_id="one", note="slow:0.5")
        asked = asyncio.create_task(ask_at_once(bus, slow))
        await until(lambda: _active(stage), bool)
        process.signal(number)
        assert await asked == [Placed(order_id="one", place=1)]
        assert await process.exit_code() == 0
    # And its fact was told before it went.
    assert await stage.rows("shop", "SELECT FROM outbox") == []
    assert len(await stage.stored()) == 1


async def _active(stage: Stage) -> bool:
    """Whether a transaction of the shop's is under way."""
    query = "SELECT FROM pg_stat_activity WHERE usename = 'shop' AND state = 'idle in transaction'"
    connection = await asyncpg.connect(stage.postgres.dsn)
    try:
        return bool(await connection.fetch(query))
    finally:
        await connection.close()


async def test_messages_that_it_has_not_begun_go_to_a_replica_at_once(stage: Stage) -> None:
    began = asyncio.Event()

    async def slowly(_event: OrderPlaced, _db: Db) -> None:
        began.set()
        await asyncio.sleep(0.01)

    async with stage.running(Ledger(slowly).service) as ledger:
        await stage.publish(order("order-0"))
        await began.wait()
        async with stage.bus("shop") as bus:
            for number in range(1, 120):
                await stage.publish(order(f"order-{number}"), bus=bus)
        await until(lambda: _buffered(ledger), bool)
        stopped_at = time.monotonic()
    left = 120 - len(await stage.effects("ledger"))
    assert left > 0
    async with stage.running(Ledger().service):
        await stage.has_effects("ledger", *(f"order-{number}" for number in range(120)))
    # Without being handed back they would have come only after the ack wait.
    waits = [each.ack_wait_seconds for each in ledger.service.durables if each.name == DURABLE]
    assert [time.monotonic() - stopped_at] < waits


async def _buffered(runtime: Runtime) -> bool:
    return any(puller._buffer for puller in runtime._pullers)


async def test_what_takes_too_long_is_left_to_another_replica(stage: Stage, bus: Bus) -> None:
    times = msgspec.json.encode(msgspec.structs.replace(TIMES, drain_seconds=0.3)).decode()
    with stage.process("shop", TOY_TIMES=times) as process:
        await process.ready()
        slow: list[Request[Any]] = [
            ChargeCard(organization_id="acme", amount_cents=700, note="slow:1.5"),
            PlaceOrder(organization_id="acme", order_id="one", note="slow:1.5"),
        ]
        asked = asyncio.create_task(ask_at_once(bus, *slow, timeout_seconds=3))
        await until(lambda: _active(stage), bool)
        await until(lambda: _calls(stage), bool)
        process.signal(signal.SIGTERM)
        assert await process.exit_code(5) == 0
        assert "destroyed" not in process.log.read_text()
        assert [type(answer) for answer in await asked] == [AnswerTimedOut, AnswerTimedOut]
    assert await stage.effects("shop") == ["prepared"]
    async with stage.running(Shop().service):
        await stage.has_effects("shop", "prepared", "charged 700")


async def _calls(stage: Stage) -> str:
    return stage.calls.read_text()


async def test_without_a_bus_it_still_stops_in_order(stage: Stage) -> None:
    with stage.process("ledger") as process:
        await process.ready()
        stage.nats.kill()
        process.signal(signal.SIGTERM)
        assert await process.exit_code(15) == 0
        assert (await process.logs("service has stopped"))["level"] == "info"


async def test_without_a_database_it_still_stops_in_order(stage: Stage) -> None:
    with stage.process("ledger") as process:
        await process.ready()
        stage.postgres.kill()
        process.signal(signal.SIGTERM)
        assert await process.exit_code(15) == 0
        assert (await process.logs("service has stopped"))["level"] == "info"


async def test_credentials_that_the_bus_does_not_know_are_told(
    stage: Stage, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.creds"
    foreign.write_text("nothing of ours")
    with stage.process("shop", NATS_CREDENTIALS=str(foreign)) as process:
        assert await process.exit_code() == 1
        assert (await process.logs("service cannot start"))["level"] == "critical"


async def test_a_taken_port_is_told(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with stage.process("shop", HTTP_PORT=port) as process:
            assert await process.exit_code() != 0
    assert "address already in use" in process.log.read_text()


def test_a_wrong_setting_is_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chassis", "shop"],
        env={**os.environ, "DATABASE_URL": "", "DATABASE_URL_FILE": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "Setting DATABASE_URL: is required.\n")


async def test_a_trace_travels_from_a_request_through_its_fact_to_the_next_service(
    stage: Stage, bus: Bus
) -> None:
    trace_id = "0123456789abcdef" * 2
    with stage.process("shop") as shop, stage.process("ledger") as ledger:
        await shop.ready()
        await ledger.ready()
        request = {"organization_id": "acme", "order_id": "one", "note": "ledger poison"}
        body, header = json.dumps(request).encode(), f"00-{trace_id}-{'1' * 16}-01"
        answer = await bus.connection.request(
            "ask.shop.place_order", body, timeout=5, headers={"traceparent": header}
        )
        assert b'"order_id":"one"' in answer.data
        failed = await ledger.logs("message failed")
        parked = await until(stage.letters, bool)
    assert failed["trace_id"] == trace_id
    assert failed["service"] == "ledger"
    assert "RuntimeError: poison" in failed["error"]
    assert trace_id in parked[0]["traceparent"]


async def test_each_fact_of_a_batch_keeps_the_trace_it_came_with(stage: Stage) -> None:
    async with stage.bus("shop") as bus:
        for number in (1, 2):
            await bus.connection.jetstream().publish(
                "event.shop.order_placed.acme",
                json.dumps({"organization_id": "acme", "order_id": f"order-{number}"}).encode(),
                headers={
                    "Nats-Msg-Id": f"id-{number}",
                    "traceparent": f"00-{str(number) * 32}-{'1' * 16}-01",
                },
            )
    told: dict[str, str] = {}

    async def hear(message: Msg) -> None:
        told[json.loads(message.data)["order_id"]] = (message.headers or {})["traceparent"][3:35]

    async with stage.bus() as bus:
        await bus.connection.subscribe("event.ledger.entry_booked.acme", cb=hear)
        await bus.connection.flush()
        async with stage.running(Ledger().service):
            await stage.has_effects("ledger", "order-1", "order-2")
            await stage.idle(DURABLE)
            await until(lambda: _none_left(stage), bool)
    assert told == {"order-1": "1" * 32, "order-2": "2" * 32}


async def _none_left(stage: Stage) -> bool:
    return not await stage.rows("ledger", "SELECT FROM outbox")


async def test_every_line_that_it_logs_is_json(stage: Stage, bus: Bus) -> None:
    with stage.process("shop") as process:
        await process.ready()
        with pytest.raises(AnswerTimedOut):
            await bus.ask(
                PlaceOrder(organization_id="acme", order_id="one", note="slow:1"),
                timeout_seconds=0.2,
            )
        stage.postgres.kill()
        process.signal(signal.SIGTERM)
        await process.exit_code()
        lines = process.lines()
    assert {line["service"] for line in lines} == {"shop"}
    assert all(re.fullmatch(r"[0-9a-f]{32}|", line["trace_id"]) for line in lines)
    assert [line["message"] for line in lines if line["level"] == "critical"] == []

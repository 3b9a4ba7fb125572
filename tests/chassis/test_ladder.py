"""The ack ladder: what passes is waited out, what is bad is parked alone, nothing is dropped."""

import asyncio
import time
from collections import Counter
from itertools import pairwise

import asyncpg
import msgspec
import pytest
from sqlalchemy import text

from shared.consumers import Ladder
from shared.database import Db
from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.stage import TIMES, Stage, order
from tests.chassis.toys import Ledger
from tests.stack import until

DURABLE = "ledger-event-shop-order_placed"
DELIVERIES = TIMES.ladder.max_deliveries


async def publish_all(stage: Stage, names: list[str], notes: dict[str, str]) -> None:
    async with stage.bus("shop") as bus:
        for name in names:
            await stage.publish(order(name, notes.get(name, "")), f"id-{name}", bus=bus)


async def one_letter(stage: Stage) -> asyncpg.Record:
    (letter,) = await until(stage.letters, bool)
    return letter


async def test_one_poison_among_two_hundred_is_parked_alone(stage: Stage) -> None:
    names = [f"order-{number}" for number in range(200)]
    await publish_all(stage, names, {"order-77": "poison:77"})
    async with stage.running(Ledger().service):
        await stage.has_effects("ledger", *(set(names) - {"order-77"}))
        letter = await one_letter(stage)
        await stage.idle(DURABLE)
    assert b'"order-77"' in letter["body"]
    assert letter["reason"] == "handler_failed"
    assert letter["detail"] == "RuntimeError: poison 77"
    assert (letter["organization_id"], letter["message_id"]) == (
        "acme",
        stage.id_sent("id-order-77"),
    )
    assert letter["subject"] == "event.shop.order_placed.acme"
    assert len(await stage.effects("ledger")) == 199


async def test_the_delay_grows_until_the_message_is_parked(stage: Stage) -> None:
    tried: list[float] = []

    async def fail(_event: OrderPlaced, _db: Db) -> None:
        tried.append(time.monotonic())
        raise RuntimeError("always")

    async with stage.running(Ledger(fail).service):
        await stage.publish(order("one"), "id-one")
        letter = await one_letter(stage)
    assert len(tried) == DELIVERIES
    waits = [after - before for before, after in pairwise(tried)]
    assert waits[0] >= TIMES.ladder.delay_seconds(1) == 0.1
    assert waits[1] >= TIMES.ladder.delay_seconds(2) == 0.2
    assert letter["occurrences"] == 1


def test_production_tries_for_minutes_and_never_waits_longer_than_five() -> None:
    ladder = Ladder()
    delays = [ladder.delay_seconds(delivered) for delivered in range(1, ladder.max_deliveries)]
    assert delays[:3] == [2, 4, 8]
    assert sum(delays) > 10 * 60
    assert ladder.delay_seconds(10_000) == 300


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.SerializationError("in the way"),
        asyncpg.DeadlockDetectedError("in the way"),
        asyncpg.QueryCanceledError("too slow"),
        ConnectionResetError("gone"),
        TimeoutError("too slow"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_passes_by_itself_is_tried_again_at_once(stage: Stage, error: Exception) -> None:
    tries = 0

    async def fail_twice(_event: OrderPlaced, _db: Db) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise error

    async with stage.running(Ledger(fail_twice).service):
        await stage.publish(order("one"), "id-one")
        await stage.has_effects("ledger", "one")
        await stage.idle(DURABLE)
    assert tries == 3
    assert await stage.letters() == []


async def test_what_should_pass_and_never_does_is_parked_too(stage: Stage) -> None:
    tries = 0

    async def always_in_the_way(_event: OrderPlaced, _db: Db) -> None:
        nonlocal tries
        tries += 1
        raise asyncpg.QueryCanceledError("this statement never ends")

    ladder = msgspec.structs.replace(TIMES.ladder, contended_tries=1)
    times = msgspec.structs.replace(TIMES, ladder=ladder)
    async with stage.running(Ledger(always_in_the_way).service, times):
        await stage.publish(order("one"), "id-one")
        letter = await one_letter(stage)
    assert letter["detail"].startswith("QueryCanceledError")
    assert tries == 2 * DELIVERIES


async def test_a_wrong_parameter_is_a_bug_and_not_a_lost_connection(stage: Stage) -> None:
    async def beyond_int64(_event: OrderPlaced, db: Db) -> None:
        await db.driver.fetchval("SELECT $1::bigint", 2**70)

    async with stage.running(Ledger(beyond_int64).service):
        await stage.publish(order("one"), "id-one")
        letter = await one_letter(stage)
    assert letter["detail"].startswith("DataError")


async def test_a_database_killed_meanwhile_costs_nothing(stage: Stage) -> None:
    names = [f"order-{number}" for number in range(40)]

    async def slowly(_event: OrderPlaced, db: Db) -> None:
        await db.execute(text("SELECT pg_sleep(0.02)"))

    async with stage.running(Ledger(slowly).service):
        await publish_all(stage, names[:20], {})
        await until(lambda: stage.effects("ledger"), bool)
        stage.postgres.kill()
        await publish_all(stage, names[20:], {})
        stage.postgres.start()
        await stage.has_effects("ledger", *names)
        await stage.idle(DURABLE)
    assert Counter(await stage.effects("ledger")) == Counter(names)
    assert await stage.letters() == []


async def test_a_bus_killed_meanwhile_costs_nothing(stage: Stage) -> None:
    names = [f"order-{number}" for number in range(60)]
    await publish_all(stage, names, {})

    async def slowly(_event: OrderPlaced, db: Db) -> None:
        await db.execute(text("SELECT pg_sleep(0.01)"))

    async with stage.running(Ledger(slowly).service):
        await asyncio.sleep(0.2)
        stage.nats.kill()
        stage.nats.start()
        await stage.has_effects("ledger", *names)
        await stage.idle(DURABLE)
    assert await stage.letters() == []


async def test_only_the_bad_part_of_a_message_is_parked(stage: Stage) -> None:
    async with stage.running(Ledger().service):
        await stage.gauge(order("a"), order("b", "poison:b"), order("c"))
        letter = await one_letter(stage)
        await stage.idle("ledger-usage-gauge", "USAGE")
    assert set(await stage.effects("ledger")) == {"a", "c"}
    (bad,) = msgspec.json.decode(letter["body"], type=list[OrderPlaced])
    assert bad.order_id == "b"
    assert letter["organization_id"] == "acme"


async def test_a_lost_connection_spoils_no_part_of_a_message(stage: Stage) -> None:
    tries: Counter[str] = Counter()

    async def fail_once(event: OrderPlaced, _db: Db) -> None:
        tries[event.order_id] += 1
        if event.note == "poison":
            raise RuntimeError("poison")
        if tries[event.order_id] == 2:
            raise ConnectionResetError("gone")

    async with stage.running(Ledger(fail_once).service):
        await stage.gauge(order("a"), order("b", "poison"))
        letter = await one_letter(stage)
        await stage.idle("ledger-usage-gauge", "USAGE")
    assert b'"b"' in letter["body"]
    assert "a" in await stage.effects("ledger")


async def test_what_cannot_be_read_is_parked_at_once(stage: Stage) -> None:
    async with stage.running(Ledger().service), stage.bus("shop") as bus:
        js = bus.connection.jetstream()
        bodies = [b"{", b"\xff", b"[" * 100_000, b'{"organization_id":"acme","order_id":7}']
        for number, body in enumerate(bodies):
            headers = {"Nats-Msg-Id": str(number)}
            await js.publish("event.shop.order_placed.acme", body, headers=headers)
        await stage.publish(order("one"), "id-one", bus=bus)
        await stage.has_effects("ledger", "one")
        letters = await stage.letters()
    assert [letter["reason"] for letter in letters] == ["malformed"] * 4
    assert sorted(letter["body"] for letter in letters) == sorted(bodies)


async def test_an_error_that_quotes_what_no_text_holds_is_parked_all_the_same(
    stage: Stage,
) -> None:
    async def quote(event: OrderPlaced, _db: Db) -> None:
        raise RuntimeError(f"NUL \0 and half a character \ud800 and more {'x' * 5000}")

    async with stage.running(Ledger(quote).service):
        await stage.publish(order("one"), "id-one")
        letter = await one_letter(stage)
    assert letter["detail"].startswith("RuntimeError: NUL � and half a character \\ud800")
    assert len(letter["detail"]) == 500


async def test_the_same_letter_is_counted_and_not_kept_twice(stage: Stage) -> None:
    async with stage.running(Ledger().service):
        await stage.publish(order("one", "poison"), "first")
        await one_letter(stage)
        await stage.publish(order("one", "poison"), "second")
        (letter,) = await until(stage.letters, lambda letters: letters[0]["occurrences"] == 2)
    assert letter["state"] == "parked"

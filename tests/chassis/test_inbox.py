"""A fact is heard once, however often it is delivered, and whoever dies in between."""

import asyncio
import signal

import pytest

from shared.database import Db
from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.stage import Stage, order
from tests.chassis.toys import Ledger

DURABLE = "ledger-event-shop-order_placed"
# Longer than the stage's stream remembers a message id.
FORGOTTEN_SECONDS = 0.25


async def publish_apart(stage: Stage, *events: OrderPlaced) -> None:
    """Publish everything twice under its id, so that the stream keeps both copies."""
    for _ in range(2):
        async with stage.bus("shop") as bus:
            for event in events:
                await stage.publish(event, f"id-{event.order_id}", bus=bus)
        await asyncio.sleep(FORGOTTEN_SECONDS)


async def test_a_fact_delivered_twice_is_handled_once(stage: Stage) -> None:
    await publish_apart(stage, order("one"))
    assert len(await stage.stored()) == 2
    async with stage.running(Ledger().service):
        await stage.publish(order("two"), "id-two")
        await stage.has_effects("ledger", "one", "two")
        await stage.idle(DURABLE)
    assert await stage.effects("ledger") == ["one", "two"]


async def test_two_replicas_handle_each_fact_once(stage: Stage) -> None:
    names = [f"order-{number}" for number in range(150)]
    async with stage.running(Ledger().service), stage.running(Ledger().service):
        await publish_apart(stage, *(order(name) for name in names))
        await stage.has_effects("ledger", *names)
        await stage.idle(DURABLE)
    assert sorted(await stage.effects("ledger")) == sorted(names)


async def test_a_fact_and_what_it_causes_are_one_transaction(stage: Stage) -> None:
    tries = 0

    async def fail_first(_event: OrderPlaced, _db: Db) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("after the effect was written")

    async with stage.running(Ledger(fail_first).service):
        await stage.publish(order("one"), "id-one")
        await stage.has_effects("ledger", "one")
        await stage.idle(DURABLE)
    assert tries == 2
    assert len(await stage.rows("ledger", "SELECT * FROM inbox")) == 1
    assert await stage.letters() == []


async def test_facts_without_an_id_are_told_apart_to_their_last_byte(stage: Stage) -> None:
    alike = "x" * 1000
    async with stage.running(Ledger().service):
        await stage.publish(order("one", alike + "1"))
        await stage.publish(order("one", alike + "2"))
        await stage.publish(order("one", alike + "2"))
        await stage.has_effects("ledger", "one", "one")
        await stage.idle(DURABLE)
    assert len(await stage.effects("ledger")) == 2


@pytest.mark.parametrize("point", ["consumer.uncommitted", "consumer.committed"])
async def test_a_process_killed_around_its_commit_handles_a_fact_once(
    stage: Stage, point: str
) -> None:
    await stage.publish(order("one"), "id-one")
    with stage.process("ledger", FAILPOINTS=f"{point}:1") as killed:
        assert await killed.exit_code() == -signal.SIGKILL
    assert await stage.effects("ledger") == (["one"] if point == "consumer.committed" else [])
    async with stage.running(Ledger().service):
        await stage.has_effects("ledger", "one")
        await stage.idle(DURABLE)
    assert await stage.effects("ledger") == ["one"]

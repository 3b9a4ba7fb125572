"""A fact is heard once, however often it is delivered, and whoever dies in between."""

import asyncio

from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.stage import Stage
from tests.chassis.toys import Ledger

DURABLE = "ledger-event-shop-order_placed"


def order(order_id: str, note: str = "") -> OrderPlaced:
    return OrderPlaced(organization_id="acme", order_id=order_id, note=note)


async def publish_apart(stage: Stage, event: OrderPlaced, message_id: str) -> None:
    """Publish twice, with the stream's own memory for duplicates between."""
    await stage.publish(event, message_id)
    await asyncio.sleep(0.25)
    await stage.publish(event, message_id)


async def test_a_fact_delivered_twice_is_handled_once(stage: Stage) -> None:
    await publish_apart(stage, order("one"), "first")
    assert len(await stage.stored()) == 2
    async with stage.running(Ledger().service):
        await stage.publish(order("two"), "second")
        await stage.has_effects("ledger", "one", "two")
        await stage.idle(DURABLE)
    assert await stage.effects("ledger") == ["one", "two"]

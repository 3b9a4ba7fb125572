"""Each attack works on the obvious bus, one account for all, and fails on ours."""

from collections.abc import Awaitable, Callable

import pytest

from tests.deploy.bus import (
    CAREFUL,
    METER,
    Bus,
    NaiveBus,
    OurBus,
    happens,
    new_organization,
    usage_of,
)

# What has not arrived by then will not: an answer on this bus takes a millisecond.
SETTLED_SECONDS = 0.5

Attack = Callable[[Bus], Awaitable[bool]]


async def is_stored(bus: Bus, organization_id: str) -> bool:
    async def stored() -> bool:
        return await bus.stored(organization_id) > 0

    return await happens(stored, SETTLED_SECONDS)


async def forging_usage_by_a_reply_address(bus: Bus) -> bool:
    """The server publishes its acknowledgement where the sender says, with its own rights."""
    victim = new_organization()
    attacker = await bus.agent(CAREFUL)
    await attacker.publish(usage_of(CAREFUL), reply=usage_of(victim))
    return await is_stored(bus, victim)


async def forging_a_request_by_a_reply_address(bus: Bus) -> bool:
    heard = await (await bus.service()).hear("ask.>")
    attacker = await bus.agent(CAREFUL)
    await attacker.publish(usage_of(CAREFUL), reply="ask.cost_metering.set_price_override")
    return await happens(lambda: heard, SETTLED_SECONDS)


async def forging_an_event_by_a_reply_address(bus: Bus) -> bool:
    heard = await (await bus.service()).hear("event.>")
    attacker = await bus.agent(CAREFUL)
    fact = f"event.cost_metering.costs_recorded.{new_organization()}"
    await attacker.publish(usage_of(CAREFUL), reply=fact)
    return await happens(lambda: heard, SETTLED_SECONDS)


async def suppressing_an_event_by_its_message_id(bus: Bus) -> bool:
    """Duplicates are looked for in the whole stream, whoever sent them."""
    victim, event_id = new_organization(), f"{new_organization()}:call-1"
    attacker, honest = await bus.agent(CAREFUL), await bus.agent(victim)
    poisoned = await attacker.ask(usage_of(CAREFUL), headers={"Nats-Msg-Id": event_id})
    acknowledged = await honest.ask(usage_of(victim), headers=bus.honest_headers(event_id))
    assert poisoned is not None
    assert acknowledged is not None
    return await bus.stored(victim) == 0


async def publishing_for_another_organization(bus: Bus) -> bool:
    victim = new_organization()
    attacker = await bus.agent(new_organization())
    await attacker.publish(usage_of(victim))
    return await is_stored(bus, victim)


async def publishing_for_an_organization_that_differs_in_case(bus: Bus) -> bool:
    own = f"X{new_organization()}"
    attacker = await bus.agent(own)
    await attacker.publish(usage_of(own.lower()))
    return await is_stored(bus, own.lower())


async def publishing_an_event(bus: Bus) -> bool:
    heard = await (await bus.service()).hear("event.>")
    attacker = await bus.agent(new_organization())
    await attacker.publish(f"event.cost_metering.costs_recorded.{new_organization()}")
    return await happens(lambda: heard, SETTLED_SECONDS)


async def asking_a_service(bus: Bus) -> bool:
    heard = await (await bus.service()).hear("ask.>")
    attacker = await bus.agent(new_organization())
    await attacker.publish("ask.cost_metering.set_price_override")
    return await happens(lambda: heard, SETTLED_SECONDS)


async def reading_another_organizations_usage(bus: Bus) -> bool:
    victim = new_organization()
    heard = await (await bus.agent(new_organization())).hear("usage.>")
    await (await bus.agent(victim)).ask(usage_of(victim))
    return await happens(lambda: heard, SETTLED_SECONDS)


async def reading_events(bus: Bus) -> bool:
    heard = await (await bus.agent(new_organization())).hear("event.>")
    await (await bus.service()).publish("event.auditor.something_happened.acme")
    return await happens(lambda: heard, SETTLED_SECONDS)


async def reading_another_agents_inbox(bus: Bus) -> bool:
    victim = new_organization()
    heard = await (await bus.agent(CAREFUL)).hear("_INBOX.>")
    await (await bus.agent(victim)).ask(usage_of(victim))
    return await happens(lambda: heard, SETTLED_SECONDS)


async def purging_the_stream(bus: Bus) -> bool:
    attacker = await bus.agent(new_organization())
    answer = await attacker.ask("$JS.API.STREAM.PURGE.USAGE")
    return answer is not None and answer["success"]


async def taking_usage_from_the_meter(bus: Bus) -> bool:
    await (await bus.agent(CAREFUL)).ask(usage_of(CAREFUL))
    attacker = await bus.agent(new_organization())
    inbox = attacker.nc.new_inbox()
    taken = await attacker.hear(inbox)
    pull = f"$JS.API.CONSUMER.MSG.NEXT.{METER.stream}.{METER.name}"
    await attacker.publish(pull, b"1", reply=inbox)
    return await happens(lambda: taken, SETTLED_SECONDS)


ATTACKS: list[Attack] = [
    forging_usage_by_a_reply_address,
    forging_a_request_by_a_reply_address,
    forging_an_event_by_a_reply_address,
    suppressing_an_event_by_its_message_id,
    publishing_for_another_organization,
    publishing_for_an_organization_that_differs_in_case,
    publishing_an_event,
    asking_a_service,
    reading_another_organizations_usage,
    reading_events,
    reading_another_agents_inbox,
    purging_the_stream,
    taking_usage_from_the_meter,
]
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)


@each_attack
async def test_an_attack_works_when_all_share_one_account(
    naive_bus: NaiveBus, attack: Attack
) -> None:
    assert await attack(naive_bus)


@each_attack
async def test_the_same_attack_fails_on_our_bus(our_bus: OurBus, attack: Attack) -> None:
    assert not await attack(our_bus)

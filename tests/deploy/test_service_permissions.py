"""Each service may say its own facts, answer its own requests and read its own consumers."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from deploy.bus_keys import BusKeys
from shared import topology
from tests.deploy.bus import METER, OurBus, Peer, happens, new_organization, usage_of

GATEWAY_HEARS = topology.durable("gateway", "EVENTS", "event.>")
FACT = "event.cost_metering.costs_recorded"


@pytest.fixture
async def meter(our_bus: OurBus) -> Peer:
    durables = [(METER.stream, METER.name)]
    return await our_bus.user(
        our_bus.keys.issue_service("cost_metering", durables, datetime.now(UTC))
    )


@pytest.fixture
async def gateway(our_bus: OurBus) -> Peer:
    await topology.declare(our_bus.js, (GATEWAY_HEARS,))
    durables = [(GATEWAY_HEARS.stream, GATEWAY_HEARS.name)]
    now = datetime.now(UTC)
    return await our_bus.user(
        our_bus.keys.issue_service("gateway", durables, now, hears=["event.>"])
    )


async def test_a_service_says_its_own_facts_and_they_are_kept(meter: Peer, gateway: Peer) -> None:
    heard = await gateway.hear("event.>")
    answer = await meter.ask(f"{FACT}.acme")
    assert answer is not None
    assert answer["stream"] == "EVENTS"
    assert await happens(lambda: heard, within_seconds=5)


async def test_a_service_cannot_say_another_services_facts(meter: Peer, gateway: Peer) -> None:
    assert not await gateway.publish(f"{FACT}.acme")
    assert not await meter.publish("event.invoicing.invoice_issued.acme")
    assert not await meter.publish(usage_of("acme"))


async def test_a_service_answers_requests_and_the_answer_reaches_only_the_caller(
    meter: Peer, gateway: Peer
) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(b'{"records": 7}')

    await meter.nc.subscribe("ask.cost_metering.*", queue="cost_metering", cb=answer)
    await meter.nc.flush()
    assert await gateway.ask("ask.cost_metering.get_cost_summary") == {"records": 7}
    assert await meter.hear("_INBOX_gateway.>") is None


async def test_a_service_cannot_hear_requests_to_another(meter: Peer, gateway: Peer) -> None:
    assert await gateway.hear("ask.cost_metering.>") is None
    assert await meter.hear("ask.>") is None
    assert await meter.hear(">") is None


async def test_a_service_reads_and_acknowledges_through_its_own_consumer(
    our_bus: OurBus, meter: Peer
) -> None:
    organization_id = new_organization()
    await our_bus.js.purge_stream("USAGE")
    await (await our_bus.agent(organization_id)).ask(usage_of(organization_id))
    pull = await meter.nc.jetstream().pull_subscribe_bind(METER.name, METER.stream)
    (message,) = await pull.fetch(1, timeout=5)
    assert message.subject == usage_of(organization_id)
    await message.ack_sync()
    assert await our_bus.stored(organization_id) == 0
    assert not meter.refusals


async def test_a_service_cannot_take_or_acknowledge_what_another_reads(gateway: Peer) -> None:
    assert not await gateway.publish(f"$JS.API.CONSUMER.MSG.NEXT.{METER.stream}.{METER.name}")
    assert not await gateway.publish(f"$JS.ACK.{METER.stream}.{METER.name}.1.1.1.1.0", b"+ACK")


@pytest.mark.parametrize(
    "call",
    ["STREAM.PURGE.USAGE", "STREAM.DELETE.USAGE", "CONSUMER.CREATE.USAGE", "STREAM.MSG.GET.USAGE"],
)
async def test_a_service_cannot_change_streams(meter: Peer, call: str) -> None:
    assert not await meter.publish(f"$JS.API.{call}")


async def test_an_operators_command_asks_and_hears_nothing_else(our_bus: OurBus) -> None:
    operator = await our_bus.user(our_bus.keys.issue_operator(datetime.now(UTC)))
    assert await operator.publish("ask.cost_metering.list_dead_letters")
    assert not await operator.publish(f"{FACT}.acme")
    assert not await operator.publish("$JS.API.STREAM.PURGE.USAGE")
    assert await operator.hear("ask.>") is None
    assert await operator.hear("event.>") is None


def test_every_file_of_the_keys_is_its_owners_alone(tmp_path: Path) -> None:
    keys, now = BusKeys.load_or_create(tmp_path / "keys"), datetime.now(UTC)
    keys.issue_service("gateway", [], now)
    keys.issue_topology(now)
    keys.issue_operator(now)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert set(modes) >= {"operator.seed", "agents_signing.seed", "gateway.creds"}
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


def test_keys_are_made_once(tmp_path: Path) -> None:
    first, second = BusKeys.load_or_create(tmp_path), BusKeys.load_or_create(tmp_path)
    assert first.operator.seed == second.operator.seed
    assert first.agents == second.agents
    assert first.agent_signer.seed == second.agent_signer.seed

"""The embedded NATS server: what it acknowledged is kept, and a failed start says why."""

import asyncio
import json
import stat
import urllib.request
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import nats.errors
import pytest

from deploy.bus_config import MAX_CONTROL_LINE_BYTES, server_configuration
from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, PortTaken, ServerFailed
from deploy.services import load_services
from deploy.setup import make_keys
from shared.topology import EVENTS, RETIRED, USAGE, Durable, declare
from tests.deploy.bus import OurBus, new_organization, usage_of
from tests.servers import free_port, start_nats


def test_it_syncs_every_message_before_it_acknowledges(closed_server: NatsServer) -> None:
    url = f"http://127.0.0.1:{closed_server.monitor_port}/varz"
    with urllib.request.urlopen(url, timeout=5) as answer:
        jetstream = json.load(answer)["jetstream"]["config"]
    assert jetstream["sync_always"] is True


def test_a_configuration_syncs_unless_it_is_for_a_measurement(tmp_path: Path) -> None:
    assert "sync_interval: always" in server_configuration("", tmp_path)
    assert "sync_interval: always" not in server_configuration("", tmp_path, durable=False)


def test_the_token_of_every_service_fits_twice_into_the_line_it_is_sent_in(tmp_path: Path) -> None:
    services = load_services()
    keys = make_keys(tmp_path, services, datetime.now(UTC))
    longest = max(keys.credentials_file(each.name).stat().st_size for each in services)
    assert 2 * longest < MAX_CONTROL_LINE_BYTES
    assert f"max_control_line: {MAX_CONTROL_LINE_BYTES}" in server_configuration("", tmp_path)


def test_its_configuration_is_its_owners_alone(closed_server: NatsServer) -> None:
    for name in ("nats.conf", "nats.log"):
        assert stat.S_IMODE((closed_server.directory / name).stat().st_mode) == 0o600


async def test_nobody_connects_without_a_credential(our_bus: OurBus) -> None:
    with pytest.raises(nats.errors.Error):
        await our_bus.open()


@pytest.mark.parametrize("end", [NatsServer.stop, NatsServer.kill])
async def test_what_was_acknowledged_is_there_after_a_restart(
    tmp_path: Path, keys: BusKeys, end: Callable[[NatsServer], None]
) -> None:
    server = start_nats(tmp_path, keys)
    acknowledged: list[str] = []
    async with AsyncExitStack() as connections:
        bus = OurBus(server.url, connections, keys)
        await bus.declare()
        writer = asyncio.create_task(report_until_the_end(bus, acknowledged))
        while len(acknowledged) < 100:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(end, server)
        await writer
    server.start()
    async with AsyncExitStack() as connections:
        bus = OurBus(server.url, connections, keys)
        await bus.declare()
        kept = [await bus.stored(organization_id) for organization_id in acknowledged]
    assert kept == [1] * len(acknowledged)
    server.stop()


async def test_a_consumer_that_nobody_has_any_more_keeps_nothing(
    tmp_path: Path, keys: BusKeys
) -> None:
    server = start_nats(tmp_path, keys)
    async with AsyncExitStack() as connections:
        bus = OurBus(server.url, connections, keys)
        await bus.declare()
        for stream, name in RETIRED:
            old = Durable(stream, name, f"event.account.{name}.*")
            await bus.js.add_consumer(stream, old.config())
        await bus.declare()
        left = await bus.js.consumers_info(EVENTS.name or "")
    server.stop()
    assert left == []


async def report_until_the_end(bus: OurBus, acknowledged: list[str]) -> None:
    """Agents, one after another, each with one message, until the server is gone."""
    while True:
        organization_id = new_organization()
        try:
            agent = await bus.agent(organization_id)
            answer = await agent.ask(usage_of(organization_id))
        except (nats.errors.Error, OSError):
            return
        if answer is not None:
            acknowledged.append(organization_id)


@pytest.mark.parametrize("which", ["port", "monitor_port"])
def test_a_taken_port_is_one_sentence(
    closed_server: NatsServer, tmp_path: Path, which: str
) -> None:
    server = NatsServer(tmp_path, free_port(), free_port(), accounts="")
    taken = getattr(closed_server, which)
    setattr(server, which, taken)
    with pytest.raises(PortTaken, match=rf"^Port {taken} is taken; [^\n]+\.$"):
        server.start()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, free_port(), free_port(), "resolver: {")
    with pytest.raises(ServerFailed, match="Parse error"):
        server.start()


async def test_a_limit_that_is_lowered_takes_no_usage_that_waits(
    tmp_path: Path, keys: BusKeys
) -> None:
    server = start_nats(tmp_path, keys)
    organization_id = new_organization()
    async with AsyncExitStack() as connections:
        bus = OurBus(server.url, connections, keys)
        await bus.declare()
        agent = await bus.agent(organization_id)
        for _ in range(5):
            await agent.ask(usage_of(organization_id))
        for room in (3, 3, 10):
            await declare(bus.js, streams=[USAGE.evolve(max_msgs_per_subject=room)])
            assert await bus.stored(organization_id) == 5
        # And once what waited has been read, the limit is as it is declared.
        await bus.js.purge_stream(USAGE.name or "")
        await declare(bus.js, streams=[USAGE.evolve(max_msgs_per_subject=3)])
        found = await bus.js.stream_info(USAGE.name or "")
    server.stop()
    assert found.config.max_msgs_per_subject == 3

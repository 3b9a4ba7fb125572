"""The two buses that the attacks are tried on."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer
from tests.deploy.bus import NAIVE_ACCOUNTS, NaiveBus, OurBus
from tests.servers import free_port, start_nats


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> BusKeys:
    return BusKeys.load_or_create(tmp_path_factory.mktemp("bus") / "keys")


@pytest.fixture(scope="session")
def closed_server(keys: BusKeys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = start_nats(tmp_path_factory.mktemp("closed"), keys)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def naive_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    folder: Path = tmp_path_factory.mktemp("naive")
    server = NatsServer(folder, free_port(), free_port(), NAIVE_ACCOUNTS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def our_bus(closed_server: NatsServer, keys: BusKeys) -> AsyncIterator[OurBus]:
    async with AsyncExitStack() as connections:
        bus = OurBus(closed_server.url, connections, keys)
        await bus.declare()
        yield bus


@pytest.fixture
async def naive_bus(naive_server: NatsServer) -> AsyncIterator[NaiveBus]:
    async with AsyncExitStack() as connections:
        bus = NaiveBus(naive_server.url, connections)
        await bus.declare()
        yield bus

"""A bus for all tests of the agent's client, and one that a test may stop or kill."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from deploy.bus_keys import BusKeys
from shared.agent_client import AgentClient
from tests.agent_client.usage_bus import UsageBus
from tests.servers import start_nats

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def shared_bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UsageBus]:
    folder = tmp_path_factory.mktemp("shared-bus")
    keys = BusKeys.load_or_create(folder / "keys")
    server = start_nats(folder / "nats", keys)
    bus = UsageBus(server, keys)
    await bus.declare()
    yield bus
    server.stop()


@pytest.fixture
async def own_bus(tmp_path: Path) -> AsyncIterator[UsageBus]:
    """A bus of the test's own, to be killed and started again."""
    keys = BusKeys.load_or_create(tmp_path / "keys")
    server = start_nats(tmp_path / "nats", keys)
    bus = UsageBus(server, keys)
    await bus.declare()
    yield bus
    server.kill()


@pytest.fixture
def agent_id() -> str:
    """An agent of its own for each test, so that tests can share a bus."""
    return f"agent-{next(_numbers)}"


MakeClient = Callable[..., AgentClient]


@pytest.fixture
def make_client(agent_id: str, tmp_path: Path) -> Iterator[MakeClient]:
    """Makes clients of the test's agent on one spool; all are closed in the end."""
    made: list[AgentClient] = []

    def make(bus: UsageBus, agent: str = agent_id, **options: object) -> AgentClient:
        settings = {
            "nats_url": bus.url,
            "credentials": bus.credential(agent),
            "spool": tmp_path / "spool",
        }
        client = AgentClient(**(settings | options))  # type: ignore[arg-type]
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0)

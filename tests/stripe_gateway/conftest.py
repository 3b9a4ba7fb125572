"""stripe_gateway and the sandbox as processes on a bus of their own, and a customer's hands."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.stripe_gateway.app import service
from shared.bus import Bus
from tests.installation import bus, servers, stack
from tests.stack import Stack
from tests.stripe_gateway.processes import Edge, Gateway
from tests.stripe_gateway.shop import Shop
from tests.stripe_sandbox.running import Running, start_sandbox


@pytest.fixture(scope="session")
async def edge(bus: Bus) -> AsyncIterator[Edge]:
    """Where Stripe's webhooks arrive."""
    running = Edge(bus)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(scope="session")
def sandbox(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Stripe."""
    home: Path = tmp_path_factory.mktemp("stripe")
    running = start_sandbox(home, edge.url)
    running.control("settings", webhook_retry_seconds="0.2")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(
    stack: Stack, sandbox: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """stripe_gateway."""
    log = tmp_path_factory.mktemp("stripe_gateway") / "log"
    running = Gateway(stack, sandbox.url, log)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
async def whole_shop(
    bus: Bus, stack: Stack, sandbox: Running, gateway: Gateway, edge: Edge
) -> AsyncIterator[Shop]:
    """One for the whole session."""
    account_bus = await stack.bus("account")
    database = stack.database("stripe_gateway")
    client = sandbox.client()
    shop = Shop(bus, account_bus, sandbox, gateway, edge, database, client, stack.servers.admin_dsn)
    heard = await bus.connection.subscribe("event.stripe_gateway.>", cb=shop.facts.hear)
    yield shop
    await heard.unsubscribe()
    await sandbox.close_client(client)
    await database.close()
    await account_bus.close()


@pytest.fixture
def shop(whole_shop: Shop, sandbox: Running) -> Iterator[Shop]:
    """With no faults left from another test, and a process that runs."""
    yield whole_shop
    whole_shop.patience_seconds = 3.0
    sandbox.control("faults/clear")
    if not whole_shop.gateway.alive:
        whole_shop.gateway.start()


@pytest.fixture
async def impatient(stack: Stack) -> AsyncIterator[None]:
    """Deliver again after a second what a dead process has not acknowledged."""
    bus = await stack.bus("topology")
    for seconds in (1.0, None):
        for durable in service.durables:
            config = durable.config()
            config.ack_wait = seconds or config.ack_wait
            await bus.connection.jetstream().add_consumer(durable.stream, config)
        if seconds:
            yield
    await bus.close()

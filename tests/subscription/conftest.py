"""Two replicas of subscription on servers of their own, between neighbours that a test scripts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.subscription.app import service as subscription
from services.subscription.settings import SubscriptionSettings
from shared.bus import Bus
from shared.clock import FixedClock
from shared.database import Database
from shared.runtime import Runtime
from tests.installation import bus, servers
from tests.servers import Servers
from tests.stack import Stack, build_stack
from tests.subscription.customer import Customer
from tests.subscription.neighbours import Neighbours


@pytest.fixture(scope="session")
async def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Subscription alone, with credentials for those it talks to."""
    built = await build_stack(servers, tmp_path_factory.mktemp("stack"), (subscription,))
    for neighbour in ("account", "stripe_gateway"):
        servers.keys.issue_service(neighbour, [], datetime.now(UTC))
    return built


@pytest.fixture(scope="session")
def settings(stack: Stack) -> SubscriptionSettings:
    """What the replicas are told."""
    given = stack.settings("subscription")
    return SubscriptionSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
    )


@pytest.fixture(scope="session")
def clock() -> FixedClock:
    """The time of both replicas; it only moves forward."""
    return FixedClock(datetime(2027, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
async def replicas(
    stack: Stack, settings: SubscriptionSettings, clock: FixedClock
) -> AsyncIterator[list[Runtime]]:
    """Two of them, as in production."""
    runtimes = [Runtime(subscription, settings, clock) for _ in range(2)]
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield runtimes
    for app in apps:
        await app.stop()


@pytest.fixture
async def neighbours(stack: Stack) -> AsyncIterator[Neighbours]:
    """Account and stripe_gateway, scripted."""
    scripted = await Neighbours.start(stack)
    yield scripted
    await scripted.stop()


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """Subscription's own, to look behind the answers."""
    connected = stack.database("subscription")
    yield connected
    await connected.close()


@pytest.fixture
async def customer(
    stack: Stack,
    bus: Bus,
    replicas: list[Runtime],
    neighbours: Neighbours,
    database: Database,
    clock: FixedClock,
) -> AsyncIterator[Customer]:
    """An organization of its own, whose counters are checked when its test is over."""
    name = f"org-{uuid4().hex[:12]}"
    found = Customer(stack, bus, neighbours, database, clock, name)
    await found.listen()
    yield found
    await found.check_counters()
    await found.close()


@pytest.fixture
async def alone(
    stack: Stack, bus: Bus, neighbours: Neighbours, database: Database
) -> AsyncIterator[Customer]:
    """A customer with two workflows' worth of credits, before any replica runs."""
    clock = FixedClock(datetime.now(UTC))
    found = Customer(stack, bus, neighbours, database, clock, f"org-{uuid4().hex[:12]}")
    neighbours.credit_cents[found.organization_id] = 2_000
    await found.listen()
    yield found
    await found.close()


@pytest.fixture(scope="module")
async def impatient(stack: Stack) -> AsyncIterator[None]:
    """Deliver again after a second what a dead process has not acknowledged."""
    await stack.redeliver_after(subscription, 1)
    yield
    await stack.redeliver_after(subscription, None)

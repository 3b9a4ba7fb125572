"""Customers of two running replicas of account, whose clock a test may move.

On servers of their own: elsewhere a real stripe_gateway runs, and here nobody else speaks.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from nats.js import JetStreamContext

from services.account.app import AccountSettings
from services.account.app import service as account
from shared.bus import Bus
from shared.clock import FixedClock
from shared.runtime import Runtime
from tests.account.customer import Customer
from tests.installation import bus, servers
from tests.servers import Servers
from tests.stack import Stack, build_stack


@pytest.fixture(scope="session")
async def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Account alone."""
    return await build_stack(servers, tmp_path_factory.mktemp("stack"), (account,))


@pytest.fixture(scope="session")
def clock() -> FixedClock:
    """The time of all replicas; it only moves forward."""
    return FixedClock(datetime(2027, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
async def replicas(stack: Stack, clock: FixedClock) -> AsyncIterator[list[Runtime]]:
    """Two of them, as in production; a module that kills its own processes does not ask."""
    given = stack.settings("account")
    settings = AccountSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
    )
    runtimes = [Runtime(account, settings, clock) for _ in range(2)]
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield runtimes
    for app in apps:
        await app.stop()


@pytest.fixture(scope="session")
async def publishers(stack: Stack) -> AsyncIterator[Mapping[str, JetStreamContext]]:
    """Who tells what account hears: each its own facts."""
    connected = {}
    for owner in ("stripe_gateway", "subscription", "invoicing"):
        if not stack.servers.keys.credentials_file(owner).exists():
            stack.servers.keys.issue_service(owner, [], datetime.now(UTC))
        connected[owner] = await stack.bus(owner)
    yield {owner: each.connection.jetstream() for owner, each in connected.items()}
    for each in connected.values():
        await each.close()


@pytest.fixture(scope="session")
async def topology(stack: Stack) -> AsyncIterator[JetStreamContext]:
    """The bus as a deployment sees it, to ask how much waits."""
    connected = await stack.bus("topology")
    yield connected.connection.jetstream()
    await connected.close()


@pytest.fixture
async def quiet_customer(
    stack: Stack,
    bus: Bus,
    publishers: Mapping[str, JetStreamContext],
    topology: JetStreamContext,
    clock: FixedClock,
) -> Customer:
    """An organization of its own; nothing runs unless the test starts it."""
    customer = Customer(stack, bus, publishers, topology, clock, f"org-{uuid4().hex[:12]}")
    await customer.listen()
    return customer


@pytest.fixture
async def customer(replicas: list[Runtime], quiet_customer: Customer) -> AsyncIterator[Customer]:
    """An organization of its own, whose invariants are checked when its test is over."""
    yield quiet_customer
    await quiet_customer.check()

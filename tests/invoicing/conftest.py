"""Two replicas of invoicing and a real account, on one clock that a test may move.

On servers of their own: elsewhere services run whose clock is another one.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.account.app import service as account
from services.invoicing.app import service as invoicing
from shared.bus import Bus
from shared.clock import FixedClock
from shared.runtime import Runtime
from tests.installation import bus, servers, stack
from tests.invoicing.customer import Customer, World
from tests.stack import Stack


@pytest.fixture(scope="session")
def clock() -> FixedClock:
    """The time of all replicas; it only moves forward."""
    return FixedClock(datetime(2027, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
async def world(stack: Stack, bus: Bus, clock: FixedClock) -> AsyncIterator[World]:
    """What customers share."""
    shared = World(stack, bus, clock)
    yield shared
    await shared.close()


@pytest.fixture(scope="module")
async def bank(stack: Stack, clock: FixedClock) -> AsyncIterator[Runtime]:
    """A running account."""
    runtime = Runtime(account, stack.settings("account"), clock)
    app = runtime.app()
    await app.start()
    yield runtime
    await app.stop()


@pytest.fixture(scope="module")
async def replicas(stack: Stack, bank: Runtime, clock: FixedClock) -> AsyncIterator[list[Runtime]]:
    """Two of them, as in production."""
    runtimes = [Runtime(invoicing, stack.settings("invoicing"), clock) for _ in range(2)]
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield runtimes
    for app in apps:
        await app.stop()


@pytest.fixture
async def customer(world: World, replicas: list[Runtime]) -> AsyncIterator[Customer]:
    """An organization of its own, whose invariants are checked when its test is over."""
    found = Customer(world, f"org-{uuid4().hex[:12]}")
    await found.listen()
    yield found
    await found.check()

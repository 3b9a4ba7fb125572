"""A customer of a running meter."""

from collections.abc import AsyncIterator

import pytest
from nats.js import JetStreamContext

from shared.bus import Bus
from shared.runtime import Runtime
from tests.cost_metering.customer import Customer
from tests.stack import Stack


@pytest.fixture(scope="session")
async def jetstream(stack: Stack) -> AsyncIterator[JetStreamContext]:
    """The bus as a deployment sees it, to ask how much waits."""
    topology = await stack.bus("topology")
    yield topology.connection.jetstream()
    await topology.close()


@pytest.fixture
async def customer(
    stack: Stack, meter: Runtime, bus: Bus, organization: str, jetstream: JetStreamContext
) -> AsyncIterator[Customer]:
    """An organization of its own, whose agents reach the meter."""
    found = Customer(stack, bus, organization, jetstream)
    yield found
    await found.close()

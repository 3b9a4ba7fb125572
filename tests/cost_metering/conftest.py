"""Customers of a running meter."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from nats.js import JetStreamContext

from services.cost_metering.app import service as cost_metering
from shared.bus import Bus
from shared.runtime import Runtime
from tests.cost_metering.customer import Customer
from tests.stack import Stack


@pytest.fixture(scope="session")
async def meter(stack: Stack) -> AsyncIterator[Runtime]:
    """A running cost_metering."""
    async with stack.running(cost_metering) as runtime:
        yield runtime


@pytest.fixture(scope="session")
async def jetstream(stack: Stack) -> AsyncIterator[JetStreamContext]:
    """The bus as a deployment sees it, to ask how much waits."""
    topology = await stack.bus("topology")
    yield topology.connection.jetstream()
    await topology.close()


@pytest.fixture
async def customers(
    stack: Stack, meter: Runtime, bus: Bus, jetstream: JetStreamContext
) -> AsyncIterator[list[Customer]]:
    """Organizations of their own, whose agents reach the meter."""
    names = [f"org-{uuid4().hex[:12]}" for _ in range(6)]
    found = [Customer(stack, bus, name, jetstream) for name in names]
    yield found
    for each in found:
        await each.aclose()


@pytest.fixture
def customer(customers: list[Customer]) -> Customer:
    """One of them."""
    return customers[0]


@pytest.fixture
def other_customer(customers: list[Customer]) -> Customer:
    """Another one."""
    return customers[1]

"""A running sandbox, the real Stripe client pointed at it, and somebody who receives webhooks."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import stripe

from tests.servers import free_port
from tests.stripe_sandbox.running import Running, Webhooks, start_sandbox


@pytest.fixture(scope="session")
async def webhooks() -> AsyncIterator[Webhooks]:
    """Who receives the sandbox's webhooks."""
    receiver = Webhooks(free_port())
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture(scope="session")
def sandbox(webhooks: Webhooks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sandbox as its own process."""
    home: Path = tmp_path_factory.mktemp("stripe_sandbox")
    running = start_sandbox(home, webhooks.url)
    yield running
    running.stop()


@pytest.fixture(scope="session")
async def client(sandbox: Running) -> AsyncIterator[stripe.StripeClient]:
    """The real SDK; every answer it gets is held against its own types."""
    made = sandbox.client()
    yield made
    await sandbox.close_client(made)


@pytest.fixture(scope="session")
def browser(sandbox: Running) -> Iterator[httpx.Client]:
    """Somebody who follows links and fills in forms, without any key."""
    with sandbox.browser() as made:
        yield made


@pytest.fixture(autouse=True)
def no_faults_left(sandbox: Running) -> Iterator[None]:
    """A test's faults end with it."""
    yield
    sandbox.control("faults/clear")

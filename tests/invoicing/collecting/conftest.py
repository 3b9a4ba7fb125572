"""Two replicas of invoicing on servers of their own, beside a scripted stripe_gateway."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.invoicing.app import service as invoicing
from services.invoicing.settings import InvoicingSettings
from shared.bus import Bus
from shared.clock import FixedClock
from shared.runtime import Runtime
from tests.installation import bus, servers
from tests.invoicing.collecting.debtor import Debtor
from tests.invoicing.collecting.scripted_stripe import ScriptedStripe
from tests.servers import Servers
from tests.stack import Stack, build_stack


@pytest.fixture(scope="session")
async def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Invoicing alone, with credentials for those it talks to."""
    built = await build_stack(servers, tmp_path_factory.mktemp("stack"), (invoicing,))
    for neighbour in ("account", "stripe_gateway"):
        servers.keys.issue_service(neighbour, [], datetime.now(UTC))
    return built


@pytest.fixture(scope="session")
def clock() -> FixedClock:
    """The time of both replicas; it only moves forward."""
    return FixedClock(datetime(2027, 1, 15, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def settings(stack: Stack) -> InvoicingSettings:
    """What the replicas are told."""
    given = stack.settings("invoicing")
    return InvoicingSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
    )


@pytest.fixture(scope="module")
async def replicas(settings: InvoicingSettings, clock: FixedClock) -> AsyncIterator[list[Runtime]]:
    """Two of them, as in production."""
    runtimes = [Runtime(invoicing, settings, clock) for _ in range(2)]
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield runtimes
    for app in apps:
        await app.stop()


@pytest.fixture
async def stripe(stack: Stack, clock: FixedClock) -> AsyncIterator[ScriptedStripe]:
    """stripe_gateway, scripted."""
    scripted = await ScriptedStripe.start(stack, clock)
    yield scripted
    await scripted.stop()


@pytest.fixture
async def debtor(
    stack: Stack, bus: Bus, stripe: ScriptedStripe, clock: FixedClock, replicas: list[Runtime]
) -> Debtor:
    """An organization of its own, with a card that pays and auto-billing off."""
    found = Debtor(stack, bus, stripe, clock, f"org-{uuid4().hex[:12]}")
    await found.listen()
    await found.settings()
    await found.set_card("pm_good")
    return found

"""The owners and two auditors in this process, on servers of their own.

What is seeded wrong here would alarm the auditor of others.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.account.app import AccountSettings
from services.account.app import service as account
from services.auditor.app import service as auditor
from services.auditor.settings import AuditorSettings
from services.cost_metering.app import service as cost_metering
from services.invoicing.app import service as invoicing
from services.invoicing.settings import InvoicingSettings
from services.stripe_gateway.app import service as stripe_gateway
from services.stripe_gateway.settings import StripeSettings
from services.subscription.app import service as subscription
from services.subscription.settings import SubscriptionSettings
from shared.bus import Bus
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from tests.auditor.house import QUICK, House, Organization, Owners
from tests.installation import bus, servers, stack
from tests.stack import Stack
from tests.stripe_sandbox.running import PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET, start_sandbox

OWNERS = (account, cost_metering, invoicing, stripe_gateway, subscription)
STRIPE = {
    "stripe_secret_key": SECRET_KEY,
    "stripe_publishable_key": PUBLISHABLE_KEY,
    "stripe_webhook_secret": WEBHOOK_SECRET,
}
NOWHERE = "http://127.0.0.1:9/webhooks"


def settings_of(stack: Stack, service: Service, **stripe: str) -> ServiceSettings:
    """What a service is told here."""
    given = stack.settings(service.name)
    own: dict[str, tuple[type[ServiceSettings], dict[str, Any]]] = {
        "auditor": (AuditorSettings, QUICK),
        "account": (AccountSettings, {}),
        "invoicing": (InvoicingSettings, {}),
        "stripe_gateway": (StripeSettings, STRIPE | stripe),
        "subscription": (SubscriptionSettings, {}),
    }
    kind, more = own.get(service.name, (ServiceSettings, {}))
    return kind(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
        **more,
    )


@pytest.fixture(scope="session")
async def owners(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Owners]:
    """Those whose numbers are compared; money that moved is written down by the tests."""
    sandbox = start_sandbox(tmp_path_factory.mktemp("stripe"), NOWHERE)
    running = Owners()
    for service in OWNERS:
        settings = settings_of(stack, service, stripe_api_base=sandbox.url)
        await running.start(Runtime(service, settings))
    yield running
    for name in list(running.apps):
        await running.stop(name)
    sandbox.stop()


@pytest.fixture(scope="module")
async def auditors(stack: Stack, owners: Owners) -> AsyncIterator[list[Runtime]]:
    """Two of them, as in production."""
    runtimes = [Runtime(auditor, settings_of(stack, auditor)) for _ in range(2)]
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield runtimes
    for app in apps:
        await app.stop()


@pytest.fixture(scope="session")
async def quiet_house(stack: Stack, owners: Owners, bus: Bus) -> AsyncIterator[House]:
    """All owners at hand, and no auditor unless a test starts one."""
    house = House(stack, owners, bus)
    await house.listen()
    yield house
    await house.close()


@pytest.fixture
def house(quiet_house: House, auditors: list[Runtime]) -> House:
    """All owners at hand, audited."""
    return quiet_house


@pytest.fixture
async def organization(house: House) -> AsyncIterator[Organization]:
    """One with credits, a hold, workflows, costs, money and usage, in which all agrees."""
    found = await house.settled(f"org-{uuid4().hex[:12]}")
    yield found
    await found.close()


@pytest.fixture(scope="module")
async def bystander(quiet_house: House) -> AsyncIterator[Organization]:
    """Another one, that nothing happens to."""
    found = await quiet_house.settled(f"org-{uuid4().hex[:12]}")
    yield found
    await found.close()

"""Account, subscription, stripe_gateway, invoicing and a Stripe sandbox, to be killed at work."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.account.app import service as account
from services.invoicing.app import service as invoicing
from services.stripe_gateway.app import service as stripe_gateway
from services.subscription.app import service as subscription
from shared.bus import Bus
from tests.chaos.ground import Ground, ground
from tests.processes import Hatched
from tests.stripe_gateway.processes import FRONTEND, Edge
from tests.stripe_sandbox.running import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    Running,
    start_sandbox,
)

SERVICES = (account, subscription, stripe_gateway, invoicing)


@dataclass
class Firm:
    """The whole business on one ground. Stripe itself is never killed: it is not ours."""

    ground: Ground
    bus: Bus
    edge: Edge
    sandbox: Running

    async def open(self) -> None:
        """Start every service."""
        for service in SERVICES:
            await self.ground.start(service.name, 1, Hatched, **self._stripe(service.name))

    def _stripe(self, name: str) -> dict[str, str]:
        if name != stripe_gateway.name:
            return {}
        return {
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_BASE": self.sandbox.url,
            "STRIPE_FRONTEND_URL": FRONTEND,
            "STRIPE_TIMEOUT_SECONDS": "2",
            "STRIPE_RECONCILE_SECONDS": "10",
        }


@asynccontextmanager
async def firm() -> AsyncIterator[Firm]:
    """A firm that leaves nothing behind."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    async with ground(*SERVICES) as found, found.gateway() as bus:
        edge = Edge(bus)
        await edge.start()
        sandbox = start_sandbox(found.folder / "sandbox", edge.url)
        sandbox.control("settings", webhook_retry_seconds="0.2")
        try:
            place = Firm(found, bus, edge, sandbox)
            await place.open()
            yield place
        finally:
            sandbox.stop()
            await edge.stop()

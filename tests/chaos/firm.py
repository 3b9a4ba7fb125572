"""Every service, a gateway for Stripe's webhooks and a Stripe sandbox, to be killed at work."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.auditor.app import service as auditor
from services.stripe_gateway.app import service as stripe_gateway
from shared.bus import Bus
from tests.chaos.ground import Ground, ground
from tests.processes import Deployed, Hatched
from tests.servers import free_port
from tests.stack import SERVICES
from tests.stripe_gateway.processes import FRONTEND
from tests.stripe_sandbox.running import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    Running,
    start_sandbox,
)

AUTH_SECRET = "a secret that is long enough for a test"
STRIPE = {
    "STRIPE_SECRET_KEY": SECRET_KEY,
    "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "STRIPE_FRONTEND_URL": FRONTEND,
    "STRIPE_TIMEOUT_SECONDS": "2",
    "STRIPE_RECONCILE_SECONDS": "10",
}
# Looks all the time, and yet is patient enough for a transaction of a process that was paused.
AUDIT = {"AUDIT_SECONDS": "1", "AUDIT_AGAIN_SECONDS": "1", "AUDIT_SETTLE_SECONDS": "5"}


@dataclass
class Firm:
    """The whole business on one ground. Stripe itself is never killed: it is not ours."""

    ground: Ground
    bus: Bus
    sandbox: Running
    gateway_port: int

    async def open(self) -> None:
        """Start every service, and the gateway that hears Stripe."""
        told: dict[str, dict[str, str]] = {
            stripe_gateway.name: {**STRIPE, "STRIPE_API_BASE": self.sandbox.url},
            auditor.name: AUDIT,
        }
        for service in SERVICES:
            await self.ground.start(service.name, 1, Hatched, **told.get(service.name, {}))
        port = str(self.gateway_port)
        await self.ground.start("gateway", 1, Deployed, HTTP_PORT=port, AUTH_SECRET=AUTH_SECRET)


@asynccontextmanager
async def firm() -> AsyncIterator[Firm]:
    """A firm that leaves nothing behind."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    async with ground(*SERVICES) as found, found.gateway() as bus:
        port = free_port()
        webhooks = f"http://127.0.0.1:{port}/api/billing/webhooks/stripe"
        sandbox = start_sandbox(found.folder / "sandbox", webhooks)
        sandbox.control("settings", webhook_retry_seconds="0.2")
        try:
            place = Firm(found, bus, sandbox, port)
            await place.open()
            yield place
        finally:
            sandbox.stop()

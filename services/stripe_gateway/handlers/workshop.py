"""What handlers hold while the service runs: the connection to Stripe, and one lane a customer."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.stripe_gateway.settings import StripeSettings
from services.stripe_gateway.store.customers import Who, find_customer
from services.stripe_gateway.store.leases import give_back, take_lease
from services.stripe_gateway.stripe_api import Mark, StripeApi
from services.stripe_gateway.stripe_api.customers import create_customer
from shared.database import Database

# Who waits longer for a customer's lane steps back and comes again.
LANE_PATIENCE_SECONDS = 8.0
LANE_POLL_SECONDS = 0.1


class LaneBusy(Exception):
    """Somebody else works on this customer; it passes."""


class Overtaken(Exception):
    """Our lease ran out before we had written down what we saw: look again."""


class Workshop:
    """Opened once by the process, before anything is handled."""

    api: StripeApi
    database: Database
    settings: StripeSettings

    @asynccontextmanager
    async def open(self, database: Database, settings: StripeSettings) -> AsyncIterator[None]:
        """Be ready until the process ends."""
        self.database, self.settings = database, settings
        self.api = StripeApi(settings, database.clock)
        try:
            yield
        finally:
            await self.api.close()

    async def customer_id(self, who: Who) -> str:
        """The customer at Stripe, made if need be: whoever asks makes the same one."""
        if who.stripe_customer_id is not None:
            return who.stripe_customer_id
        async with self.database.read() as db:
            current = await find_customer(db, who.organization_id)
        if current and current.generation == who.generation and current.stripe_customer_id:
            return current.stripe_customer_id
        mark = Mark(local_id=who.local_id, begun_at=who.expected_since)
        made = await create_customer(self.api, mark, who.organization_id, who.billing_account_id)
        return made.id

    @asynccontextmanager
    async def lane(self, name: str) -> AsyncIterator[int]:
        """Work on a customer alone. The lease outlives a success: who writes gives it back.

        Raises LaneBusy.
        """
        fence = await self._take(name)
        try:
            yield fence
        except BaseException:
            async with self.database.transaction() as db:
                await give_back(db, name, fence)
            raise

    async def _take(self, name: str) -> int:
        try:
            async with asyncio.timeout(LANE_PATIENCE_SECONDS):
                while True:
                    async with self.database.transaction() as db:
                        fence = await take_lease(db, name)
                    if fence is not None:
                        return fence
                    await asyncio.sleep(LANE_POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
        except TimeoutError:
            raise LaneBusy(name) from None

"""Somebody with a plan: what its page and its platform do, and what it was really charged."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import stripe

from deploy.time_machine import TimeMachine
from tests.journeys.browser import Browser
from tests.journeys.buy_credits import Shop
from tests.journeys.system import System
from tests.stack import until

BUYER = {"email": "buyer@example.com", "name": "A Buyer"}
# Stripe makes a renewal's invoice, and collects it an hour later.
COLLECTED = timedelta(hours=1, minutes=1)


class Subscriber:
    """An organization, from its first visit on."""

    def __init__(
        self,
        system: System,
        organization: str,
        http: httpx.AsyncClient,
        platform: httpx.AsyncClient,
        machine: TimeMachine,
    ) -> None:
        self.system = system
        self.organization = organization
        self.machine = machine
        self.customer_id = ""
        self._http = http
        self._platform = platform
        self._path = f"/api/billing/account/{organization}"
        self._shop = Shop(http, organization)

    async def arrive(self) -> None:
        """Visit the page for the first time."""
        account = await self._shop.wait(lambda found: found["stripe_customer_id"] is not None)
        self.customer_id = account["stripe_customer_id"]

    async def account(self) -> Any:
        """The account as the page has it."""
        return await self._shop.get()

    async def plan(self) -> Any:
        """The subscription as the page has it."""
        return await self._shop.get("/subscription")

    async def plan_when(self, satisfied: Callable[[Any], bool]) -> Any:
        """The subscription, once it is as wished."""
        return await until(self.plan, satisfied)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        """Ask something of the gateway, which may say no."""
        return await self._http.post(f"{self._path}{path}", json=body or None)

    async def done(self, path: str, **body: Any) -> Any:
        """Ask something of the gateway, which does it."""
        answer = await self.post(path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def open_page(self, tier: str) -> str:
        """A hosted page that sells a plan."""
        path = "/lifetime/checkout" if tier == "lifetime" else "/subscription/checkout"
        body = {} if tier == "lifetime" else {"tier": tier}
        page: str = (await self.done(path, **body))["checkout_url"]
        return page

    async def subscribe(self, tier: str, card: str = "visa") -> Any:
        """Buy a plan on the hosted page; answers it when it runs and its money is told."""
        await pay(await self.open_page(tier), card)
        await self.machine.settle()
        return await self.plan_when(lambda found: found["tier"] == tier)

    async def use_card(self, token: str) -> None:
        """Pay with another card from now on."""
        await self.done("/payment-method", payment_method_id=token)

    async def travel(self, to: datetime) -> None:
        """Let time pass for everybody."""
        await self.machine.travel(to)

    async def to_renewal(self) -> datetime:
        """Let the period end, and the next one be paid; answers when the last one ended."""
        end = period_end(await self.plan())
        await self.travel(end + COLLECTED)
        return end

    async def run(self, number: int) -> None:
        """Run workflows that succeed."""
        for _ in range(number):
            reserved = await self._platform.post(
                f"{self._path}/workflows/reserve", json={"workflow_id": uuid4().hex}
            )
            assert reserved.status_code == 200, reserved.text
            done = f"{self._path}/workflows/{reserved.json()['id']}/complete"
            assert (await self._platform.post(done)).status_code == 200

    async def reserve(self) -> httpx.Response:
        """Ask whether a workflow may run."""
        body = {"workflow_id": uuid4().hex}
        return await self._platform.post(f"{self._path}/workflows/reserve", json=body)

    def money(self) -> list[int]:
        """What was really charged (+) and given back (-), in cents, oldest first."""
        entries = self.system.sandbox.ledger(customer=self.customer_id)["entries"]
        return [each["amount"] for each in entries if each["amount"]]

    async def charged_and_refunded(self) -> list[tuple[int, int]]:
        """What the invoices of its page say was paid and given back, in cents."""
        found = await self._shop.get("/invoices")
        return sorted(
            (cents(each["amount_paid"]), cents(each["amount_refunded"])) for each in found
        )

    async def at_stripe(self) -> list[Any]:
        """All subscriptions that Stripe has of this customer, newest first."""
        async with self.stripe() as client:
            found = await client.v1.subscriptions.list_async(
                {"customer": self.customer_id, "status": "all"}
            )
            return list(found.data)

    @asynccontextmanager
    async def stripe(self) -> AsyncIterator[stripe.StripeClient]:
        """Stripe's own side: what its dashboard or support might do."""
        client = self.system.sandbox.client()
        try:
            yield client
        finally:
            await self.system.sandbox.close_client(client)

    async def leave(self) -> None:
        """End whatever runs, so that the next journey's years are nobody else's."""
        async with self.stripe() as client:
            for each in await self.at_stripe():
                if each.status not in {"canceled", "incomplete_expired"}:
                    await client.v1.subscriptions.cancel_async(each.id)


def period_start(plan: Any) -> datetime:
    """When the period of a plan began."""
    return datetime.fromisoformat(plan["current_period_start"])


def period_end(plan: Any) -> datetime:
    """When the period of a plan ends."""
    return datetime.fromisoformat(plan["current_period_end"])


def cents(dollars: float) -> int:
    """What the page shows, as money is counted."""
    return round(dollars * 100)


async def pay(checkout_url: str, card: str = "visa") -> str:
    """Pay on a hosted page; answers where the browser is then."""
    async with Browser() as browser:
        await browser.open(checkout_url)
        await browser.submit(card=card, **BUYER)
        return browser.address


@asynccontextmanager
async def subscriber(system: System, organization: str) -> AsyncIterator[Subscriber]:
    """Somebody new, who is gone in the end."""
    async with (
        system.http(organization) as http,
        system.platform() as platform,
        system.time_machine() as machine,
    ):
        made = Subscriber(system, organization, http, platform, machine)
        await made.arrive()
        try:
            yield made
        finally:
            await made.leave()

"""An organization that has all that a customer may have: card, plan, credits, runs, invoices.

Everything goes the way a customer's would: through the gateway, and the sandbox's own pages.
"""

import asyncio
from typing import Any

import httpx
from rich.console import Console

from deploy.demo.api import Api
from shared.clock import new_id

CARD = "pm_card_visa"
TIER = "pro"
FIRST_CREDITS = 20
MORE_CREDITS = 45
BUYER = {
    "name": "Acme Robotics GmbH",
    "address": {
        "line1": "Torstraße 1",
        "city": "Berlin",
        "postal_code": "10119",
        "country": "DE",
    },
    "tax_id": "DE123456789",
}
# Beyond plan and free workflows: on credits, and then on the card.
ON_CREDITS = 2
BILLED_FIRST = 3
BILLED_NEXT = 4
STORAGE_BYTES = 21 * 1024**3
AGENTS_IN_USE = 3
AT_ONCE = 8


async def furnish(http: httpx.AsyncClient, organization_id: str, console: Console) -> None:
    """Give an organization everything once; what is there already stays as it is."""
    api = Api(http, organization_id)
    if (await api.billing("GET", "/config"))["stripe_js_url"] is None:
        console.print("Stripe's own keys are set, so nothing is bought.")
        return
    has = (await api.get("/subscription"))["tier"]
    if has not in {"free", TIER} or any(
        each["kind"] == "usage" for each in await api.get("/invoices")
    ):
        console.print(f"{organization_id} is a customer already, and left as it is.")
        return
    await open_account(api, has_plan=has == TIER)
    console.print(f"{organization_id} has a card and the {TIER} plan.")
    usage = await api.get("/usage-summary")
    included = usage["workflows_remaining"] + usage["free_workflows_remaining"]
    first = await bill(api, included, ON_CREDITS + BILLED_FIRST)
    await api.billing("POST", f"/invoices/{first['id']}/pay")
    await bill(api, 0, BILLED_NEXT)
    await buy(api, "/credits/checkout", {"amount_usd": MORE_CREDITS})
    await run(api, ON_CREDITS)
    ran = included + ON_CREDITS + BILLED_FIRST + BILLED_NEXT + ON_CREDITS
    console.print(f"{ran} workflows ran: one invoice is paid, one is open, credits are left.")


async def open_account(api: Api, *, has_plan: bool) -> None:
    """Name the buyer, save a card, subscribe, buy credits, report what is in use."""
    await api.patch({"billing_email": "billing@acme.example", "buyer": BUYER})
    await api.post("/payment-method", {"payment_method_id": CARD})
    if not has_plan:
        await buy(api, "/subscription/checkout", {"tier": TIER})
    await api.until(lambda found: found["tier"] == TIER, "/subscription")
    await buy(api, "/credits/checkout", {"amount_usd": FIRST_CREDITS})
    await api.post("/storage", {"storage_bytes": STORAGE_BYTES})
    await api.post("/agents", {"agents_in_use": AGENTS_IN_USE})


async def buy(api: Api, path: str, order: Any) -> None:
    """Open a hosted page, pay on it as a person would, and wait until that is known."""
    page = await api.post(path, order)
    form = {"card": "visa", "email": "billing@acme.example", "name": "A. Buyer"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
        paid = await browser.post(page["checkout_url"], data=form)
    if not paid.has_redirect_location:
        paid.raise_for_status()
    await api.until(lambda found: found["status"] == "complete", f"/checkout/{page['session_id']}")


async def bill(api: Api, included: int, beyond: int) -> Any:
    """Run workflows, those beyond plan and free ones for money, and invoice these.

    The card is behind them while they run, and not charged by itself afterwards: the invoice
    stays open until somebody pays it.
    """
    await api.patch({"auto_billing_enabled": True})
    await run(api, included + beyond)
    await api.patch({"auto_billing_enabled": False})
    await api.until(lambda found: len(found) == beyond, "/usage", billed=False)
    return await api.post("/invoices/generate")


async def run(api: Api, workflows: int) -> None:
    """Reserve and complete workflows, a few at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            body = {"workflow_id": f"demo-{new_id()}", "ticket_id": f"DEMO-{number // 10 + 1}"}
            reserved = await api.post("/workflows/reserve", body)
            await api.post(f"/workflows/{reserved['id']}/complete")

    await asyncio.gather(*(one(number) for number in range(workflows)))

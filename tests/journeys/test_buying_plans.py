"""Buying plans, from the page to the quota: every process real, the buyer's browser too."""

from typing import Any

import httpx

from tests.journeys.browser import Browser
from tests.journeys.subscriber import BUYER, pay, subscriber
from tests.journeys.system import System
from tests.journeys.test_buying_credits import charged
from tests.stack import until


async def buy(http: httpx.AsyncClient, path: str, **body: Any) -> str:
    """Buy on the hosted page; answers the session."""
    answer = await http.post(f"{path}/checkout", json=body)
    assert answer.status_code == 200, answer.text
    await pay(answer.json()["checkout_url"])
    session: str = answer.json()["session_id"]
    return session


async def test_a_paid_pro_plan_has_its_limits(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}/subscription"
    async with system.shop(organization) as shop, system.http(organization) as http:
        first = await shop.wait(lambda found: found["stripe_customer_id"] is not None)
        free = await shop.get("/subscription")
        await buy(http, path, tier="pro")
        plan = await shop.wait(lambda found: found["tier"] == "pro", "/subscription")
        account = await shop.wait(lambda found: found["total_amount_spent"] > 0)
        again = await http.post(f"{path}/checkout", json={"tier": "pro"})

    assert (first["free_workflows_remaining"], free["tier"], free["workflows_limit"]) == (
        5,
        "free",
        5,
    )
    assert free["billing_account_id"] == plan["billing_account_id"] == account["id"]
    assert (plan["workflows_limit"], plan["agents_limit"], plan["storage_limit_gb"]) == (100, 5, 50)
    assert (plan["status"], plan["is_lifetime"], plan["workflows_remaining"]) == (
        "active",
        False,
        100,
    )
    assert charged(system, account["stripe_customer_id"]) == [7900]
    assert (account["total_amount_spent"], account["status"]) == (79.0, "active")
    assert again.status_code == 409


async def test_a_lifetime_is_bought_once(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}/lifetime"
    async with system.shop(organization) as shop, system.http(organization) as http:
        await shop.wait(lambda found: found["stripe_customer_id"] is not None)
        await buy(http, path)
        plan = await shop.wait(lambda found: found["is_lifetime"], "/subscription")
        account = await shop.wait(lambda found: found["total_amount_spent"] > 0)
        again = await http.post(f"{path}/checkout")

    assert (plan["tier"], plan["lifetime_purchase_amount"]) == ("lifetime", 499.0)
    assert plan["current_period_end"] is None
    assert charged(system, account["stripe_customer_id"]) == [49_900]
    assert account["credit_balance"] == 0
    assert (again.status_code, again.json()["status_code"]) == (409, 409)


async def test_a_plan_is_canceled_and_taken_back(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}/subscription"
    async with system.shop(organization) as shop, system.http(organization) as http:
        await shop.wait(lambda found: found["stripe_customer_id"] is not None)
        none = await http.post(f"{path}/cancel")
        await buy(http, path, tier="starter")
        await shop.wait(lambda found: found["tier"] == "starter", "/subscription")
        canceled = await http.post(f"{path}/cancel")
        pending = await shop.wait(lambda found: found["cancel_at_period_end"], "/subscription")
        twice = await http.post(f"{path}/cancel")
        taken_back = await http.post(f"{path}/reactivate")
        running = await shop.wait(lambda found: not found["cancel_at_period_end"], "/subscription")

    assert (none.status_code, twice.status_code) == (404, 409)
    assert canceled.json() == {"status": "success", "message": "Subscription canceled"}
    assert pending["status"] == "active"
    assert taken_back.json() == {"status": "success", "message": "Subscription reactivated"}
    assert running["tier"] == "starter"


async def test_the_portal_opens_and_leads_back(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}/portal"
    async with system.shop(organization) as shop, system.http(organization) as http, Browser() as b:
        await shop.wait(lambda found: found["stripe_customer_id"] is not None)
        opened = await http.post(path)
        await b.open(opened.json()["portal_url"])

    assert b.address.startswith(system.sandbox.url)
    assert "http://localhost:3000/settings/billing" in b.page


async def test_a_plan_that_its_bank_allows_after_a_lifetime_was_paid_is_never_charged(
    system: System, organization: str
) -> None:
    async with subscriber(system, organization) as buyer, Browser() as first_tab:
        await first_tab.open(await buyer.open_page("pro"))
        await first_tab.submit(card="authenticationRequired", **BUYER)
        assert "/3ds/" in first_tab.address
        await buyer.plan_when(lambda found: found["status"] == "incomplete")
        await pay(await buyer.open_page("lifetime"))
        await buyer.plan_when(lambda found: found["is_lifetime"])

        async def at_stripe() -> list[str]:
            return [each.status for each in await buyer.at_stripe()]

        await until(at_stripe, lambda found: found == ["incomplete_expired"])
        await first_tab.submit()
        plan = await buyer.plan()

        assert (plan["tier"], plan["status"]) == ("lifetime", "active")
        assert buyer.money() == [49_900]

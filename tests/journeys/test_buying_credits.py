"""Buying credits, from the page to the balance: every process real, the buyer's browser too."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx

from tests.journeys.browser import Browser
from tests.journeys.buy_credits import Shop
from tests.journeys.system import FRONTEND, System
from tests.stack import until

BUYER = {"email": "buyer@example.com", "name": "A Buyer"}


def charged(system: System, customer_id: str) -> list[int]:
    """What the sandbox really took from a customer, by its own ledger, in cents."""
    entries = system.sandbox.ledger(kind="charge", customer=customer_id)["entries"]
    return [entry["amount"] for entry in entries]


async def pay(checkout_url: str, card: str = "visa") -> str:
    """Pay on the hosted page; answers where the browser is then."""
    async with Browser() as browser:
        await browser.open(checkout_url)
        await browser.submit(card=card, **BUYER)
        return browser.address


async def settled(shop: Shop, credit_balance: float) -> Any:
    """The account once it has so many credits."""
    return await shop.wait(lambda account: account["credit_balance"] == credit_balance)


async def test_credits_for_19_99_are_bought_on_the_hosted_page(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop:
        assert (await shop.get())["credit_balance"] == 0
        order = await shop.order("19.99")
        opened = await shop.get(f"/checkout/{order['session_id']}")
        back = await pay(order["checkout_url"])
        account = await settled(shop, 19.99)
        account = await shop.wait(lambda found: found["total_amount_spent"] > 0)
        entries = await shop.get("/credits")
        closed = await shop.get(f"/checkout/{order['session_id']}")

    assert back == f"{FRONTEND}/billing/success?session_id={order['session_id']}"
    assert (opened["status"], opened["amount"]) == ("open", 19.99)
    assert (closed["status"], closed["kind"]) == ("complete", "credits")
    assert charged(system, account["stripe_customer_id"]) == [1999]
    assert (account["credit_balance"], account["total_amount_spent"]) == (19.99, 19.99)
    assert [(each["kind"], each["amount"]) for each in entries] == [("granted", 19.99)]
    assert entries[0]["lot_kind"] == "purchased"


async def test_cents_are_never_lost(system: System, organization: str) -> None:
    amounts = ["0.50", "0.57", "1.10", "19.99", "999.99"]
    async with system.shop(organization) as shop:
        await shop.get()
        for amount in amounts:
            await pay((await shop.order(amount))["checkout_url"])
        account = await settled(shop, 1022.15)

    assert sorted(charged(system, account["stripe_customer_id"])) == [50, 57, 110, 1999, 99_999]


async def test_a_refused_amount_opens_no_page(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}/credits/checkout"
    async with system.http(organization) as http:
        for amount in ("0.49", "1000.01", "19.999", "-5", '"19.99"', "NaN"):
            answer = await http.post(path, content=f'{{"amount_usd": {amount}}}')
            assert answer.status_code in {400, 422}, answer.text
            assert answer.json()["detail"]
    client = system.sandbox.client()
    sessions = await client.v1.checkout.sessions.list_async({"limit": 100})
    await system.sandbox.close_client(client)

    assert organization not in {each.client_reference_id for each in sessions.data}


async def test_a_declined_card_grants_nothing_until_another_pays(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop, Browser() as browser:
        await shop.get()
        order = await shop.order("25")
        await browser.open(order["checkout_url"])
        await browser.submit(card="chargeDeclined", **BUYER)
        assert browser.forms, "the page lets the buyer try again"
        declined = await shop.get()
        await browser.submit(card="visa", **BUYER)
        paid = await settled(shop, 25.0)

    assert declined["credit_balance"] == 0
    assert charged(system, paid["stripe_customer_id"]) == [2500]


async def test_a_bank_that_asks_is_answered_before_anything_is_granted(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop, Browser() as browser:
        await shop.get()
        order = await shop.order("12.34")
        await browser.open(order["checkout_url"])
        await browser.submit(card="authenticationRequired", **BUYER)
        assert "/3ds/" in browser.address
        waiting = await shop.get()
        await browser.submit()
        account = await settled(shop, 12.34)

    assert waiting["credit_balance"] == 0
    assert charged(system, account["stripe_customer_id"]) == [1234]


async def test_a_page_that_is_paid_twice_charges_and_grants_once(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop:
        await shop.get()
        order = await shop.order("10")
        async with Browser() as first, Browser() as second:
            await first.open(order["checkout_url"])
            await second.open(order["checkout_url"])
            await asyncio.gather(
                first.submit(card="visa", **BUYER), second.submit(card="visa", **BUYER)
            )
            assert first.address == second.address
        account = await settled(shop, 10.0)
        entries = await shop.get("/credits")

    assert charged(system, account["stripe_customer_id"]) == [1000]
    assert len(entries) == 1


async def test_fifty_first_visits_open_one_account_with_one_customer(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop:
        accounts = await asyncio.gather(*(shop.get() for _ in range(50)))
        account = await shop.wait(lambda found: found["stripe_customer_id"] is not None)
    client = system.sandbox.client()
    customers = await client.v1.customers.list_async({"limit": 100})
    await system.sandbox.close_client(client)

    assert {each["id"] for each in accounts} == {account["id"]}
    ours = [each for each in customers.data if organization in str(each.to_dict())]
    assert [each.id for each in ours] == [account["stripe_customer_id"]]


async def test_what_is_paid_while_services_are_dead_arrives_later(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop:
        await shop.get()
        order = await shop.order("7.77")
        for name in ("account", "stripe_gateway"):
            system.processes[name].kill()
        await pay(order["checkout_url"])
        for name in ("account", "stripe_gateway"):
            system.processes[name].start()
        for name in ("account", "stripe_gateway"):
            system.processes[name].wait()
        await settled(shop, 7.77)
        # Killed while it made the customer, it goes on when the bus delivers again.
        account = await until(
            shop.get, lambda found: found["stripe_customer_id"] is not None, timeout_seconds=90
        )

    assert charged(system, account["stripe_customer_id"]) == [777]


async def test_another_organizations_checkout_is_not_there(
    system: System, organization: str
) -> None:
    other = f"{organization}-other"
    async with system.shop(organization) as shop, system.http(other) as stranger:
        await shop.get()
        order = await shop.order("5")
        session = order["session_id"]
        own = await stranger.get(f"/api/billing/account/{other}/checkout/{session}")
        foreign = await stranger.get(f"/api/billing/account/{organization}/checkout/{session}")

    assert (own.status_code, foreign.status_code) == (404, 404)


async def test_a_card_is_saved_made_default_and_removed(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}"
    async with system.shop(organization) as shop, system.http(organization) as http:
        await shop.get()
        await shop.wait(lambda found: found["stripe_customer_id"] is not None)

        async def attach(card: str) -> httpx.Response:
            return await http.post(f"{path}/payment-method", json={"payment_method_id": card})

        visa = (await attach("pm_card_visa")).json()
        mastercard = (await attach("pm_card_mastercard")).json()
        saved = await shop.get("/payment-methods")
        again = (await attach(visa["id"])).json()
        removed = await http.delete(f"{path}/payment-methods/{visa['id']}")
        left = await shop.get("/payment-methods")
        account = await shop.wait(lambda found: found["status"] == "active")

    assert (visa["card_brand"], mastercard["card_brand"]) == ("visa", "mastercard")
    assert [each["is_default"] for each in saved] == [True, False]
    assert saved[0]["id"] == mastercard["id"]
    assert (again["id"], again["is_default"]) == (visa["id"], True)
    assert removed.json() == {"status": "success", "message": "Payment method removed"}
    assert [(each["id"], each["is_default"]) for each in left] == [(mastercard["id"], True)]
    assert account["has_payment_method"] is True


async def test_a_page_that_listens_hears_of_the_purchase(system: System, organization: str) -> None:
    heard: dict[str, Any] = {}
    path = f"/api/billing/account/{organization}/events"
    async with system.shop(organization) as shop, system.http(organization) as http:
        await shop.get()
        order = await shop.order("19.99")
        async with http.stream("GET", path) as stream, asyncio.timeout(30):
            lines = stream.aiter_lines()
            await anext(lines)
            await pay(order["checkout_url"])
            kind = ""
            while not {"purchase_paid", "credits_changed"} <= set(heard):
                name, _, value = (await anext(lines)).partition(": ")
                kind = value if name == "event" else kind
                if name == "data":
                    heard[kind] = json.loads(value)

    assert heard["purchase_paid"]["session_id"] == order["session_id"]
    assert heard["credits_changed"]["credit_balance"] == 19.99


async def test_the_command_line_of_the_readme_buys(system: System, organization: str) -> None:
    command = [sys.executable, "-m", "tests.journeys.buy_credits", "19.99"]
    options = ["--organization", organization, "--address", system.url]
    token = ["--token", system.token(organization)]

    ended = await asyncio.to_thread(
        subprocess.run, [*command, *options, *token], capture_output=True, text=True, timeout=120
    )

    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "Balance   $0.00"
    assert lines[1].startswith(f"Checkout  {system.sandbox.url}/c/pay/cs_")
    assert lines[2].startswith(f"Paid      back at {FRONTEND}/billing/success?session_id=cs_")
    assert lines[3].startswith("Balance   $19.99 after ")

"""A Stripe that is slow, and what it costs those who need nothing of it."""

import asyncio
import time

from tests.journeys.system import System
from tests.journeys.test_buying_credits import charged, pay, settled

SLOW_SECONDS = 10.0
# A page is quick when it takes no more than this; the machine of a test may be busy.
QUICK_SECONDS = 2.0


async def test_a_stripe_that_takes_ten_seconds_delays_only_who_needs_it(
    system: System, organization: str
) -> None:
    other = f"{organization}-other"
    path = f"/api/billing/account/{other}"
    async with system.shop(organization) as buyer, system.http(other) as http:
        await buyer.wait(lambda found: found["stripe_customer_id"] is not None)
        target = "POST /v1/checkout/sessions"
        system.sandbox.control("faults", kind="slow", target=target, count=1, seconds=SLOW_SECONDS)
        began = time.monotonic()
        order = asyncio.create_task(buyer.order("5"))
        slowest, pages = 0.0, 0
        while not order.done():
            for page in ("", "/payment-methods", "/credits", "/subscription", "/usage-summary"):
                asked = time.monotonic()
                answer = await http.get(path + page)
                slowest, pages = max(slowest, time.monotonic() - asked), pages + 1
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(0.1)
        took = time.monotonic() - began

    assert (await order)["checkout_url"].startswith(system.sandbox.url)
    assert took >= SLOW_SECONDS
    assert slowest < QUICK_SECONDS, f"{slowest:.2f} s for the slowest of {pages} pages"


async def test_an_order_repeated_under_one_key_is_one_page_and_one_charge(
    system: System, organization: str
) -> None:
    async with system.shop(organization) as shop, system.http(organization) as http:
        await shop.wait(lambda found: found["stripe_customer_id"] is not None)
        key = {"Idempotency-Key": "the-same"}
        target = "POST /v1/checkout/sessions"
        system.sandbox.control("faults", kind="reset_after", target=target, count=1)
        first = await shop.order("8.88", **key)
        second = await shop.order("8.88", **key)
        path = f"/api/billing/account/{organization}/credits/checkout"
        changed = await http.post(path, json={"amount_usd": 9.99}, headers=key)
        await pay(first["checkout_url"])
        account = await settled(shop, 8.88)

    assert first == second
    assert (changed.status_code, changed.json()["code"]) == (409, "idempotency_key_reused")
    assert charged(system, account["stripe_customer_id"]) == [888]

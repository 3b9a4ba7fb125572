"""Buys credits as a person would: `python -m tests.journeys.buy_credits 19.99 --token TOKEN`."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.journeys.browser import Browser

PATIENCE_SECONDS = 30.0


class Shop:
    """The gateway, as the page of one organization uses it."""

    def __init__(self, http: httpx.AsyncClient, organization_id: str) -> None:
        self._http = http
        self._account = f"/api/billing/account/{organization_id}"

    async def get(self, path: str = "") -> Any:
        """What the account, or what belongs to it, looks like."""
        answer = await self._http.get(f"{self._account}{path}")
        answer.raise_for_status()
        return answer.json()

    async def order(self, amount_usd: str, **headers: str) -> dict[str, str]:
        """Open a page that sells credits; right after its opening an account has no customer."""
        body = f'{{"amount_usd": {amount_usd}}}'.encode()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            path = f"{self._account}/credits/checkout"
            answer = await self._http.post(path, content=body, headers=headers)
            waits = answer.status_code == 409 and answer.json()["code"] == "customer_pending"
            if not waits or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        if answer.status_code != 200:
            raise SystemExit(f"Refused: {answer.json().get('detail', answer.text)}")
        page: dict[str, str] = answer.json()
        return page

    async def wait(self, satisfied: Callable[[Any], bool], path: str = "") -> Any:
        """The account, or what belongs to it, once it is as wished."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not satisfied(found := await self.get(path)):
            if time.monotonic() > deadline:
                raise SystemExit(f"Not within {PATIENCE_SECONDS:.0f} s: {found}")
            await asyncio.sleep(0.05)
        return found


async def buy(shop: Shop, amount_usd: str, card: str, tell: Callable[[str], None]) -> None:
    """Open the page, pay on it, and wait for the balance."""
    before = (await shop.get())["credit_balance"]
    tell(f"Balance   ${before:.2f}")
    order = await shop.order(amount_usd)
    tell(f"Checkout  {order['checkout_url']}")
    async with Browser() as browser:
        await browser.open(order["checkout_url"])
        await browser.submit(card=card, email="buyer@example.com", name="A Buyer")
        while browser.forms and "/3ds/" in browser.address:
            tell(f"Confirmed {browser.address}")
            await browser.submit()
        if browser.forms:
            raise SystemExit(f"Not paid; the page is still {browser.address}")
        tell(f"Paid      back at {browser.address}")
    began = time.monotonic()
    state = await shop.wait(
        lambda found: found["status"] == "complete", f"/checkout/{order['session_id']}"
    )
    wanted = round(before * 100) + round(state["amount"] * 100)
    after = await shop.wait(lambda found: round(found["credit_balance"] * 100) >= wanted)
    tell(f"Balance   ${after['credit_balance']:.2f} after {time.monotonic() - began:.1f} s")


async def main(arguments: list[str] | None = None) -> None:
    """Read the command line and buy."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.buy_credits")
    parser.add_argument("amount", help="dollars, such as 19.99")
    parser.add_argument("--organization", default="acme")
    local = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    parser.add_argument("--address", default=local, help=f"of the gateway ({local})")
    parser.add_argument("--token", default=os.environ.get("TOKEN"), help="or TOKEN is set")
    parser.add_argument("--card", default="visa", help="as the page names it (visa)")
    given = parser.parse_args(arguments)
    if not given.token:
        parser.error("a token is needed: make token ORG=acme")
    headers = {"Authorization": f"Bearer {given.token}"}
    async with httpx.AsyncClient(
        base_url=given.address, headers=headers, timeout=60, trust_env=False
    ) as http:
        await buy(Shop(http, given.organization), given.amount, given.card, print)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except httpx.HTTPError as error:
        sys.exit(f"The gateway does not answer: {error!r}")

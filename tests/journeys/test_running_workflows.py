"""Workflows over HTTP, as a platform runs them with its service key: every process real."""

import asyncio
from typing import Any

import httpx

from tests.journeys.system import System
from tests.journeys.test_buying_credits import pay, settled


async def reserve(http: httpx.AsyncClient, path: str, workflow: str) -> httpx.Response:
    """Ask for one run."""
    return await http.post(f"{path}/workflows/reserve", json={"workflow_id": workflow})


async def test_five_run_free_and_the_sixth_on_credits(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}"
    async with system.shop(organization) as shop, system.platform() as platform:
        await shop.get()
        first = await asyncio.gather(*(reserve(platform, path, f"w-{n}") for n in range(8)))
        granted: list[Any] = [each.json() for each in first if each.status_code == 200]
        refused = [each for each in first if each.status_code != 200]
        for each in granted:
            done = await platform.post(f"{path}/workflows/{each['id']}/complete")
            assert (done.status_code, done.json()["state"]) == (200, "charged")
        check = (await platform.post(f"{path}/check-execution")).json()
        await pay((await shop.order("19.99"))["checkout_url"])
        await settled(shop, 19.99)
        paid = (await reserve(platform, path, "w-paid")).json()
        held = await settled(shop, 9.99)
        released = await platform.post(f"{path}/workflows/{paid['id']}/release")
        freed = await settled(shop, 19.99)
        summary = (await platform.get(f"{path}/usage-summary")).json()

    assert len(granted) == 5
    assert {each["covered_by"] for each in granted} == {"free"}
    assert {each.status_code for each in refused} == {402}
    assert check["can_execute"] is False
    assert check["reason"]
    assert (paid["covered_by"], paid["unit_price"]) == ("credits", 10.0)
    assert (held["credit_held"], held["free_workflows_remaining"]) == (10.0, 0)
    assert released.json()["state"] == "released"
    assert freed["credit_held"] == 0
    assert (summary["free_workflows_used"], summary["can_execute"]) == (5, True)


async def test_a_platform_tells_what_is_in_use(system: System, organization: str) -> None:
    path = f"/api/billing/account/{organization}"
    async with system.shop(organization) as shop, system.platform() as platform:
        stored = await platform.post(f"{path}/storage", json={"storage_bytes": 1024**3})
        counted = await platform.post(f"{path}/agents", json={"agents_in_use": 1})
        plan = await shop.get("/subscription")
        by_hand = await platform.get(f"{path}/subscription")

    assert (stored.status_code, counted.status_code) == (200, 200)
    assert (plan["storage_used_gb"], plan["agents_used"]) == (1.0, 1)
    assert by_hand.status_code == 403

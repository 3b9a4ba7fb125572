"""The gateway, as one organization's page uses it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from deploy.demo.place import DemoFailed, Place

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.1
# Not yet known, too fast, or not yet there: a moment later it may be otherwise.
LATER = frozenset({402, 429, 503, 504})


class Api:
    """One organization's addresses; what is refused ends the demo with the gateway's sentence."""

    def __init__(self, http: httpx.AsyncClient, organization_id: str) -> None:
        self._http = http
        self._account = f"/api/billing/account/{organization_id}"

    async def get(self, path: str = "", **query: Any) -> Any:
        """Read what is at a path below the account."""
        return await self._ask("GET", self._account + path, params=query)

    async def post(self, path: str, body: Any = None) -> Any:
        """Do something below the account."""
        return await self._ask("POST", self._account + path, json=body)

    async def patch(self, body: Any) -> Any:
        """Change the account's settings."""
        return await self._ask("PATCH", self._account, json=body)

    async def billing(self, method: str, path: str) -> Any:
        """Ask something that is not below an account."""
        return await self._ask(method, f"/api/billing{path}")

    async def until(self, satisfied: Callable[[Any], bool], path: str = "", **query: Any) -> Any:
        """What is at a path once it is as wished."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not satisfied(found := await self.get(path, **query)):
            if time.monotonic() > deadline:
                raise DemoFailed(f"{self._account}{path} did not change in time; see the logs.")
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._http.request(method, path, **options)
            if answer.status_code not in LATER or time.monotonic() > deadline:
                break
            await asyncio.sleep(float(answer.headers.get("retry-after", LOOK_SECONDS)))
        if answer.is_error:
            raise DemoFailed(f"{method} {path}: {answer.json()['detail']}")
        return answer.json()


def connect(place: Place, token: str) -> httpx.AsyncClient:
    """A client of the gateway."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=place.address, headers=headers, timeout=60, trust_env=False)

"""The whole installation for journeys: real servers, and every process one of its own."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt

from deploy.time_machine import SandboxClock, TimeMachine
from services.account.app import service as account
from services.gateway.service_keys import new_service_key
from services.stripe_gateway.app import service as stripe_gateway
from services.subscription.app import service as subscription
from shared.service import Service
from tests.journeys.buy_credits import Shop
from tests.servers import Servers, free_port
from tests.stack import Stack, build_stack
from tests.stripe_sandbox.running import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    Running,
    start_sandbox,
)

AUTH_SECRET = "a secret of the journeys, longer than 32 bytes"
SERVICE_KEY, SERVICE_ENTRY = new_service_key("platform")
FRONTEND = "http://localhost:3000"
WEBHOOK_PATH = "/api/billing/webhooks/stripe"
START_SECONDS = 120.0
STRIPE = {
    "STRIPE_SECRET_KEY": SECRET_KEY,
    "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "STRIPE_FRONTEND_URL": FRONTEND,
}
# A plan that may be tried; the other tiers are as they always are.
TRIAL_DAYS = 14
TIERS = json.dumps({"byo": {"trial_days": TRIAL_DAYS}})
OWNERS = (account, subscription, stripe_gateway)


class Process:
    """A process of ours, that can be killed and started again on its port."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{environment['HTTP_PORT']}"
        self._environment = environment
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, failpoints: str = "") -> None:
        """Start, to die at `failpoints`; `wait` tells when it is ready."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"],
                env={**self._environment, "FAILPOINTS": failpoints},
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until it is ready."""
        assert self._child is not None
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                assert self._child.poll() is None, self.log[-3000:]
                time.sleep(0.05)
        raise AssertionError(f"{self.name} is not ready: {self.log[-3000:]}")

    def died(self) -> int:
        """Wait until a failpoint has ended it; how it ended."""
        assert self._child is not None
        return self._child.wait(START_SECONDS)

    def kill(self) -> None:
        """`kill -9`."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()


class System:
    """Every process and the sandbox, behind the gateway's address."""

    def __init__(self, stack: Stack, folder: Path, names: Sequence[str]) -> None:
        self.stack = stack
        self.time = folder / "time"
        travels = {"TIME_MACHINE": str(self.time)}
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox: Running = start_sandbox(
            folder / "sandbox", self.url + WEBHOOK_PATH, **travels
        )
        self.processes: dict[str, Process] = {}
        for name in names:
            given = {**stack.environment(name), **STRIPE, **travels}
            given |= {"HTTP_PORT": str(free_port()), "TIERS": TIERS}
            if name == "stripe_gateway":
                given["STRIPE_API_BASE"] = self.sandbox.url
            self.processes[name] = Process(name, given, folder / f"{name}.log")
        gateway = {
            **os.environ,
            **STRIPE,
            **travels,
            "NATS_URL": stack.servers.nats_url,
            "NATS_CREDENTIALS": str(stack.servers.keys.credentials_file("gateway")),
            "AUTH_SECRET": AUTH_SECRET,
            "SERVICE_KEYS": SERVICE_ENTRY,
            "CHECKOUTS_PER_HOUR": "1000",
            "INVOICES_PER_HOUR": "1000",
            "PAYMENTS_PER_HOUR": "1000",
            "HTTP_PORT": port,
        }
        self.processes["gateway"] = Process("gateway", gateway, folder / "gateway.log")

    def start(self) -> None:
        """Start everything at once."""
        for process in self.processes.values():
            process.start()
        for process in self.processes.values():
            process.wait()

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.kill()
        self.sandbox.stop()

    @asynccontextmanager
    async def time_machine(self) -> AsyncIterator[TimeMachine]:
        """What moves all of it forward."""
        bus = await self.stack.bus("operator")
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        async with httpx.AsyncClient(
            base_url=self.sandbox.url, headers=headers, timeout=30, trust_env=False
        ) as http:
            try:
                yield TimeMachine(bus, self.time, sorted(self.processes), SandboxClock(http))
            finally:
                await bus.close()

    def token(self, organization_id: str, role: str = "owner") -> str:
        """Lets somebody in who holds a role in an organization."""
        claims = {
            "sub": "alice",
            "iss": "billing",
            "aud": "billing",
            "orgs": {organization_id: role},
            "exp": datetime.now(UTC) + timedelta(hours=1),
        }
        return jwt.encode(claims, AUTH_SECRET)

    def http(self, organization_id: str) -> httpx.AsyncClient:
        """What a page of an organization calls the gateway with."""
        return self._http(self.token(organization_id))

    def platform(self) -> httpx.AsyncClient:
        """What the platform that runs agents calls the gateway with."""
        return self._http(SERVICE_KEY)

    def _http(self, token: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    @asynccontextmanager
    async def shop(self, organization_id: str) -> AsyncIterator[Shop]:
        """The gateway for one organization."""
        async with self.http(organization_id) as http:
            yield Shop(http, organization_id)


async def build_system(
    servers: Servers, folder: Path, owners: tuple[Service, ...] = OWNERS
) -> System:
    """An installation with databases and a bus of its own."""
    stack = await build_stack(servers, folder, owners)
    return System(stack, folder, [each.name for each in owners])

"""The sandbox as a process, the SDK as its client, and a receiver of webhooks."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import stripe

from tests.servers import free_port
from tests.stripe_sandbox.contract import problems_of

SECRET_KEY = "sk_test_of_the_sandbox"
PUBLISHABLE_KEY = "pk_test_of_the_sandbox"
WEBHOOK_SECRET = "whsec_of_the_sandbox"
WAIT_SECONDS = 15.0

Body = dict[str, Any]
Content = tuple[bytes, int, Mapping[str, str]]


class Checking(stripe.HTTPXClient):
    """Sends what the SDK sends, and holds every object in an answer against the SDK's types."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> Content:
        content, status, answered = await super().request_async(method, url, headers, post_data)
        check_content(f"{method} {url}", content)
        return content, status, answered


def check_content(asked: str, content: bytes) -> None:
    """Raise AssertionError unless the types know every object in an answer."""
    body = json.loads(content)
    if "error" in body:
        inside = [each for each in body["error"].values() if isinstance(each, dict)]
    elif body.get("object") in {"list", "search_result"}:
        assert body.keys() >= {"data", "has_more", "url"}
        inside = body["data"]
    else:
        inside = [body]
    problems = [one for each in inside for one in problems_of(each)]
    assert not problems, f"{asked}: {problems}"


class Running:
    """A sandbox process and its folder; it can be killed and started again on the same port."""

    def __init__(self, home: Path, webhook_url: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "HTTP_PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            "SANDBOX_HOME": str(home),
            "SANDBOX_WEBHOOK_URL": webhook_url,
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            **environment,
        }
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {SECRET_KEY}"},
            timeout=30,
            trust_env=False,
        )
        self._process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.stripe_sandbox"], env=self._environment
        )
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if self._http.get("/readyz").status_code == 200:
                    return
            assert self._process.poll() is None, "the sandbox has ended"
            time.sleep(0.02)
        raise AssertionError("the sandbox does not answer")

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in peace."""
        self._process.terminate()
        self._process.wait(timeout=WAIT_SECONDS)
        self._http.close()

    def client(self, **options: Any) -> stripe.StripeClient:
        """The real client, pointed here."""
        return stripe.StripeClient(
            SECRET_KEY,
            http_client=Checking(timeout=options.pop("timeout", 20)),
            base_addresses={"api": self.url},
            **options,
        )

    async def close_client(self, client: stripe.StripeClient) -> None:
        """Close its connections."""
        http_client: Any = client._requestor._get_http_client()
        await http_client.close_async()

    def control(self, path: str, **params: Any) -> Body:
        """Order something of the sandbox."""
        answer = self._http.post(f"/sandbox/{path}", json=params)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    def ledger(self, **having: str) -> Body:
        """What was really charged; metadata is asked for as `order="6735"`."""
        columns = {"kind", "customer", "payment_intent", "object"}
        query = {n if n in columns else f"metadata[{n}]": v for n, v in having.items()}
        answer = self._http.get("/sandbox/ledger", params=query)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    def browser(self) -> httpx.Client:
        """Somebody who follows links and fills in forms, without any key."""
        return httpx.Client(base_url=self.url, follow_redirects=False, trust_env=False, timeout=20)


class Webhooks:
    """Receives webhooks, remembers them, and answers what it is told to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/webhooks/stripe"
        self.received: list[tuple[bytes, str]] = []
        self.answers: list[int] = []
        self._changed = asyncio.Condition()
        self._server: asyncio.Server
        self._serving: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Listen no more, once whoever is here has gone."""
        self._server.close()
        await self._server.wait_closed()
        if self._serving:
            await asyncio.wait(self._serving, timeout=WAIT_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        # Whoever is killed in the middle of a webhook leaves half of it.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._receive(reader, writer)
        writer.close()
        self._serving.discard(task)

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in fields.items()}
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            async with self._changed:
                self.received.append((body, headers["stripe-signature"]))
                self._changed.notify_all()
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()

    def events(self, about: str) -> list[Body]:
        """The events that name an object, in the order they came."""
        return [json.loads(body) for body, _ in self.received if about.encode() in body]

    async def wait_for(self, about: str, done: Callable[[list[Body]], bool]) -> list[Body]:
        """The events that name an object, once they are as wished."""
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: done(self.events(about)))
        return self.events(about)

    async def wait_for_type(self, about: str, kind: str) -> Body:
        """The first event of a type that names an object."""
        events = await self.wait_for(about, lambda all_: any(e["type"] == kind for e in all_))
        return next(each for each in events if each["type"] == kind)


def start_sandbox(home: Path, webhook_url: str, **environment: str) -> Running:
    """Start a sandbox on a free port."""
    return Running(home, webhook_url, **environment)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so, or fail."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)

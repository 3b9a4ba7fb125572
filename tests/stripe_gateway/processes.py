"""stripe_gateway as a process, and the edge that hands Stripe's webhooks to it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from shared.bus import AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import ReceiveWebhook
from tests.servers import free_port
from tests.stack import Stack
from tests.stripe_sandbox.running import PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET

START_SECONDS = 20.0
# A killed process never answers, so that waiting for it is only time lost.
PATIENCE_SECONDS = 1.5
FRONTEND = "http://localhost:3000"


class Edge:
    """What the HTTP gateway does with webhooks, and nothing else: the raw body goes to the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/webhooks/stripe"
        self.answers: list[int] = []
        self._server: asyncio.Server
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        if self._serving:
            await asyncio.wait(self._serving)

    async def receive(self, body: bytes, signature: str) -> int:
        """The HTTP status that Stripe sees."""
        try:
            request = ReceiveWebhook(body=body, signature=signature)
            answer = await self._bus.ask(request, timeout_seconds=PATIENCE_SECONDS)
        except (NoAnswerer, AnswerTimedOut, AnswerFailed):
            return 503
        return answer.status if isinstance(answer, Refusal) else 200

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in fields.items()}
        body = await reader.readexactly(int(headers["content-length"]))
        status = await self.receive(body, headers["stripe-signature"])
        self.answers.append(status)
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()


class Gateway:
    """A stripe_gateway process that can be killed and started again."""

    def __init__(self, stack: Stack, stripe_url: str, log: Path, **changes: str) -> None:
        self.port = free_port()
        self._log = log
        self._pid = 0
        self._nursery: subprocess.Popen[str] | None = None
        self.environment = {
            **stack.environment("stripe_gateway"),
            "HTTP_PORT": str(self.port),
            "LOG_LEVEL": "INFO",
            "LOG_FILE": str(log),
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": f"whsec_of_yesterday,{WEBHOOK_SECRET}",
            "STRIPE_API_BASE": stripe_url,
            "STRIPE_FRONTEND_URL": FRONTEND,
            "STRIPE_TIMEOUT_SECONDS": "2",
            "STRIPE_RECONCILE_SECONDS": "3600",
            "NO_PROXY": "127.0.0.1,localhost",
            **changes,
        }

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return bool(self._pid) and Path(f"/proc/{self._pid}").exists()

    def start(self, failpoints: str = "") -> None:
        """Start, and wait until it answers; `failpoints` are where it dies."""
        assert not self.alive
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "tests.stripe_gateway.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps({**self.environment, "FAILPOINTS": failpoints}) + "\n")
        self._nursery.stdin.flush()
        self._pid = int(self._nursery.stdout.readline())
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        url = f"http://127.0.0.1:{self.port}/readyz"
        until = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(url).status_code == 200:
                        return
                if not self.alive:
                    return  # a failpoint that is met at once
                time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log[-3000:]}")

    async def died(self) -> None:
        """Wait until a failpoint has killed it."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while self.alive:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"still alive: {self.log[-3000:]}") from None

    def kill(self) -> None:
        """`kill -9`."""
        if self.alive:
            os.kill(self._pid, signal.SIGKILL)
            while self.alive:
                time.sleep(0.01)

    def stop(self) -> None:
        """End it in peace, and who gave birth to it."""
        if self.alive:
            os.kill(self._pid, signal.SIGTERM)
            until = time.monotonic() + START_SECONDS
            while self.alive and time.monotonic() < until:
                time.sleep(0.02)
        self.kill()
        if self._nursery is not None:
            self._nursery.communicate()

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

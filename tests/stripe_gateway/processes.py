"""stripe_gateway as a process, and the edge that hands Stripe's webhooks to it."""

import asyncio
import contextlib
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
FRONTEND = "http://localhost:3000"


class Edge:
    """What the HTTP gateway does with webhooks, and nothing else: the raw body goes to the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/webhooks/stripe"
        self.answers: list[int] = []
        self._server: asyncio.Server

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def receive(self, body: bytes, signature: str) -> int:
        """The HTTP status that Stripe sees."""
        try:
            answer = await self._bus.ask(ReceiveWebhook(body=body, signature=signature))
        except (NoAnswerer, AnswerTimedOut, AnswerFailed):
            return 503
        return answer.status if isinstance(answer, Refusal) else 200

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
        self.environment = {
            **stack.environment("stripe_gateway"),
            "HTTP_PORT": str(self.port),
            "LOG_LEVEL": "INFO",
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": f"whsec_of_yesterday,{WEBHOOK_SECRET}",
            "STRIPE_API_BASE": stripe_url,
            "STRIPE_FRONTEND_URL": FRONTEND,
            "STRIPE_TIMEOUT_SECONDS": "3",
            "STRIPE_RECONCILE_SECONDS": "3600",
            "NO_PROXY": "127.0.0.1,localhost",
            **changes,
        }
        self.process: subprocess.Popen[bytes]

    def begin(self, failpoints: str = "", **changes: str) -> None:
        """Start without waiting; `failpoints` are where it dies."""
        given = {**os.environ, **self.environment, "FAILPOINTS": failpoints, **changes}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.stripe_gateway"], env=given, stderr=log, stdout=log
            )

    def start(self, failpoints: str = "", **changes: str) -> None:
        """Start, and wait until it answers."""
        self.begin(failpoints, **changes)
        url = f"http://127.0.0.1:{self.port}/readyz"
        until = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    if client.get(url).status_code == 200:
                        return
                assert self.process.poll() is None, self.log[-3000:]
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log[-3000:]}")

    async def died(self) -> None:
        """Wait until a failpoint has killed it."""
        async with asyncio.timeout(START_SECONDS):
            while self.process.poll() is None:
                await asyncio.sleep(0.02)
        assert self.process.returncode == -signal.SIGKILL, self.log[-3000:]

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in peace."""
        self.process.terminate()
        self.process.wait(timeout=30)

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

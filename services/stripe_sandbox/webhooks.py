"""Sends signed webhooks: at least once, again after a failure, each time later than before."""

import asyncio
import hashlib
import hmac
import http.client
import logging
import time
from collections.abc import Iterable
from sqlite3 import Row
from urllib.parse import urlsplit

from services.stripe_sandbox.events import LANES, payload
from services.stripe_sandbox.faults import take_fault
from services.stripe_sandbox.sandbox import Sandbox

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
# Stripe goes on for three days; the first retries come sooner here, for the sake of tests.
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 3600.0
MAX_ATTEMPTS = 80
IDLE_SECONDS = 0.5


def signature(body: bytes, secrets: Iterable[str], at: int) -> str:
    """The `Stripe-Signature` header: a time, and a signature with each secret."""
    signed = b"%d." % at + body
    codes = (hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets)
    return ",".join([f"t={at}", *(f"v1={code}" for code in codes)])


def post(url: str, body: bytes, header: str) -> str:
    """Send one webhook; returns the status it was answered with, or what went wrong."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": header,
        "User-Agent": "Stripe/1.0 (sandbox)",
    }
    try:
        connection.request("POST", path, body, headers)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


class WebhookSender:
    """Works off what is queued, a lane for each share of the customers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._wake = [asyncio.Event() for _ in range(LANES)]

    def wake(self) -> None:
        """There may be something new to send."""
        for each in self._wake:
            each.set()

    async def run(self) -> None:
        """Send until canceled."""
        async with asyncio.TaskGroup() as lanes:
            for lane in range(LANES):
                lanes.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: int) -> None:
        while True:
            self._wake[lane].clear()
            delivery = self._next(lane)
            if delivery is not None:
                await self._send(delivery)
                continue
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._wake[lane].wait()
            except TimeoutError:
                continue

    def _next(self, lane: int) -> Row | None:
        return self._store.one(
            "SELECT * FROM deliveries WHERE state = 'waiting' AND lane = ? AND due <= ?"
            " ORDER BY due, seq LIMIT 1",
            lane,
            time.time(),
        )

    async def _send(self, delivery: Row) -> None:
        event = self._store.find(delivery["event"])
        url = self._store.setting("webhook_url", None)
        if event is None or url is None:
            self._finish(delivery, "lost", "nowhere to send it")
            return
        with self._store.transaction():
            dropped = take_fault(self._store, "webhook_drop", event["type"]) is not None
        if dropped:
            self._retry(delivery, "dropped")
            return
        body = payload(event, delivery["style"])
        header = signature(body, self._sandbox.webhook_secrets, int(time.time()))
        answer = await asyncio.to_thread(post, url, body, header)
        if answer.startswith("2"):
            self._finish(delivery, "delivered", answer)
        else:
            self._retry(delivery, answer)

    def _retry(self, delivery: Row, answer: str) -> None:
        attempts = delivery["attempts"] + 1
        if attempts >= MAX_ATTEMPTS:
            self._finish(delivery, "failed", answer)
            return
        first = self._store.setting("webhook_retry_seconds", RETRY_SECONDS)
        wait = min(first * 2 ** min(attempts - 1, 30), LONGEST_RETRY_SECONDS)
        logger.info("webhook will be retried", extra={"fields": {"answer": answer, "wait": wait}})
        with self._store.transaction(flushed=False):
            self._store.run(
                "UPDATE deliveries SET attempts = ?, due = ?, last_answer = ? WHERE seq = ?",
                attempts,
                time.time() + wait,
                answer,
                delivery["seq"],
            )

    def _finish(self, delivery: Row, state: str, answer: str) -> None:
        with self._store.transaction(flushed=False):
            self._store.run(
                "UPDATE deliveries SET state = ?, attempts = attempts + 1, last_answer = ?"
                " WHERE seq = ?",
                state,
                answer,
                delivery["seq"],
            )
            event = self._store.find(delivery["event"])
            if event is not None and state == "delivered":
                event["pending_webhooks"] = max(event["pending_webhooks"] - 1, 0)
                self._store.put(event)

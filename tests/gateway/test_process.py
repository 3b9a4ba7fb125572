"""The gateway as a process of its own, on a real bus and a real socket."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jwt
import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer
from shared.bus import Bus
from shared.contracts.base import Done, event_subject, request_subject
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.stripe_gateway import MAX_WEBHOOK_BYTES, ReceiveWebhook
from shared.settings import Settings
from tests.gateway.scripted import SECRET, bearer
from tests.servers import free_port, start_nats

PATIENCE_SECONDS = 60.0
EVENTS = "/api/billing/account/acme/events"


class Process(NamedTuple):
    """A running gateway and the bus it is on."""

    url: str
    child: subprocess.Popen[str]
    server: NatsServer
    meter: Settings


def environment(**changes: str) -> dict[str, str]:
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUTH", "NATS"))
    }
    return {**plain, "AUTH_SECRET": SECRET, "HTTP_PORT": str(free_port()), **changes}


@pytest.fixture(scope="module")
def bus_keys(tmp_path_factory: pytest.TempPathFactory) -> BusKeys:
    keys = BusKeys.load_or_create(tmp_path_factory.mktemp("keys"))
    keys.issue_service("gateway", [], datetime.now(UTC), hears=["event.>"])
    keys.issue_service("cost_metering", [], datetime.now(UTC))
    keys.issue_service("stripe_gateway", [], datetime.now(UTC))
    return keys


@contextmanager
def running(folder: Path, keys: BusKeys) -> Iterator[Process]:
    server = start_nats(folder, keys, durable=False)
    given = environment(NATS_URL=server.url, NATS_CREDENTIALS=str(keys.credentials_file("gateway")))
    child = subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], env=given, stderr=subprocess.PIPE, text=True
    )
    meter = Settings(
        nats_url=server.url, nats_credentials=str(keys.credentials_file("cost_metering"))
    )
    try:
        yield Process(f"http://127.0.0.1:{given['HTTP_PORT']}", child, server, meter)
    finally:
        child.kill()
        child.communicate()
        server.kill()


@pytest.fixture
async def gateway(tmp_path: Path, bus_keys: BusKeys) -> AsyncIterator[Process]:
    with running(tmp_path / "nats", bus_keys) as process:
        await until_ready(process, 200)
        yield process


async def until_ready(process: Process, status: int) -> None:
    """Wait until `/readyz` answers so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with httpx.AsyncClient(base_url=process.url) as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get("/readyz")).status_code == status:
                    return
            except httpx.TransportError:
                assert process.child.poll() is None, "the gateway has ended"
            await asyncio.sleep(0.02)
    raise AssertionError(f"not {status} in time")


def signed_in() -> dict[str, str]:
    ends = datetime.now(UTC) + timedelta(hours=1)
    claims = {"sub": "alice", "iss": "billing", "aud": "billing", "orgs": {"acme": "viewer"}}
    return bearer(jwt.encode({**claims, "exp": ends}, SECRET))


class Stream:
    """The events of an open stream, as they come over the socket."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, Any] | None:
        """Kind and data of the next event, None at the end."""
        kind = ""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                if name == "data":
                    return kind, json.loads(value)
        return None


@asynccontextmanager
async def opened(process: Process) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=process.url, headers=signed_in(), timeout=60) as client,
        client.stream("GET", EVENTS) as answer,
    ):
        assert answer.status_code == 200
        yield Stream(answer.aiter_lines())


async def publish_costs(process: Process, sequence: int) -> None:
    event = CostsRecorded(
        organization_id="acme",
        sequence=sequence,
        cost_picousd=1,
        billable_cost_picousd=1,
        tokens=1,
        records=1,
        total_cost_picousd=sequence,
        total_billable_cost_picousd=sequence,
        total_tokens=sequence,
        total_records=sequence,
        unpriced_records=0,
        recorded_at=datetime.now(UTC),
    )
    bus = await Bus.connect(process.meter, "cost_metering")
    await bus.connection.publish(event_subject(CostsRecorded, "acme"), msgspec.json.encode(event))
    await bus.close()


async def test_without_its_service_a_route_is_a_503_at_once(gateway: Process) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, headers=signed_in()) as client:
        answer = await client.get("/api/billing/account/acme/costs/summary")

    # One that is there and does not answer in time would be a 504.
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert "server" not in answer.headers


async def test_metrics_name_routes_and_no_customer(gateway: Process) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, headers=signed_in()) as client:
        await client.get("/api/billing/account/acme/costs/summary")
        await client.get("/api/billing/account/acme/costs/nothing")
        text = (await client.get("/metrics")).text

    assert "billing_http_requests_total" in text
    assert 'route="/api/billing/account/{organization_id}/costs/summary"' in text
    assert "acme" not in text


async def test_a_fact_on_the_bus_is_in_the_browser(gateway: Process) -> None:
    async with opened(gateway) as stream:
        assert await stream.next() == ("resync", {"reason": "connected"})
        await publish_costs(gateway, 1)
        event = await stream.next()

    assert event is not None
    assert (event[0], event[1]["sequence"]) == ("costs_recorded", 1)


async def test_the_largest_webhook_passes_the_bus_byte_for_byte(
    gateway: Process, bus_keys: BusKeys
) -> None:
    body = bytes(range(256)) * (MAX_WEBHOOK_BYTES // 256)
    received: list[ReceiveWebhook] = []

    async def keep(message: Msg) -> None:
        received.append(msgspec.json.decode(message.data, type=ReceiveWebhook))
        await message.respond(msgspec.json.encode(Done()))

    bus = await Bus.connect(
        Settings(
            nats_url=gateway.server.url,
            nats_credentials=str(bus_keys.credentials_file("stripe_gateway")),
        ),
        "stripe_gateway",
    )
    await bus.connection.subscribe(request_subject(ReceiveWebhook), cb=keep)
    await bus.connection.flush()
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.post(
            "/api/billing/webhooks/stripe", content=body, headers={"Stripe-Signature": "t=1,v1=00"}
        )
    await bus.close()

    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert [each.body for each in received] == [body]


async def test_told_to_stop_it_ends_streams_and_leaves_in_peace(gateway: Process) -> None:
    async with opened(gateway) as stream:
        await stream.next()
        gateway.child.send_signal(signal.SIGTERM)
        assert await stream.next() is None

    status = await asyncio.to_thread(gateway.child.wait, PATIENCE_SECONDS)
    assert status == 0


async def test_told_to_stop_it_says_so_and_serves_who_has_not_heard(gateway: Process) -> None:
    gateway.child.send_signal(signal.SIGTERM)
    await until_ready(gateway, 503)
    # Each of them on a connection of its own.
    assert httpx.get(f"{gateway.url}/api/billing/config").status_code == 200
    assert httpx.get(f"{gateway.url}/livez").status_code == 200
    assert httpx.get(f"{gateway.url}/readyz").json()["problems"] == ["draining"]
    assert await asyncio.to_thread(gateway.child.wait, PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("name", ["gateway", "stripe_sandbox"])
def test_help_is_printed_and_nothing_started(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"services.{name}", "--help"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert done.stdout.startswith(f"usage: python -m services.{name}")


async def test_after_the_bus_was_gone_the_browser_is_told_to_fetch_everything(
    gateway: Process,
) -> None:
    async with opened(gateway) as stream:
        await stream.next()
        gateway.server.kill()
        await until_ready(gateway, 503)
        gateway.server.start()
        await until_ready(gateway, 200)
        await publish_costs(gateway, 7)
        events = [await stream.next(), await stream.next()]

    assert events[0] == ("resync", {"reason": "events_missed"})
    assert events[1] is not None
    assert events[1][1]["sequence"] == 7


async def test_the_gateway_may_say_nothing_on_the_bus(gateway: Process, bus_keys: BusKeys) -> None:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    connection = await nats.connect(
        gateway.server.url,
        user_credentials=str(bus_keys.credentials_file("gateway")),
        error_cb=note,
    )
    await connection.publish("event.cost_metering.costs_recorded.acme", b"{}")
    await connection.publish("usage.llm.acme.agent-1", b"{}")
    await connection.flush()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(refused) < 2 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    await connection.close()

    assert len(refused) == 2
    assert all("permissions violation" in each.lower() for each in refused)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"AUTH_SECRET": "short"}, "AUTH_SECRET"),
        ({"ENVIRONMENT": "production"}, "AUTH_MODE"),
        ({"HTTP_HOST": "0.0.0.0"}, "AUTH_MODE"),
        ({"AUTH_MODE": "trust"}, "AUTH_MODE"),
        ({"RATE_LIMIT_BURST": "0"}, "RATE_LIMIT_BURST"),
    ],
)
def test_a_wrong_setting_is_one_sentence(changes: dict[str, str], name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.gateway"],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Setting {name}: ")
    assert ended.stderr.count("\n") == 1

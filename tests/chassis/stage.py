"""The stage on which the toys play: servers of their own, which tests may kill."""

import asyncio
import dataclasses
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import nats
from nats.aio.client import RawCredentials
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, Postgres
from deploy.provisioning import ServiceDatabase
from deploy.setup import make_keys, prepare_databases
from shared.bus import Bus
from shared.consumers import Ladder
from shared.contracts.base import Event, Request, event_subject
from shared.contracts.usage import usage_subject
from shared.credentials import issue_agent_credential
from shared.database import Database
from shared.runtime import Runtime, Times
from shared.service import Service
from shared.settings import ServiceSettings, Settings
from shared.steps import StepTimes
from shared.topology import EVENTS, USAGE, declare
from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.toys import Ledger, Shop
from tests.servers import free_port
from tests.stack import until

TABLES = "effects, outbox, inbox, answers, dead_letters, steps"
# So that no test waits for what production is patient about.
TIMES = Times(
    ladder=Ladder(max_deliveries=3, first_delay_seconds=0.1, longest_delay_seconds=0.5),
    steps=StepTimes(lease_seconds=2.0, call_seconds=1.9, longest_delay_seconds=0.1, max_attempts=4),
    relay_lease_seconds=1.0,
    monitor_seconds=0.2,
)
ACK_WAIT_SECONDS = 1.0
START_SECONDS = 20.0


def order(order_id: str, note: str = "") -> OrderPlaced:
    """A fact of the shop's."""
    return OrderPlaced(organization_id="acme", order_id=order_id, note=note)


async def ask_at_once(bus: Bus, *requests: Request[Any], **how: Any) -> list[Any]:
    """Ask everything at once; answers, and errors where there was none."""
    asked = (bus.ask(request, **how) for request in requests)
    answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    return answers


@dataclass
class Stage:
    """Databases, streams and credentials of both toys."""

    postgres: Postgres
    nats: NatsServer
    keys: BusKeys
    folder: Path
    databases: dict[str, ServiceDatabase] = field(default_factory=dict)
    cleared: int = 0

    async def prepare(self) -> None:
        """What a deployment does once; only the streams are quicker to forget."""
        services = (Shop().service, Ledger().service)
        make_keys(self.keys.folder, services, datetime.now(UTC))
        self.databases = await prepare_databases(
            self.postgres.dsn, services, self.folder / "passwords.json", durable=False
        )
        await self.declare()

    async def declare(self) -> None:
        """Streams and consumers, with short windows."""
        services = (Shop().service, Ledger().service)
        durables = [
            durable._replace(ack_wait_seconds=ACK_WAIT_SECONDS)
            for service in services
            for durable in service.durables
        ]
        # A short window, so that a second copy comes through and the inbox has to know it.
        events = dataclasses.replace(EVENTS, subjects=["event.*.*.*"], duplicate_window=0.1)
        async with self.topology() as js:
            await declare(js, durables, (USAGE, events))

    async def clear(self) -> None:
        """Forget what the last test left behind."""
        self.cleared += 1
        for database in self.databases.values():
            connection = await asyncpg.connect(database.owner_dsn)
            await connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY")
            await connection.close()
        async with self.topology() as js:
            for stream in (USAGE, EVENTS):
                await js.purge_stream(stream.name or "")

    def settings(self, service: str) -> ServiceSettings:
        return ServiceSettings(
            nats_url=self.nats.url,
            nats_credentials=str(self.keys.credentials_file(service)),
            database_url=self.databases[service].dsn,
        )

    def environment(self, service: str, **changes: str) -> dict[str, str]:
        settings = self.settings(service)
        return {
            **os.environ,
            "NATS_URL": settings.nats_url,
            "NATS_CREDENTIALS": settings.nats_credentials or "",
            "DATABASE_URL": settings.database_url,
            "TOY_TIMES": msgspec.json.encode(TIMES).decode(),
            "TOY_CALLS": str(self.calls),
            **changes,
        }

    @property
    def calls(self) -> Path:
        """The file in which the other system notes every call."""
        return self.folder / "calls"

    @asynccontextmanager
    async def running(self, service: Service, times: Times = TIMES) -> AsyncIterator[Runtime]:
        """A toy in this process."""
        runtime = Runtime(service, self.settings(service.name), times=times)
        app = runtime.app()
        await app.start()
        try:
            yield runtime
        finally:
            await app.stop()

    @contextmanager
    def process(self, service: str, **changes: str) -> Iterator["Process"]:
        """A toy in a process of its own, killed at the end; `changes` are of its environment."""
        process = Process.start(service, self.folder, self.environment(service, **changes))
        try:
            yield process
        finally:
            process.kill()

    @asynccontextmanager
    async def bus(self, user: str = "gateway") -> AsyncIterator[Bus]:
        """A connection as one of the users."""
        settings = Settings(
            nats_url=self.nats.url, nats_credentials=str(self.keys.credentials_file(user))
        )
        bus = await Bus.connect(settings, user)
        try:
            yield bus
        finally:
            await bus.close()

    @asynccontextmanager
    async def topology(self) -> AsyncIterator[JetStreamContext]:
        """The user who may see and change everything on the bus."""
        async with self.bus("topology") as bus:
            yield bus.connection.jetstream(timeout=10)

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        """A toy's database, as its running role."""
        database = Database(self.databases[service].dsn, name="test")
        try:
            yield database
        finally:
            await database.close()

    async def rows(self, service: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What stands in a toy's database."""
        connection = await asyncpg.connect(self.databases[service].owner_dsn)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def effects(self, service: str) -> list[str]:
        """Everything that a toy did, in order."""
        rows = await self.rows(service, "SELECT what FROM effects ORDER BY position")
        return [row["what"] for row in rows]

    async def has_effects(self, service: str, *expected: str) -> None:
        """Wait until a toy has done exactly this, in any order."""
        await until(lambda: self.effects(service), lambda found: sorted(found) == sorted(expected))

    async def letters(self, service: str = "ledger") -> list[asyncpg.Record]:
        """A toy's dead letters."""
        return await self.rows(service, "SELECT * FROM dead_letters ORDER BY letter_id")

    async def publish(
        self, event: Event, message_id: str | None = None, *, bus: Bus | None = None
    ) -> bool:
        """Publish a fact of the shop's past its outbox; False if the stream knew its id still."""
        headers = {"Nats-Msg-Id": self.id_sent(message_id)} if message_id else None
        async with nullcontext(bus) if bus else self.bus("shop") as connected:
            ack = await connected.connection.jetstream().publish(
                event_subject(type(event), event.organization_id),
                msgspec.json.encode(event),
                headers=headers,
            )
            return not ack.duplicate

    def id_sent(self, message_id: str) -> str:
        """What a test's message id is on the bus: an emptied stream still knows the last test's."""
        return f"{self.cleared}-{message_id}"

    async def gauge(self, *orders: OrderPlaced) -> None:
        """Publish a message with parts that can stand alone, as an agent does."""
        credential = issue_agent_credential(
            self.keys.agent_signing_seed.read_text(),
            self.keys.agents,
            "acme",
            "agent-1",
            now=datetime.now(UTC),
        )
        connection = await nats.connect(
            self.nats.url,
            user_credentials=RawCredentials(credential.text),
            inbox_prefix=credential.inbox_prefix.encode(),
        )
        subject = usage_subject("gauge", "acme", "agent-1")
        await connection.request(subject, msgspec.json.encode(orders), timeout=5)
        await connection.close()

    async def stored(self, stream: str = "EVENTS") -> list[RawStreamMsg]:
        """What a stream holds."""
        async with self.topology() as js:
            info = await js.stream_info(stream)
            return [
                await js.get_msg(stream, seq)
                for seq in range(info.state.first_seq, info.state.last_seq + 1)
            ]

    async def idle(self, durable: str, stream: str = "EVENTS") -> None:
        """Wait until a consumer has nothing left to do."""
        async with self.topology() as js:
            await until(
                lambda: js.consumer_info(stream, durable),
                lambda info: not info.num_pending and not info.num_ack_pending,
            )


@dataclass
class Process:
    """A toy's own process, with what it logs."""

    popen: subprocess.Popen[bytes]
    port: int
    log: Path

    @classmethod
    def start(cls, service: str, folder: Path, environment: Mapping[str, str]) -> "Process":
        port = free_port()
        log = folder / f"{service}-{port}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "tests.chassis", service],
                env={"HTTP_PORT": str(port), **environment},
                stdout=output,
                stderr=output,
            )
        return cls(popen, port, log)

    def get(self, path: str) -> tuple[int, str]:
        """Ask a health path; status 0 when nobody listens or it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    async def answers(self, path: str, status: int) -> str:
        """Wait for a status; returns the body."""

        async def ask() -> tuple[int, str]:
            return await asyncio.to_thread(self.get, path)

        found = await until(ask, lambda answer: answer[0] == status, START_SECONDS)
        return found[1]

    async def ready(self) -> None:
        await self.answers("/readyz", 200)

    async def exit_code(self, within_seconds: float = START_SECONDS) -> int:
        """Wait until it has ended by itself."""
        return await asyncio.to_thread(self.popen.wait, within_seconds)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    async def logs(self, words: str) -> dict[str, Any]:
        """Wait until it logs a message with these words; returns the line."""

        async def ask() -> list[dict[str, Any]]:
            return [line for line in self.lines() if words in line["message"]]

        return (await until(ask, bool))[0]

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)

"""The whole back end for tests: servers, databases, the closed bus, services in this process."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import nats
from nats.aio.client import Client

from deploy.provisioning import ServiceDatabase
from deploy.setup import make_keys, prepare_databases
from deploy.topology import declare_topology
from services.account.app import service as account
from services.auditor.app import service as auditor
from services.cost_metering.app import service as cost_metering
from services.invoicing.app import service as invoicing
from services.notices.app import service as notices
from services.stripe_gateway.app import service as stripe_gateway
from services.subscription.app import service as subscription
from shared.bus import Bus
from shared.clock import Clock, new_id
from shared.contracts.base import Event, event_subject, owner_of
from shared.credentials import AgentCredential, issue_agent_credential
from shared.database import Database
from shared.jobs import do_job
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings, Settings
from tests.servers import Servers

SERVICES = (cost_metering, account, stripe_gateway, subscription, invoicing, notices, auditor)
T = TypeVar("T")


@dataclass
class Stack:
    """Servers with everything declared; services are started by those who need them."""

    servers: Servers
    databases: dict[str, ServiceDatabase]
    folder: Path

    def settings(self, service: str) -> ServiceSettings:
        """What a service reads from its environment."""
        return ServiceSettings(
            nats_url=self.servers.nats_url,
            nats_credentials=str(self.servers.keys.credentials_file(service)),
            database_url=self.databases[service].dsn,
        )

    def environment(self, service: str) -> dict[str, str]:
        """The same for a process of its own."""
        found = {
            **os.environ,
            "NATS_URL": self.servers.nats_url,
            "NATS_CREDENTIALS": str(self.servers.keys.credentials_file(service)),
        }
        # The gateway has none.
        if service in self.databases:
            found["DATABASE_URL"] = self.databases[service].dsn
        return found

    @asynccontextmanager
    async def running(self, service: Service, clock: Clock | None = None) -> AsyncIterator[Runtime]:
        """A service in this process, drained at the end."""
        runtime = Runtime(service, self.settings(service.name), clock)
        app = runtime.app()
        await app.start()
        try:
            yield runtime
        finally:
            await app.stop()

    async def bus(self, user: str = "gateway") -> Bus:
        """A connection as one of the services."""
        settings = Settings(
            nats_url=self.servers.nats_url,
            nats_credentials=str(self.servers.keys.credentials_file(user)),
        )
        return await Bus.connect(settings, user)

    async def tell(self, *events: Event) -> None:
        """Publish facts as their owners do, each as a message of its own."""
        for event in events:
            bus = await self.bus(owner_of(type(event)))
            await bus.connection.jetstream().publish(
                event_subject(type(event), event.organization_id),
                msgspec.json.encode(event),
                headers={"Nats-Msg-Id": new_id()},
            )
            await bus.close()

    def credential(self, organization_id: str, agent_id: str = "agent-1") -> AgentCredential:
        """A fresh credential for an agent."""
        keys = self.servers.keys
        return issue_agent_credential(
            keys.agent_signing_seed.read_text(),
            keys.agents,
            organization_id,
            agent_id,
            now=datetime.now(UTC),
        )

    async def agent(
        self, organization_id: str, agent_id: str = "agent-1", **options: Any
    ) -> Client:
        """A bare connection of an agent, as hostile as a test wants it."""
        credential = self.credential(organization_id, agent_id)
        path = self.folder / f"{organization_id}-{agent_id}-{time.time_ns()}.creds"
        path.write_text(credential.text)
        return await nats.connect(
            self.servers.nats_url,
            user_credentials=str(path),
            inbox_prefix=credential.inbox_prefix.encode(),
            **options,
        )

    async def redeliver_after(self, service: Service, seconds: float | None) -> None:
        """Have what a dead process had been given come again so soon; None: as in production."""
        topology = await self.bus("topology")
        js = topology.connection.jetstream()
        for durable in service.durables:
            wait_seconds = seconds or durable.ack_wait_seconds
            config = durable._replace(ack_wait_seconds=wait_seconds).config()
            await js.add_consumer(durable.stream, config)
        await topology.close()

    def database(self, service: str) -> Database:
        """A service's database as its runtime role sees it."""
        return Database(self.databases[service].dsn, name="test")


async def build_stack(
    servers: Servers, folder: Path, services: tuple[Service, ...] = SERVICES
) -> Stack:
    """Databases, migrations, credentials, streams and consumers: what a deployment does once."""
    keys = servers.keys.folder
    make_keys(keys, services, datetime.now(UTC))
    databases = await prepare_databases(
        servers.admin_dsn, services, folder / "passwords.json", durable=False
    )
    await declare_topology(servers.nats_url, keys, services)
    return Stack(servers, databases, folder)


async def do_jobs(runtime: Runtime) -> None:
    """Do now what a service does every so often."""
    for job in runtime.service.periodic:
        await do_job(job, runtime.service.name, runtime.database, patiently=True)


async def until(
    ask: Callable[[], Awaitable[T]], satisfied: Callable[[T], bool], timeout_seconds: float = 60
) -> T:
    """Ask again and again until the answer satisfies; the last answer is in the error.

    How long is a bound and no expectation: a busy machine is no failure.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = await ask()
        if satisfied(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds} s; last answer: {answer!r}")
        await asyncio.sleep(0.05)

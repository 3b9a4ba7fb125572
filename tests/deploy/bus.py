"""Two buses for the tests: ours, and the obvious one with a single account, for comparison."""

import asyncio
import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext

from deploy.bus_keys import BusKeys
from shared import topology
from shared.credentials import AgentCredential, issue_agent_credential

ANSWER_SECONDS = 1.0
# The naive bus has a user that may publish for this organization only.
CAREFUL = "careful"
METER = topology.durable("cost_metering", "USAGE", "usage.llm.>")
NAIVE_ACCOUNTS = """
accounts {
  BILLING {
    jetstream: enabled
    users: [
      { user: service, password: password }
      { user: agent, password: password }
      { user: careful, password: password, permissions: {
        publish: ["usage.*.careful.>"], subscribe: ["_INBOX.>"]
      } }
    ]
  }
}
"""


def new_organization() -> str:
    """An organization of its own for each test, so that tests can share a server."""
    return f"Org-{uuid.uuid4().hex[:12]}"


def usage_of(organization_id: str) -> str:
    return f"usage.llm.{organization_id}.agent-1"


async def happens(condition: Callable[[], Any], within_seconds: float) -> bool:
    """Whether a condition, plain or awaitable, comes true in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        result = condition()
        if await result if asyncio.iscoroutine(result) else result:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)


@dataclass
class Peer:
    """A connection, and what the server refused it."""

    nc: Client
    refusals: list[str] = field(default_factory=list)

    async def publish(
        self,
        subject: str,
        body: bytes = b"{}",
        *,
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> bool:
        """Publish; False when the server refused it."""
        before = len(self.refusals)
        await self.nc.publish(subject, body, reply=reply, headers=headers)
        await self.settle()
        return len(self.refusals) == before

    async def settle(self) -> None:
        """Wait until the server has said no to all that it refuses."""
        # Twice: the client's first PING may overtake what waits in its buffer.
        await self.nc.flush()
        await self.nc.flush()

    async def ask(
        self, subject: str, body: bytes = b"{}", headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Publish and wait for the answer; None when nothing answers or it is refused."""
        try:
            answer = await self.nc.request(subject, body, ANSWER_SECONDS, headers=headers)
        except (TimeoutError, nats.errors.TimeoutError, NoRespondersError):
            return None
        decoded: dict[str, Any] = json.loads(answer.data)
        return decoded

    async def hear(self, subject: str) -> list[Msg] | None:
        """Subscribe into the list returned; None when the server refused it."""
        heard: list[Msg] = []

        async def keep(message: Msg) -> None:
            heard.append(message)

        before = len(self.refusals)
        await self.nc.subscribe(subject, cb=keep)
        await self.settle()
        return heard if len(self.refusals) == before else None


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Peer]:
    """Connect once, without reconnecting; raises nats' errors when the server refuses."""
    refusals: list[str] = []

    async def refused(error: Exception) -> None:
        refusals.append(str(error))

    nc = Client()
    try:
        await nc.connect(
            url,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=refused,
            **options,
        )
        yield Peer(nc, refusals)
    finally:
        await nc.close()


@dataclass
class Bus(ABC):
    """What an attack needs to know of a bus."""

    url: str
    connections: AsyncExitStack
    js: JetStreamContext = field(init=False)

    @abstractmethod
    async def agent(self, organization_id: str) -> Peer:
        """Connect as an agent, as this bus lets agents connect."""

    @abstractmethod
    async def service(self) -> Peer:
        """Connect as a service that hears all requests and events."""

    @abstractmethod
    async def declare(self) -> None:
        """Open `js` as the step that declares streams does, and declare what production has."""

    @abstractmethod
    def honest_headers(self, event_id: str) -> dict[str, str] | None:
        """The headers with which an honest agent of this bus publishes an event."""

    async def open(self, **options: Any) -> Peer:
        return await self.connections.enter_async_context(connected(self.url, **options))

    async def stored(self, organization_id: str) -> int:
        """How many messages the usage stream holds for an organization."""
        info = await self.js.stream_info("USAGE", subjects_filter=f"usage.*.{organization_id}.*")
        return sum((info.state.subjects or {}).values())


@dataclass
class OurBus(Bus):
    """The closed bus, as an installation has it."""

    keys: BusKeys

    def credential(
        self, organization_id: str, lifetime: timedelta = timedelta(hours=1)
    ) -> AgentCredential:
        return issue_agent_credential(
            self.keys.agent_signing_seed.read_text(),
            self.keys.agents,
            organization_id,
            "agent-1",
            now=datetime.now(UTC),
            lifetime=lifetime,
        )

    async def agent(self, organization_id: str) -> Peer:
        return await self.agent_with(self.credential(organization_id))

    async def agent_with(self, credential: AgentCredential) -> Peer:
        return await self.open_with(credential.text, credential.inbox_prefix)

    async def service(self) -> Peer:
        path = self.keys.issue_service(
            "auditor", [], datetime.now(UTC), hears=["ask.>", "event.>", "usage.>"]
        )
        return await self.user(path)

    async def user(self, credentials: Path) -> Peer:
        return await self.open_with(credentials.read_text(), f"_INBOX_{credentials.stem}")

    async def open_with(self, credentials: str, inbox_prefix: str) -> Peer:
        return await self.open(
            user_credentials=RawCredentials(credentials), inbox_prefix=inbox_prefix.encode()
        )

    async def declare(self) -> None:
        user = await self.user(self.keys.issue_topology(datetime.now(UTC)))
        self.js = user.nc.jetstream()
        await topology.declare(self.js, (METER,))

    def honest_headers(self, event_id: str) -> None:
        """None: an agent client of ours never sets a message id."""


@dataclass
class NaiveBus(Bus):
    """One account for all, and the permissions that come to mind first."""

    async def agent(self, organization_id: str) -> Peer:
        return await self._user(CAREFUL if organization_id == CAREFUL else "agent")

    async def service(self) -> Peer:
        return await self._user("service")

    async def _user(self, user: str) -> Peer:
        return await self.open(user=user, password="password")

    async def declare(self) -> None:
        self.js = (await self.service()).nc.jetstream()
        await topology.declare(self.js, (METER,))

    def honest_headers(self, event_id: str) -> dict[str, str]:
        return {"Nats-Msg-Id": event_id}

"""The owners' databases and requests in one hand: histories that agree, and what spoils them."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import msgspec
from faststream.asgi import AsgiFastStream
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus import Bus
from shared.contracts.account import GetAccount, GetAccountTotals, GrantCredits
from shared.contracts.auditor import (
    AccountParked,
    AccountReleased,
    ExplainFinding,
    Explanation,
    Finding,
    GetParked,
    ListFindings,
    ParkedAccount,
    ReleaseAccount,
)
from shared.contracts.base import Event, Refusal, Reply, Request, event_subject, name_of
from shared.contracts.cost_metering import GetControlTotals
from shared.contracts.invoicing import GenerateInvoice, GetBillingTerms, ListUsageRecords
from shared.contracts.stripe_gateway import MoneyMoved
from shared.contracts.subscription import CompleteWorkflow, ReserveWorkflow
from shared.contracts.usage import usage_subject
from shared.runtime import Runtime
from tests.examples import call, envelope
from tests.stack import Stack, until

QUICK = {
    "audit_seconds": 0.4,
    "audit_again_seconds": 0.3,
    "audit_settle_seconds": 0.5,
    "audit_sweep": 200,
}
FREE_WORKFLOWS = 5
# A busy machine takes its time.
PATIENCE_SECONDS = 60.0

R = TypeVar("R", bound=Reply)


@dataclass
class Owners:
    """The running owners, by name."""

    runtimes: dict[str, Runtime] = field(default_factory=dict)
    apps: dict[str, AsgiFastStream] = field(default_factory=dict)

    async def start(self, runtime: Runtime) -> None:
        """Run a service in this process."""
        name = runtime.service.name
        self.runtimes[name], self.apps[name] = runtime, runtime.app()
        await self.apps[name].start()

    async def stop(self, name: str) -> None:
        """Drain it."""
        await self.apps.pop(name).stop()


class House:
    """Everything that the auditor compares."""

    def __init__(self, stack: Stack, owners: "Owners", bus: Bus) -> None:
        self.stack = stack
        self.owners = owners
        self.bus = bus
        self.told: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self._free = asyncio.Lock()
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    async def listen(self) -> None:
        """Remember whom the auditor parks and releases."""

        async def hear(message: Msg) -> None:
            _, _, fact, organization_id = message.subject.split(".")
            self.told[organization_id].append((fact, msgspec.json.decode(message.data)))

        await self.bus.connection.subscribe("event.auditor.*.*", cb=hear)
        await self.bus.connection.flush()

    async def close(self) -> None:
        """Let go of the databases."""
        for connection in self._connections.values():
            await connection.close()

    async def sql(self, service: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement as the role that owns a service's tables."""
        async with self._free:
            if service not in self._connections:
                dsn = self.stack.databases[service].owner_dsn
                self._connections[service] = await asyncpg.connect(dsn)
            return await self._connections[service].fetch(statement, *values)

    async def ask(self, request: Request[R], **options: Any) -> R:
        """An answer that is not a refusal."""
        answer = await self.bus.ask(request, timeout_seconds=20, **options)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def rounds(self, more: int = 2) -> None:
        """Wait until so many rounds that begin after now have been finished."""

        async def finished() -> int:
            rows = await self.sql(
                "auditor",
                "SELECT number FROM rounds WHERE looks_open = 0 AND finished_at >= begun_at",
            )
            return rows[0]["number"] if rows else 0

        rows = await self.sql("auditor", "SELECT number FROM rounds")
        wanted = (rows[0]["number"] if rows else 0) + more
        await until(finished, lambda number: number >= wanted, PATIENCE_SECONDS)

    async def settled(self, organization_id: str) -> "Organization":
        """An organization with a history, all of which has been heard."""
        found = Organization(self, organization_id)
        await found.live()
        return found


@dataclass
class Organization:
    """One of them."""

    house: House
    organization_id: str
    _agent: Client | None = None
    _sequence: int = 1
    movements: list[str] = field(default_factory=list)

    async def live(self) -> None:
        """Credits, workflows of every kind, costs, and money."""
        await self.house.ask(GetAccount(organization_id=self.organization_id))
        await self.grant(5_000)
        await self.work(FREE_WORKFLOWS + 1)
        await self.reserve()
        await self.spend(3)
        await self.pay(2_900)
        await self.pay(1_000)
        await self.heard()
        await self.bill()

    async def close(self) -> None:
        """Its agent goes."""
        if self._agent is not None:
            await self._agent.close()

    async def grant(self, cents: int) -> None:
        """Credits from an operator."""
        await self.house.ask(
            GrantCredits(
                organization_id=self.organization_id,
                grant_id=uuid4().hex,
                amount_cents=cents,
                description="a gift",
                requested_by="op",
            )
        )

    async def reserve(self) -> str:
        """A workflow that may run."""
        request = ReserveWorkflow(
            organization_id=self.organization_id, workflow_id=f"run-{uuid4().hex}"
        )
        return (await self.house.ask(request, idempotency_key=uuid4().hex)).reservation_id

    async def work(self, times: int = 1) -> None:
        """Workflows that run and complete."""
        for _ in range(times):
            reservation_id = await self.reserve()
            await self.house.ask(
                CompleteWorkflow(
                    organization_id=self.organization_id, reservation_id=reservation_id
                )
            )

    async def spend(self, calls: int = 1) -> None:
        """LLM calls of an agent."""
        if self._agent is None:
            self._agent = await self.house.stack.agent(self.organization_id)
        body = envelope(*(call() for _ in range(calls)), producer="agent", first_seq=self._sequence)
        self._sequence += calls
        subject = usage_subject("llm", self.organization_id, "agent-1")
        await self._agent.request(subject, body, timeout=10)

    async def pay(self, cents: int, *, told: bool = True, told_in_seconds: int = 0) -> str:
        """A charge at Stripe's gateway that succeeded, with its movement and the fact of it, which
        may be told late or never.
        """
        charge_id, at = uuid4().hex, datetime.now(UTC)
        await self.sql(
            "invoicing",
            """INSERT INTO payments (organization_id, payment_id, invoice_id, amount_cents, status,
                   created_at, succeeded_at)
               VALUES ($1, $2, 'of-' || $2, $3, 'succeeded', $4, $4)""",
            charge_id,
            cents,
            at,
        )
        fact = MoneyMoved(
            organization_id=self.organization_id,
            movement_id=f"charge:{charge_id}",
            amount_cents=cents,
            purpose="invoice",
            reference=charge_id,
            moved_at=at,
        )
        await self.sql(
            "stripe_gateway",
            """WITH charge AS (
                INSERT INTO charges (organization_id, charge_id, amount_cents, status, created_at,
                                     succeeded_at) VALUES ($1, $2, $3, 'succeeded', $4, $4)
            ), movement AS (
                INSERT INTO money_movements (organization_id, movement_id, amount_cents, purpose,
                    reference, moved_at) VALUES ($1, 'charge:' || $2, $3, 'invoice', $2, $4)
            )
            INSERT INTO outbox (message_id, subject, body, traceparent, created_at, leased_until)
            SELECT $5, $6, $7, '', $4,
                CASE WHEN $9 > 0 THEN clock_timestamp() + make_interval(secs => $9) END
            WHERE $8""",
            charge_id,
            cents,
            at,
            uuid4().hex,
            event_subject(MoneyMoved, self.organization_id),
            msgspec.json.encode(fact),
            told,
            told_in_seconds,
        )
        return charge_id

    async def bill(self) -> None:
        """What was used beyond free workflows, paid by the credits that were held for it."""
        request = GenerateInvoice(organization_id=self.organization_id, requested_by="op-1")
        answer = await self.house.ask(request, idempotency_key=uuid4().hex)
        assert answer.invoice is not None
        assert answer.invoice.credits_applied_cents == 1_000

    async def parked_reason(self) -> str | None:
        """Why invoicing bills nothing, if it does not."""
        request = GetBillingTerms(organization_id=self.organization_id)
        return (await self.house.ask(request)).parked_reason

    async def refusal_to_bill(self) -> str | None:
        """Why no invoice is made now."""
        request = GenerateInvoice(organization_id=self.organization_id, requested_by="op-1")
        answer = await self.house.bus.ask(request, idempotency_key=uuid4().hex)
        return answer.code if isinstance(answer, Refusal) else None

    async def paid_again(self) -> None:
        """Another dollar."""
        await self.pay(100)

    async def heard(self) -> None:
        """Wait until everything has come where it is going."""

        async def look() -> tuple[int, int, int, int]:
            account = await self.house.ask(GetAccountTotals(organization_id=self.organization_id))
            costs = await self.house.ask(GetControlTotals(organization_id=self.organization_id))
            usage = await self.house.ask(ListUsageRecords(organization_id=self.organization_id))
            return account.movements, costs.sequence, len(usage.records), account.holds_open

        await until(
            look,
            lambda seen: seen[0] >= 2 and seen[1] >= 1 and seen[2:] == (6, 1),
            PATIENCE_SECONDS,
        )

    async def sql(self, service: str, statement: str, *values: Any) -> list[asyncpg.Record]:
        """A statement about this organization, `$1`."""
        return await self.house.sql(service, statement, self.organization_id, *values)

    async def findings(self, **only: Any) -> list[Finding]:
        """What was found of it."""
        request = ListFindings(organization_id=self.organization_id, **only)
        return list((await self.house.ask(request)).findings)

    async def found(self, check: str) -> Finding:
        """Wait until a check is found to fail."""

        async def look() -> list[Finding]:
            return [each for each in await self.findings() if each.check == check]

        return (await until(look, bool, PATIENCE_SECONDS))[0]

    async def explain(self, finding: Finding) -> Explanation:
        """Why it is one."""
        return await self.house.ask(ExplainFinding(finding_id=finding.finding_id))

    async def parked(self) -> ParkedAccount | None:
        """How it stands, if it is parked."""
        found = await self.house.ask(GetParked(organization_id=self.organization_id))
        return found.accounts[0] if found.accounts else None

    async def release(self, reason: str = "looked into") -> ParkedAccount:
        """An operator lets it go on."""
        return await self.house.ask(
            ReleaseAccount(organization_id=self.organization_id, reason=reason, requested_by="op-1")
        )

    def told(self, kind: type[AccountParked] | type[AccountReleased] | type[Event]) -> list[Any]:
        """What was told of it."""
        return [
            body for fact, body in self.house.told[self.organization_id] if fact == name_of(kind)
        ]

    async def was_told(self, kind: type[Event], times: int = 1) -> list[Any]:
        """The same, once it was told so often."""

        async def look() -> list[Any]:
            return self.told(kind)

        return await until(look, lambda told: len(told) >= times, PATIENCE_SECONDS)

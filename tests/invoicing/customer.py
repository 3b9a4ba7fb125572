"""An organization as invoicing meets it: usage that others tell of, and requests over the bus."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import msgspec
from nats.aio.msg import Msg

from services.invoicing.app import service as invoicing
from shared.bus import Bus
from shared.clock import FixedClock
from shared.contracts.account import (
    Account,
    AccountChanged,
    AccountOpened,
    Buyer,
    GetAccount,
    GrantCredits,
    HoldCredits,
    SettleHold,
)
from shared.contracts.base import Event, Refusal, Reply, Request, event_subject, name_of, owner_of
from shared.contracts.invoicing import (
    GenerateInvoice,
    Invoice,
    ListInvoices,
    ListUsageRecords,
    MaybeInvoice,
    SetBillingTerms,
    UsageRecord,
)
from shared.contracts.subscription import CoveredBy, WorkflowCharged
from tests.invoicing.invariants import check_invoices
from tests.stack import Stack, until

R = TypeVar("R", bound=Reply)


@dataclass
class World:
    """Both replicas' clock, and connections by which others speak."""

    stack: Stack
    bus: Bus
    clock: FixedClock
    voices: dict[str, Bus] = field(default_factory=dict)

    async def tell(self, *events: Event) -> None:
        """Publish facts as their owners do, each as a message of its own."""
        for event in events:
            voice = await self._voice(owner_of(type(event)))
            await voice.connection.jetstream().publish(
                event_subject(type(event), event.organization_id),
                msgspec.json.encode(event),
                headers={"Nats-Msg-Id": uuid4().hex},
            )

    async def settled(self) -> None:
        """Wait until nothing waits for invoicing on the bus."""
        js = (await self._voice("topology")).connection.jetstream()

        async def waiting() -> int:
            found = [js.consumer_info(each.stream, each.name) for each in invoicing.durables]
            counts = await asyncio.gather(*found)
            return sum((each.num_pending or 0) + (each.num_ack_pending or 0) for each in counts)

        await until(waiting, lambda count: count == 0)

    async def _voice(self, user: str) -> Bus:
        if user not in self.voices:
            self.voices[user] = await self.stack.bus(user)
        return self.voices[user]

    async def close(self) -> None:
        """Let the connections go."""
        for voice in self.voices.values():
            await voice.close()


@dataclass
class Customer:
    """One organization; nobody else uses it."""

    world: World
    organization_id: str
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    account_version: int = 0

    @property
    def clock(self) -> FixedClock:
        return self.world.clock

    async def listen(self) -> None:
        """Remember every fact that invoicing tells of this organization."""

        async def hear(message: Msg) -> None:
            self.told.append((message.subject.split(".")[2], msgspec.json.decode(message.data)))

        subject = f"event.invoicing.*.{self.organization_id}"
        await self.world.bus.connection.subscribe(subject, cb=hear)
        await self.world.bus.connection.flush()

    def facts(self, kind: type[Event]) -> list[dict[str, Any]]:
        """What was told of one kind so far."""
        return [body for fact, body in self.told if fact == name_of(kind)]

    async def told_of(self, kind: type[Event], count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many facts of a kind."""

        async def look() -> list[dict[str, Any]]:
            return self.facts(kind)

        return await until(look, lambda facts: len(facts) >= count)

    async def ask(self, request: Request[R], **options: Any) -> R:
        """Ask for something that is granted."""
        answer = await self.world.bus.ask(request, timeout_seconds=30, **options)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def refused(self, request: Request[Any]) -> tuple[int, str]:
        """The status and code of a refusal."""
        answer = await self.world.bus.ask(request, timeout_seconds=30)
        assert isinstance(answer, Refusal), answer
        return answer.status, answer.code

    def charged(
        self,
        workflow_id: str | None = None,
        covered_by: CoveredBy = "none",
        *,
        at: datetime | None = None,
        learned_at: datetime | None = None,
        cents: int = 1000,
        hold_id: str | None = None,
        ticket_id: str | None = None,
    ) -> WorkflowCharged:
        """A workflow that completed; it happened, and was learned of, now."""
        completed_at = at or self.clock.now()
        workflow_id = workflow_id or f"run-{uuid4().hex}"
        return WorkflowCharged(
            organization_id=self.organization_id,
            workflow_id=workflow_id,
            reservation_id=f"reservation-{workflow_id}",
            ticket_id=ticket_id,
            tier="pro",
            covered_by=covered_by,
            unit_price_cents=cents,
            hold_id=hold_id,
            period_start=completed_at,
            completed_at=completed_at,
            charged_at=learned_at or max(completed_at, self.clock.now()),
        )

    async def use(self, *events: WorkflowCharged) -> None:
        """Have usage told, and wait until it is recorded."""
        await self.world.tell(*events)
        await self.world.settled()

    async def complete(self, count: int = 1, **how: Any) -> None:
        """Complete so many workflows."""
        await self.use(*(self.charged(**how) for _ in range(count)))

    async def held(self, cents: int = 1000) -> str:
        """A hold for a workflow that credits cover, committed; the account must have them."""
        hold_id = f"hold-{uuid4().hex}"
        await self.ask(
            HoldCredits(
                organization_id=self.organization_id,
                hold_id=hold_id,
                amount_cents=cents,
                expires_at=self.clock.now() + timedelta(days=1),
            )
        )
        settle = SettleHold(organization_id=self.organization_id, hold_id=hold_id, action="commit")
        await self.ask(settle)
        return hold_id

    async def complete_by_credits(self, cents: int = 1000) -> None:
        """Complete a workflow that credits cover."""
        await self.complete(covered_by="credits", hold_id=await self.held(cents), cents=cents)

    async def account(self) -> Account:
        """The account, with its credits."""
        return await self.ask(GetAccount(organization_id=self.organization_id))

    async def grant(self, cents: int) -> None:
        """Give credits."""
        await self.account()
        request = GrantCredits(
            organization_id=self.organization_id,
            grant_id=uuid4().hex,
            amount_cents=cents,
            description="gift",
            requested_by="operator",
        )
        await self.ask(request)

    async def account_stands(self, **changes: Any) -> None:
        """Let account tell how the account stands."""
        self.account_version += 1
        values: dict[str, Any] = {
            "status": "active",
            "has_payment_method": False,
            "auto_billing_enabled": False,
            "auto_billing_monthly_limit_cents": None,
            "billing_email": None,
            "tax_exempt": False,
            "buyer": Buyer(name="Ada"),
            **changes,
        }
        account_id = f"account-{self.organization_id}"
        opened = AccountOpened(
            organization_id=self.organization_id,
            billing_account_id=account_id,
            opened_at=self.clock.now(),
        )
        stands = AccountChanged(
            organization_id=self.organization_id,
            billing_account_id=account_id,
            version=self.account_version,
            changed_at=self.clock.now(),
            **values,
        )
        await self.world.tell(opened, stands)
        await self.world.settled()

    async def terms(self, **terms: Any) -> None:
        """Have an operator set discount or tax."""
        await self.ask(
            SetBillingTerms(organization_id=self.organization_id, requested_by="operator", **terms)
        )

    def generating(self) -> GenerateInvoice:
        """A request to bill all unbilled usage."""
        return GenerateInvoice(organization_id=self.organization_id, requested_by="owner")

    async def generate(self) -> MaybeInvoice:
        """Bill all unbilled usage."""
        return await self.ask(self.generating())

    async def invoice(self) -> Invoice:
        """Bill all unbilled usage, of which there is some."""
        answer = await self.generate()
        assert answer.invoice is not None, answer
        return answer.invoice

    async def invoices(self) -> Sequence[Invoice]:
        """All of its invoices, oldest first."""
        page = await self.ask(ListInvoices(organization_id=self.organization_id, limit=200))
        return page.invoices[::-1]

    async def usage(self, *, billed: bool | None = None) -> Sequence[UsageRecord]:
        """All of its records."""
        page = await self.ask(
            ListUsageRecords(organization_id=self.organization_id, limit=200, billed=billed)
        )
        return page.records

    async def sql(self, query: str, *values: Any, service: str = "invoicing") -> list[Any]:
        """Rows of a service's tables as their owner sees them; `$1` is the organization."""
        connection = await asyncpg.connect(self.world.stack.databases[service].owner_dsn)
        try:
            return await connection.fetch(query, self.organization_id, *values)
        finally:
            await connection.close()

    async def check(self) -> None:
        """Assert the invariants of its invoices."""
        dsn = self.world.stack.databases["invoicing"].owner_dsn
        connection = await asyncpg.connect(dsn)
        try:
            await check_invoices(connection, self.organization_id)
        finally:
            await connection.close()

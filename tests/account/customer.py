"""An organization as account meets it: requests over the bus, and what Stripe's gateway tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from services.account.app import service as account
from shared.bus import Bus, NoAnswerer
from shared.clock import FixedClock
from shared.contracts.account import (
    Account,
    ApplyCredits,
    AuditTrail,
    CreditBalance,
    CreditEntry,
    GetAccount,
    GrantCredits,
    HoldCredits,
    ListAudit,
    ListCreditEntries,
    LotKind,
    RestoreCredits,
    SettleHold,
    TakeCredits,
)
from shared.contracts.base import Event, Refusal, Request, event_subject, name_of, owner_of
from shared.contracts.stripe_gateway import PurchasePaid, PurchaseReversed
from tests.account.invariants import check_credits
from tests.stack import Stack, until


@dataclass
class Customer:
    """One organization; nobody else uses it."""

    stack: Stack
    bus: Bus
    publishers: Mapping[str, JetStreamContext]
    topology: JetStreamContext
    clock: FixedClock
    organization_id: str
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def listen(self) -> None:
        """Remember every fact that account tells of this organization."""

        async def hear(message: Msg) -> None:
            fact = message.subject.split(".")[2]
            self.told.append((fact, msgspec.json.decode(message.data)))

        await self.bus.connection.subscribe(f"event.account.*.{self.organization_id}", cb=hear)
        await self.bus.connection.flush()

    def facts(self, kind: type[Event]) -> list[dict[str, Any]]:
        """What was told of one kind so far."""
        return [body for fact, body in self.told if fact == name_of(kind)]

    async def tell(self, *events: Event, times: int = 1) -> None:
        """Publish facts of others, and wait until account has heard them.

        Two replicas hear them at once: what must be heard in order is told one by one.
        """
        for _ in range(times):
            await self.publish(*events)
        await self.idle()

    async def publish(self, *events: Event) -> None:
        """Publish facts of others, each as a message of its own."""
        for event in events:
            subject = event_subject(type(event), self.organization_id)
            headers = {"Nats-Msg-Id": uuid4().hex}
            publisher = self.publishers[owner_of(type(event))]
            await publisher.publish(subject, msgspec.json.encode(event), headers=headers)

    async def idle(self, timeout_seconds: float = 20) -> None:
        """Wait until account has heard everything."""
        await until(self._waiting, lambda waiting: not waiting, timeout_seconds)

    async def answered(self) -> bool:
        """Whether account answers now."""
        try:
            await self.account()
        except NoAnswerer:
            return False
        return True

    async def _waiting(self) -> dict[str, int]:
        """How much each consumer has not acknowledged."""
        waiting: dict[str, int] = {}
        for durable in account.durables:
            info = await self.topology.consumer_info(durable.stream, durable.name)
            waiting[durable.name] = (info.num_pending or 0) + (info.num_ack_pending or 0)
        return {name: count for name, count in waiting.items() if count}

    async def ask(self, request: Request[Any], **options: Any) -> Any:
        """An answer that is not a refusal."""
        answer = await self.bus.ask(request, timeout_seconds=30, **options)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def try_to(self, request: Request[Any]) -> Any:
        """An answer or a refusal, from somebody who is patient."""
        return await self.bus.ask(request, timeout_seconds=60)

    async def refused(self, request: Request[Any]) -> tuple[int, str]:
        """The status and code of a refusal."""
        answer = await self.bus.ask(request, timeout_seconds=30)
        assert isinstance(answer, Refusal), answer
        return answer.status, answer.code

    async def account(self) -> Account:
        found = await self.ask(GetAccount(organization_id=self.organization_id))
        assert isinstance(found, Account)
        return found

    async def credits(self) -> tuple[int, int, int]:
        """Balance, held and debt as the account shows them."""
        found = await self.account()
        return found.credit_balance_cents, found.credit_held_cents, found.credit_debt_cents

    async def balances(self, balance: int, held: int) -> None:
        """Wait until the account shows this: what is past its time is let go within a second."""

        async def shown() -> tuple[int, int]:
            return (await self.credits())[:2]

        await until(shown, lambda found: found == (balance, held))

    async def statement(self) -> list[CreditEntry]:
        """The whole ledger, oldest first, by as many pages as it takes."""
        found: list[CreditEntry] = []
        cursor: str | None = None
        while True:
            request = ListCreditEntries(
                organization_id=self.organization_id, limit=200, cursor=cursor
            )
            page = await self.ask(request)
            found += page.entries
            cursor = page.next_cursor
            if cursor is None:
                return found[::-1]

    async def lines(self) -> list[tuple[str, int, int]]:
        """Kind, amount and balance after, oldest first."""
        return [(e.kind, e.amount_cents, e.balance_after_cents) for e in await self.statement()]

    async def trail(self, **options: Any) -> AuditTrail:
        request = ListAudit(organization_id=self.organization_id, **{"limit": 200, **options})
        found = await self.ask(request)
        assert isinstance(found, AuditTrail)
        return found

    # Builders: what a test does not say is as it mostly is.

    def paid(self, cents: int, session_id: str = "cs_1", **changes: Any) -> PurchasePaid:
        values = {
            "kind": "credits",
            "tier": None,
            "payment_intent_id": None,
            "stripe_invoice_id": None,
            "paid_at": self.clock.now(),
        }
        return PurchasePaid(
            organization_id=self.organization_id,
            session_id=session_id,
            amount_cents=cents,
            **{**values, **changes},
        )

    def reversed_to(
        self, cents: int, version: int, session_id: str = "cs_1", **changes: Any
    ) -> PurchaseReversed:
        values = {"kind": "credits", "amount_cents": cents, "reason": "refund"}
        return PurchaseReversed(
            organization_id=self.organization_id,
            session_id=session_id,
            reversed_cents=cents,
            version=version,
            reversed_at=self.clock.now(),
            **{**values, **changes},
        )

    def grant(
        self, cents: int, kind: LotKind = "promotional", days: float | None = None, **changes: Any
    ) -> GrantCredits:
        values: dict[str, Any] = {
            "grant_id": uuid4().hex,
            "description": "a gift",
            "requested_by": "op-1",
            "expires_at": None if days is None else self.in_days(days),
        }
        return GrantCredits(
            organization_id=self.organization_id,
            amount_cents=cents,
            kind=kind,
            **{**values, **changes},
        )

    def take(self, cents: int, **changes: Any) -> TakeCredits:
        values = {"taking_id": uuid4().hex, "description": "a mistake", "requested_by": "op-1"}
        return TakeCredits(
            organization_id=self.organization_id, amount_cents=cents, **{**values, **changes}
        )

    def hold(self, cents: int, hold_id: str | None = None, days: float = 1) -> HoldCredits:
        return HoldCredits(
            organization_id=self.organization_id,
            hold_id=hold_id or uuid4().hex,
            amount_cents=cents,
            expires_at=self.in_days(days),
        )

    def settle(self, hold_id: str, action: Any, days: float | None = None) -> SettleHold:
        return SettleHold(
            organization_id=self.organization_id,
            hold_id=hold_id,
            action=action,
            expires_at=None if days is None else self.in_days(days),
        )

    def apply(
        self, cents: int, invoice_id: str = "inv-1", holds: Sequence[str] = (), **changes: Any
    ) -> ApplyCredits:
        return ApplyCredits(
            organization_id=self.organization_id,
            invoice_id=invoice_id,
            amount_cents=cents,
            hold_ids=tuple(holds),
            **changes,
        )

    def restore(self, invoice_id: str = "inv-1") -> RestoreCredits:
        return RestoreCredits(organization_id=self.organization_id, invoice_id=invoice_id)

    def in_days(self, days: float) -> datetime:
        return self.clock.now() + timedelta(days=days)

    async def granted(self, cents: int, kind: LotKind = "promotional", **changes: Any) -> None:
        """An account that has credits of an operator."""
        await self.account()
        balance = await self.ask(self.grant(cents, kind, **changes))
        assert isinstance(balance, CreditBalance)
        assert balance.changed_cents == cents

    async def lots(self) -> list[tuple[int, int]]:
        """Remaining and held of each lot, in the order in which they were opened."""
        rows = await self.rows(
            "SELECT remaining_cents, held_cents FROM credit_lots WHERE organization_id = $1"
            " ORDER BY sequence"
        )
        return [(row[0], row[1]) for row in rows]

    async def rows(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Rows of account's tables; `$1` is the organization."""
        connection = await asyncpg.connect(self.stack.databases["account"].owner_dsn)
        try:
            return await connection.fetch(query, self.organization_id, *values)
        finally:
            await connection.close()

    async def check(self) -> None:
        """Assert the invariants of the credits and the chain of the audit log."""
        connection = await asyncpg.connect(self.stack.databases["account"].owner_dsn)
        try:
            await check_credits(connection, self.organization_id)
        finally:
            await connection.close()
        assert (await self.trail(verify=True)).broken_at is None

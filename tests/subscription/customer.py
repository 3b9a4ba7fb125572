"""An organization as subscription meets it: requests, facts of others, what agents tell."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.subscription.app import service as subscription
from shared.bus import MESSAGE_ID_HEADER, Bus
from shared.clock import FixedClock
from shared.contracts.account import AccountChanged, Buyer
from shared.contracts.base import Event, Refusal, Reply, Request, name_of
from shared.contracts.stripe_gateway import (
    PurchasePaid,
    PurchaseReversed,
    StripeSubscription,
    SubscriptionChanged,
)
from shared.contracts.subscription import (
    GetSubscription,
    GetUsageSummary,
    GetWorkflowTotals,
    Reservation,
    ReserveWorkflow,
    Subscription,
    UsageSummary,
)
from shared.contracts.usage import usage_subject
from shared.database import Database
from tests.stack import Stack, until
from tests.subscription.neighbours import Neighbours

R = TypeVar("R", bound=Reply)


@dataclass
class Customer:
    """One organization; nobody else uses it."""

    stack: Stack
    bus: Bus
    neighbours: Neighbours
    database: Database
    clock: FixedClock
    organization_id: str
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stripe_version: int = 0
    # How the subscription that was told of last stands at Stripe.
    stripe_stands: StripeSubscription = field(init=False)
    account_version: int = 0
    _agent: Client | None = None

    async def listen(self) -> None:
        """Remember every fact that subscription tells of this organization, once if told again."""
        heard: set[str] = set()

        async def hear(message: Msg) -> None:
            message_id = (message.headers or {})[MESSAGE_ID_HEADER]
            if message_id not in heard:
                heard.add(message_id)
                self.told.append((message.subject.split(".")[2], msgspec.json.decode(message.data)))

        subject = f"event.subscription.*.{self.organization_id}"
        await self.bus.connection.subscribe(subject, cb=hear)
        await self.bus.connection.flush()

    def facts(self, kind: type[Event]) -> list[dict[str, Any]]:
        """What was told of one kind so far."""
        return [body for fact, body in self.told if fact == name_of(kind)]

    async def told_of(self, kind: type[Event], count: int) -> list[dict[str, Any]]:
        """Wait for so many facts of a kind."""

        async def look() -> list[dict[str, Any]]:
            return self.facts(kind)

        return await until(look, lambda facts: len(facts) >= count)

    async def ask(self, request: Request[R], **options: Any) -> R:
        """Ask for something that is granted."""
        answer = await self.bus.ask(request, timeout_seconds=15, **options)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def refused(self, request: Request[Any], **options: Any) -> Refusal:
        """Ask for something that is refused."""
        answer = await self.bus.ask(request, timeout_seconds=15, **options)
        assert isinstance(answer, Refusal), answer
        return answer

    async def subscription(self) -> Subscription:
        """What it has."""
        return await self.ask(GetSubscription(organization_id=self.organization_id))

    async def usage(self) -> UsageSummary:
        """What it has used."""
        return await self.ask(GetUsageSummary(organization_id=self.organization_id))

    def reserving(self, workflow_id: str | None = None, **changes: Any) -> ReserveWorkflow:
        """A request for one workflow."""
        return ReserveWorkflow(
            organization_id=self.organization_id,
            workflow_id=workflow_id or f"run-{uuid4().hex}",
            **changes,
        )

    async def reserve(self, count: int = 1) -> list[Reservation]:
        """Reserve so many workflows, one after the other."""
        return [await self.ask(self.reserving()) for _ in range(count)]

    def stands(self, tier: str = "pro", **changes: Any) -> SubscriptionChanged:
        """A fact of a subscription at Stripe, newer than the last one."""
        self.stripe_version += 1
        now = self.clock.now()
        envelope = {
            name: changes.pop(name)
            for name in ("version", "renewal_paid", "changed_at")
            if name in changes
        }
        told = {
            "stripe_subscription_id": f"sub_{self.organization_id.replace('-', '')}",
            "tier": tier,
            "price_cents": {"starter": 2_900, "pro": 7_900, "team": 19_900, "byo": 1_900}[tier],
            "status": "active",
            "current_period_start": now,
            "current_period_end": now + timedelta(days=30),
            "cancel_at_period_end": False,
            "canceled_at": None,
            "trial_start": None,
            "trial_end": None,
            **changes,
        }
        told.setdefault("status_at_stripe", told["status"])
        self.stripe_stands = StripeSubscription(**told)
        return SubscriptionChanged(
            organization_id=self.organization_id,
            subscription=self.stripe_stands,
            **{"version": self.stripe_version, "changed_at": now, **envelope},
        )

    def stands_as(self, told: StripeSubscription) -> SubscriptionChanged:
        """A fact of what stripe_gateway answered, newer than the last one."""
        self.stripe_version += 1
        return SubscriptionChanged(
            organization_id=self.organization_id,
            version=self.stripe_version,
            subscription=told,
            changed_at=self.clock.now(),
        )

    async def tell(self, *events: Event) -> None:
        """Publish facts and wait until subscription has handled them."""
        for event in events:
            await self.neighbours.publish(event)
        await self.settled()

    async def subscribe(self, tier: str = "pro", **changes: Any) -> SubscriptionChanged:
        """Have a plan at Stripe."""
        fact = self.stands(tier, **changes)
        await self.tell(fact)
        return fact

    async def buy_lifetime(self, session: str = "cs_1", at: datetime | None = None) -> None:
        """Pay for a lifetime."""
        await self.tell(
            PurchasePaid(
                organization_id=self.organization_id,
                session_id=f"{session}_{self.organization_id.replace('-', '')}",
                kind="lifetime",
                tier="lifetime",
                amount_cents=49_900,
                payment_intent_id=None,
                stripe_invoice_id=None,
                paid_at=at or self.clock.now(),
            )
        )

    def reversal(self, cents: int, version: int, session: str = "cs_1") -> PurchaseReversed:
        """Of a lifetime's payment so much is gone in all, as of a version."""
        return PurchaseReversed(
            organization_id=self.organization_id,
            session_id=f"{session}_{self.organization_id.replace('-', '')}",
            kind="lifetime",
            amount_cents=49_900,
            reversed_cents=cents,
            version=version,
            reason="dispute",
            reversed_at=self.clock.now(),
        )

    async def account_stands(self, **changes: Any) -> None:
        """Let account tell how the account stands."""
        self.account_version += 1
        values: dict[str, Any] = {
            "status": "active",
            "has_payment_method": False,
            "auto_billing_enabled": False,
            "auto_billing_monthly_limit_cents": None,
            **changes,
        }
        await self.tell(
            AccountChanged(
                organization_id=self.organization_id,
                billing_account_id=f"account-{self.organization_id}",
                version=self.account_version,
                billing_email=None,
                tax_exempt=False,
                buyer=Buyer(),
                changed_at=self.clock.now(),
                **values,
            )
        )

    async def settled(self) -> None:
        """Wait until nothing waits for subscription on the bus."""
        topology = await self.stack.bus("topology")
        js = topology.connection.jetstream()

        async def waiting() -> int:
            counts = [await js.consumer_info(d.stream, d.name) for d in subscription.durables]
            return sum((each.num_pending or 0) + (each.num_ack_pending or 0) for each in counts)

        try:
            await until(waiting, lambda count: count == 0)
        finally:
            await topology.close()

    async def report(self, kind: str, *events: dict[str, Any]) -> None:
        """Publish usage as an agent, and wait until it is counted."""
        await self.publish_usage(kind, *events)
        await self.settled()

    async def publish_usage(self, kind: str, *events: dict[str, Any] | str) -> None:
        """Publish usage as an agent, in one envelope."""
        if self._agent is None:
            self._agent = await self.stack.agent(self.organization_id)
        parts = [each if isinstance(each, str) else json.dumps(each) for each in events]
        body = f'{{"v": 1, "producer": "p", "first_seq": 1, "events": [{", ".join(parts)}]}}'
        subject = usage_subject(kind, self.organization_id, "agent-1")
        await self._agent.request(subject, body.encode(), timeout=5)

    def ended(self, workflow_id: str, outcome: str = "completed", **changes: Any) -> dict[str, Any]:
        """The end of a workflow as an agent tells it."""
        return {
            "event_id": uuid4().hex,
            "workflow_id": workflow_id,
            "outcome": outcome,
            "occurred_at": self.clock.now().isoformat(),
            **changes,
        }

    async def check_counters(self) -> None:
        """Counters are the sums of what they count, and no reservation waits for ever."""
        totals = await self.ask(GetWorkflowTotals(organization_id=self.organization_id))
        assert totals.quota_used == totals.charged_by_quota
        assert totals.quota_reserved == totals.reserved_by_quota

    async def close(self) -> None:
        """Let the agent go."""
        if self._agent is not None:
            await self._agent.close()


def covers(reservations: Sequence[Reservation]) -> list[str | None]:
    """What covers each of them."""
    return [each.covered_by for each in reservations]

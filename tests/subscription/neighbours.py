"""Account and stripe_gateway as subscription meets them on the bus, scripted by a test."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from nats.aio.msg import Msg

from shared.bus import IDEMPOTENCY_HEADER, REFUSAL_HEADER, Bus
from shared.clock import new_id
from shared.contracts.account import (
    Account,
    Buyer,
    CreditBalance,
    GetAccount,
    HoldCredits,
    SettleHold,
)
from shared.contracts.base import Event, Refusal, Reply, Request, event_subject, request_subject
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    Charge,
    PreviewPlanChange,
    RefundPayment,
)
from tests.stack import Stack

Answer = Callable[[Any], Awaitable[Reply | None] | Reply | None]
NOT_COVERED = Refusal(code="insufficient_credits", detail="Not enough credits.", status=402)


@dataclass
class Hold:
    """Credits set aside; every request about them is counted."""

    organization_id: str
    amount_cents: int
    state: str = "held"


@dataclass
class Neighbours:
    """Who answers, what was asked, and an account's ledger of holds."""

    account: Bus
    stripe: Bus
    credit_cents: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    holds: dict[str, Hold] = field(default_factory=dict)
    asked: list[Request[Any]] = field(default_factory=list)
    # Under which keys what was asked, for each organization.
    keys: dict[tuple[type, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[type, Answer] = field(default_factory=dict)
    silent: set[type] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)
    _subscriptions: list[Any] = field(default_factory=list)

    @classmethod
    async def start(cls, stack: Stack) -> "Neighbours":
        """Answer everything that subscription asks."""
        self = cls(await stack.bus("account"), await stack.bus("stripe_gateway"))
        self.answers = {
            HoldCredits: self.hold,
            SettleHold: self.settle,
            GetAccount: self.account_of,
        }
        for bus, kind in (
            (self.account, HoldCredits),
            (self.account, SettleHold),
            (self.account, GetAccount),
            (self.stripe, ChangeStripeSubscription),
            (self.stripe, PreviewPlanChange),
            (self.stripe, RefundPayment),
        ):
            await self._answer(bus, kind)
        return self

    async def _answer(self, bus: Bus, kind: type[Any]) -> None:
        async def receive(message: Msg) -> None:
            request = msgspec.json.decode(message.data, type=kind)
            self.asked.append(request)
            key = (message.headers or {}).get(IDEMPOTENCY_HEADER, "")
            self.keys[kind, request.organization_id].add(key)
            if kind in self.silent:
                return
            answer = self.answers[kind](request)
            reply = await answer if isinstance(answer, Awaitable) else answer
            if reply is None:
                return
            headers = {REFUSAL_HEADER: "refused"} if isinstance(reply, Refusal) else None
            body = msgspec.json.encode(reply)
            await bus.connection.publish(message.reply, body, headers=headers)

        self._subscriptions.append(
            await bus.connection.subscribe(request_subject(kind), cb=receive)
        )
        await bus.connection.flush()

    def requests(self, kind: type[Any], organization_id: str) -> list[Any]:
        """What was asked of one kind about an organization."""
        return [
            each
            for each in self.asked
            if isinstance(each, kind) and each.organization_id == organization_id
        ]

    def hold(self, request: HoldCredits) -> Reply:
        """As account does it: once per id, refused beyond what there is."""
        known = self.holds.get(request.hold_id)
        if known is None:
            if self.credit_cents[request.organization_id] < request.amount_cents:
                return NOT_COVERED
            self.credit_cents[request.organization_id] -= request.amount_cents
            self.holds[request.hold_id] = Hold(request.organization_id, request.amount_cents)
        elif known.state == "released":
            return Refusal(code="hold_ended", detail="This hold has ended.")
        return self._balance(request.organization_id)

    def settle(self, request: SettleHold) -> Reply:
        """Commit, renew or release, any number of times."""
        hold = self.holds.get(request.hold_id)
        if hold is None:
            return Refusal(code="hold_not_found", detail="No such hold.", status=404)
        if request.action == "release" and hold.state == "held":
            hold.state = "released"
            self.credit_cents[request.organization_id] += hold.amount_cents
        elif request.action == "commit" and hold.state == "held":
            hold.state = "committed"
        return self._balance(request.organization_id)

    def account_of(self, request: GetAccount) -> Reply:
        """An account of which only the credits matter."""
        made = datetime(2027, 1, 1, tzinfo=UTC)
        return Account(
            billing_account_id="account",
            organization_id=request.organization_id,
            stripe_customer_id=None,
            has_payment_method=False,
            status="active",
            credit_balance_cents=self.credit_cents[request.organization_id],
            credit_held_cents=0,
            credit_debt_cents=0,
            auto_billing_enabled=False,
            auto_billing_monthly_limit_cents=None,
            billing_email=None,
            tax_exempt=False,
            buyer=Buyer(),
            total_workflows_completed=0,
            total_amount_spent_cents=0,
            version=1,
            created_at=made,
            updated_at=made,
        )

    def states(self, organization_id: str) -> Counter[str]:
        """How many holds of an organization are held, committed, released."""
        return Counter(
            hold.state for hold in self.holds.values() if hold.organization_id == organization_id
        )

    def _balance(self, organization_id: str) -> CreditBalance:
        return CreditBalance(
            balance_cents=self.credit_cents[organization_id],
            held_cents=0,
            debt_cents=0,
            changed_cents=0,
        )

    async def publish(self, event: Event) -> None:
        """Tell a fact, as its owner does."""
        owner = type(event).__module__.rpartition(".")[2]
        bus = self.account if owner == "account" else self.stripe
        await bus.connection.jetstream().publish(
            event_subject(type(event), event.organization_id),
            msgspec.json.encode(event),
            headers={"Nats-Msg-Id": new_id()},
        )

    async def stop(self) -> None:
        """Answer no more."""
        await self.account.close()
        await self.stripe.close()


def refunded(amount_cents: int, at: Any) -> Charge:
    """What a refund is answered with."""
    return Charge(
        charge_id="charge",
        stripe_payment_intent_id=None,
        amount_cents=amount_cents,
        status="refunded",
        created_at=at,
    )

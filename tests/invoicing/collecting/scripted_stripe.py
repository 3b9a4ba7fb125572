"""stripe_gateway as invoicing meets it on the bus: charges by name, cards that do as they say."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from nats.aio.msg import Msg

from shared.bus import IDEMPOTENCY_HEADER, REFUSAL_HEADER, Bus
from shared.clock import Clock, new_id
from shared.contracts.base import Event, Refusal, Reply, Request, event_subject, request_subject
from shared.contracts.stripe_gateway import (
    CancelPayment,
    Charge,
    ChargeChanged,
    CollectPayment,
    PaymentMethodsChanged,
    PayStripeInvoice,
    RefundPayment,
)
from tests.stack import Stack

NO_METHOD = Refusal(code="payment_method_not_found", detail="No such method.", status=404)
# What a card answers: (status, failure code).
CARDS = {
    "pm_good": ("succeeded", None),
    "pm_better": ("succeeded", None),
    "pm_poor": ("failed", "insufficient_funds"),
    "pm_lost": ("failed", "lost_card"),
    "pm_asks": ("requires_action", "authentication_required"),
    "pm_slow": ("pending", None),
}


@dataclass
class ScriptedStripe:
    """Every charge that was asked for, and what was asked."""

    bus: Bus
    clock: Clock
    charges: dict[str, Charge] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    # By its id: the charge, and how much of it went back.
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    methods_versions: dict[str, int] = field(default_factory=dict)
    asked: list[Request[Any]] = field(default_factory=list)
    # While it is set, answers come at once.
    open: asyncio.Event = field(default_factory=asyncio.Event)
    # While it is set, what is to be charged comes as far as Stripe.
    arrives: asyncio.Event = field(default_factory=asyncio.Event)
    busy: bool = False
    # What is refused of one kind, each once.
    refuses: dict[type[Any], list[Refusal]] = field(default_factory=dict)
    # What was refused for good, by its key: the answer to that key, however often it is asked.
    _refused: dict[str, Refusal] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def start(cls, stack: Stack, clock: Clock) -> "ScriptedStripe":
        """Answer everything that invoicing asks."""
        self = cls(await stack.bus("stripe_gateway"), clock)
        self.open.set()
        self.arrives.set()
        answers: dict[type[Any], Callable[[Any], Awaitable[Reply]]] = {
            CollectPayment: self.collect,
            CancelPayment: self.cancel,
            RefundPayment: self.refund,
            PayStripeInvoice: self.pay_invoice,
        }
        for kind, answer in answers.items():
            await self._answer(kind, answer)
        return self

    async def _answer(self, kind: type[Any], answer: Callable[[Any], Awaitable[Reply]]) -> None:
        async def receive(message: Msg) -> None:
            request = msgspec.json.decode(message.data, type=kind)
            self.asked.append(request)
            # By itself, so that one slow answer keeps no other one waiting.
            task = asyncio.create_task(send(message, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        async def send(message: Msg, request: Any) -> None:
            key = (message.headers or {}).get(IDEMPOTENCY_HEADER, "")
            reply = self._refused.get(key) or await answer(request)
            if isinstance(reply, Refusal) and not reply.passes:
                self._refused[key] = reply
            headers = {REFUSAL_HEADER: "refused"} if isinstance(reply, Refusal) else None
            await self.bus.connection.publish(
                message.reply, msgspec.json.encode(reply), headers=headers
            )

        await self.bus.connection.subscribe(request_subject(kind), cb=receive)
        await self.bus.connection.flush()

    def requests(self, kind: type[Any], organization_id: str) -> list[Any]:
        """What was asked of one kind about an organization."""
        return [
            each
            for each in self.asked
            if isinstance(each, kind) and each.organization_id == organization_id
        ]

    async def collect(self, request: CollectPayment) -> Reply:
        """Once per charge, as the card does."""
        await self.arrives.wait()
        if self.busy:
            return Refusal(code="stripe_busy", detail="Not now.", status=429)
        card = request.payment_method_id or self.defaults.get(request.organization_id)
        return await self._charge(request.charge_id, request.amount_cents, card)

    async def pay_invoice(self, request: PayStripeInvoice) -> Reply:
        """As a charge of the invoice's amount, which every test here makes $79."""
        card = request.payment_method_id or self.defaults.get(request.organization_id)
        return await self._charge(request.charge_id, 7900, card)

    async def _charge(self, charge_id: str, amount_cents: int, card: str | None) -> Reply:
        if charge_id in self.charges:
            return self.charges[charge_id]
        if card not in CARDS:
            return NO_METHOD
        status, code = CARDS[card]
        charge = Charge(
            charge_id=charge_id,
            stripe_payment_intent_id=f"pi_{charge_id}",
            amount_cents=amount_cents,
            status=status,  # type: ignore[arg-type]
            payment_method_type="card",
            payment_method_brand="visa",
            payment_method_last4="4242",
            failure_code=code,
            failure_message="Not this time." if code else None,
            client_secret=f"secret_{charge_id}" if status == "requires_action" else None,
            created_at=self.clock.now(),
            succeeded_at=self.clock.now() if status == "succeeded" else None,
        )
        self.charges[charge_id] = charge
        await self.open.wait()
        return self.charges[charge_id]

    async def cancel(self, request: CancelPayment) -> Reply:
        """What has not succeeded never will."""
        await self.open.wait()
        charge = self.charges.get(request.charge_id)
        if charge is None:
            # It is on its way, and finds itself ended.
            charge = Charge(
                charge_id=request.charge_id,
                stripe_payment_intent_id=None,
                amount_cents=request.amount_cents or 0,
                status="failed",
                failure_code="canceled",
                created_at=self.clock.now(),
            )
            self.charges[request.charge_id] = charge
        if charge.status in {"pending", "requires_action"}:
            charge = self.set(charge.charge_id, status="failed", failure_code="canceled")
        return charge

    async def refund(self, request: RefundPayment) -> Reply:
        """All or some of it, once a refund."""
        if refusals := self.refuses.get(RefundPayment):
            return refusals.pop(0)
        charge = self.charges[request.charge_id or ""]
        if request.refund_id in self.refunds:
            return charge
        amount = request.amount_cents or charge.amount_cents - charge.refunded_cents
        self.refunds[request.refund_id] = charge.charge_id, amount
        return self.give_back(charge.charge_id, amount)

    def give_back(self, charge_id: str, amount_cents: int) -> Charge:
        """Refund so much more of a charge."""
        charge = self.charges[charge_id]
        total = charge.refunded_cents + amount_cents
        status = "refunded" if total >= charge.amount_cents else "partially_refunded"
        return self.set(charge_id, status=status, refunded_cents=total)

    def set(self, charge_id: str, **changes: Any) -> Charge:
        """Have a charge stand otherwise."""
        changed = msgspec.structs.replace(self.charges[charge_id], client_secret=None, **changes)
        self.charges[charge_id] = changed
        return changed

    async def tell(self, organization_id: str, charge: Charge, version: int | None = None) -> None:
        """Say how a charge stands, by default as the next version."""
        if version is None:
            version = self.versions.get(charge.charge_id, 0) + 1
            self.versions[charge.charge_id] = version
        await self.publish(
            ChargeChanged(
                organization_id=organization_id,
                version=version,
                charge=charge,
                changed_at=self.clock.now(),
            )
        )

    async def set_default(self, organization_id: str, card: str | None) -> None:
        """An organization has another default card, or none."""
        if card is None:
            self.defaults.pop(organization_id, None)
        else:
            self.defaults[organization_id] = card
        version = self.methods_versions.get(organization_id, 0) + 1
        self.methods_versions[organization_id] = version
        await self.publish(
            PaymentMethodsChanged(
                organization_id=organization_id,
                version=version,
                has_payment_method=card is not None,
                default_payment_method_id=card,
                changed_at=self.clock.now(),
            )
        )

    async def publish(self, event: Event) -> None:
        """Tell a fact."""
        await self.bus.connection.jetstream().publish(
            event_subject(type(event), event.organization_id),
            msgspec.json.encode(event),
            headers={"Nats-Msg-Id": new_id()},
        )

    def charged(self, organization_id: str) -> list[int]:
        """The amounts that were really collected."""
        names = {each.charge_id for each in self.requests(CollectPayment, organization_id)}
        names |= {each.charge_id for each in self.requests(PayStripeInvoice, organization_id)}
        settled = {"succeeded", "refunded", "partially_refunded"}
        return [
            charge.amount_cents
            for name, charge in self.charges.items()
            if name in names and charge.status in settled
        ]

    async def stop(self) -> None:
        """Answer no more."""
        self.open.set()
        self.arrives.set()
        await self.bus.close()

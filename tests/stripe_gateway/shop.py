"""A customer's and an operator's hands in tests: accounts, pages, cards, facts that were told."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import stripe
from nats.aio.msg import Msg
from sqlalchemy import text

from shared.bus import AnswerTimedOut, Bus, NoAnswerer
from shared.clock import new_id
from shared.contracts.account import AccountOpened
from shared.contracts.base import Event, Refusal, Reply, Request, event_subject
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    Charge,
    CollectPayment,
    CreateCheckout,
    CustomerLinked,
)
from shared.database import Database
from tests.stack import until
from tests.stripe_gateway.processes import FRONTEND, Edge, Gateway
from tests.stripe_sandbox.running import SECRET_KEY, WEBHOOK_SECRET, Running

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=Reply)


class Facts:
    """What stripe_gateway says, as the bus carries it: each message id once."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, bytes]] = {}

    async def hear(self, message: Msg) -> None:
        message_id = (message.headers or {}).get("Nats-Msg-Id", str(uuid4()))
        self._told[message_id] = (message.subject, message.data)

    def all(self, kind: type[E], organization_id: str) -> list[E]:
        """Every fact of a kind about an organization, in the order heard."""
        subject = event_subject(kind, organization_id)
        return [
            msgspec.json.decode(body, type=kind)
            for told, body in list(self._told.values())
            if told == subject
        ]

    async def wait(self, kind: type[E], organization_id: str, number: int = 1) -> list[E]:
        """Every fact of a kind, once there are so many."""

        async def told() -> list[E]:
            return self.all(kind, organization_id)

        return await until(told, lambda facts: len(facts) >= number)


class Shop:
    """Everything that a test of stripe_gateway needs, in one hand."""

    def __init__(
        self,
        bus: Bus,
        account_bus: Bus,
        sandbox: Running,
        gateway: Gateway,
        edge: Edge,
        database: Database,
        stripe_client: stripe.StripeClient,
        admin_dsn: str,
    ) -> None:
        self.admin_dsn = admin_dsn
        self.bus = bus
        self.sandbox = sandbox
        self.gateway = gateway
        self.edge = edge
        self.database = database
        self.stripe = stripe_client.v1
        self.facts = Facts()
        # How long one try of `settled` waits.
        self.patience_seconds = 3.0
        self._account_bus = account_bus

    async def ask(self, request: Request[R], **more: Any) -> R:
        """The answer; a refusal fails the test."""
        answer = await self.bus.ask(request, **{"timeout_seconds": 20.0, **more})
        assert not isinstance(answer, Refusal), answer
        return answer

    async def refusal(self, request: Request[Any], **more: Any) -> Refusal:
        """The refusal; an answer fails the test."""
        answer = await self.bus.ask(request, **{"timeout_seconds": 20.0, **more})
        assert isinstance(answer, Refusal), answer
        return answer

    async def settled(self, request: Request[R], **more: Any) -> R:
        """The answer, asked for again while the work is pending."""
        found = await self._settled(request, **more)
        assert not isinstance(found, Refusal), found
        return found

    async def settled_refusal(self, request: Request[Any], **more: Any) -> Refusal:
        """The refusal, asked for again while the work is pending."""
        found = await self._settled(request, **more)
        assert isinstance(found, Refusal), found
        return found

    async def _settled(self, request: Request[R], **more: Any) -> R | Refusal:
        key = new_id()

        async def answer() -> R | Refusal:
            try:
                return await self.bus.ask(
                    request,
                    idempotency_key=key,
                    **{"timeout_seconds": self.patience_seconds, **more},
                )
            except (NoAnswerer, AnswerTimedOut):
                return Refusal(code="pending", detail="nobody has answered")

        def is_final(found: R | Refusal) -> bool:
            return not (isinstance(found, Refusal) and found.passes)

        return await until(answer, is_final, 40)

    async def announce_account(self, organization_id: str) -> str:
        """account says that it has one."""
        billing_account_id = f"ba-{organization_id}"
        fact = AccountOpened(
            organization_id=organization_id,
            billing_account_id=billing_account_id,
            opened_at=msgspec.json.decode(
                b'"2026-11-22T12:00:00Z"', type=AccountOpened.__annotations__["opened_at"]
            ),
        )
        await self._account_bus.connection.jetstream().publish(
            event_subject(AccountOpened, organization_id),
            msgspec.json.encode(fact),
            headers={"Nats-Msg-Id": new_id()},
        )
        return billing_account_id

    async def open_account(self, organization_id: str) -> str:
        """An organization with a customer; answers the customer's id at Stripe."""
        await self.announce_account(organization_id)
        linked = await self.facts.wait(CustomerLinked, organization_id)
        assert linked[0].stripe_customer_id is not None
        return linked[0].stripe_customer_id

    async def attach(self, organization_id: str, card: str = "pm_card_visa", **more: Any) -> str:
        """Attach a test card; answers its id, the newest."""
        made = await self.stripe.payment_methods.create_async(
            {"type": "card", "card": {"token": card.replace("pm_card_", "tok_")}}
        )
        await self.settled(
            AttachPaymentMethod(
                organization_id=organization_id,
                payment_method_id=made.id,
                requested_by="user-1",
                **more,
            )
        )
        return made.id

    def order(self, organization_id: str, cents: int = 1999, **changes: Any) -> CreateCheckout:
        """Credits for so much, unless changed."""
        values: dict[str, Any] = {
            "organization_id": organization_id,
            "kind": "credits",
            "amount_cents": cents,
            "description": "Workflow credits",
            "success_url": f"{FRONTEND}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{FRONTEND}/billing/cancel",
            "requested_by": f"user-{uuid4().hex[:8]}",
            **changes,
        }
        return CreateCheckout(**values)

    def charge(self, organization_id: str, cents: int = 2500, **changes: Any) -> CollectPayment:
        """A charge of so much, unless changed."""
        values: dict[str, Any] = {
            "organization_id": organization_id,
            "charge_id": f"ch-{uuid4().hex[:12]}",
            "amount_cents": cents,
            "description": "Invoice INV-1",
            "requested_by": "invoicing",
            **changes,
        }
        return CollectPayment(**values)

    async def pay(self, checkout_url: str, card: str = "visa") -> None:
        """What a person does on the hosted page."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
            form = {"card": card, "email": "buyer@example.com", "name": "A Buyer"}
            answer = await browser.post(checkout_url, data=form)
            assert answer.status_code in {200, 303}, answer.text[:500]

    async def confirm(self, charge: Charge, outcome: str) -> None:
        """What a customer does on the bank's page: `complete` or `fail`."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
            address = f"{self.sandbox.url}/3ds/{charge.client_secret}"
            answer = await browser.post(address, data={"outcome": outcome})
            assert answer.status_code < 400, answer.text[:500]

    async def delivered(self) -> None:
        """Wait until the sandbox has no webhook left to send."""

        async def waiting() -> int:
            return int(self._deliveries()["states"].get("waiting", 0))

        await until(waiting, lambda number: number == 0)

    def _deliveries(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        url = f"{self.sandbox.url}/sandbox/deliveries"
        with httpx.Client(trust_env=False, headers=headers) as client:
            found: dict[str, Any] = client.get(url).json()
        return found

    def charged(self, **having: str) -> list[int]:
        """The amounts really charged, by the sandbox's own ledger."""
        entries = self.sandbox.ledger(kind="charge", **having)["entries"]
        return [entry["amount"] for entry in entries]

    async def pass_time(self) -> None:
        """Have every lease run out and every wait end, as a minute would: of facts, too, that a
        dead process was about to publish.
        """
        async with self.database.transaction() as db:
            await db.execute(text("UPDATE outbox SET leased_until = NULL"))
            await db.execute(text("UPDATE steps SET due_at = now() WHERE status = 'prepared'"))
            await db.execute(text("UPDATE leases SET held_until = now() - interval '1 second'"))

    async def put_off(self, step_id: str) -> None:
        """Have a step wait for an hour."""
        async with self.database.transaction() as db:
            await db.execute(
                text("UPDATE steps SET due_at = now() + interval '1 hour' WHERE step_id = :id"),
                {"id": step_id},
            )

    async def reconcile(self) -> None:
        """Have the reconciler begin its next round now."""
        async with self.database.transaction() as db:
            await db.execute(text("UPDATE walks SET begun_at = now() - interval '1 day'"))

    async def admin(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The database server's administrator."""
        return await asyncpg.connect(self.admin_dsn)

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        """What stands in the service's database."""
        async with self.database.read() as db:
            return list((await db.execute(text(sql), values)).all())

    async def events(self, kind: str, about: str) -> list[dict[str, Any]]:
        """Stripe's own list of events of a type that name an object."""
        found = await self.stripe.events.list_async({"type": kind, "limit": 100})
        told = [json.loads(json.dumps(each.to_dict(), default=str)) for each in found.data]
        return [each for each in told if about in json.dumps(each)]

    async def deliver(self, event: dict[str, Any] | bytes, **changes: Any) -> int:
        """Sign and hand over a webhook as Stripe does; answers the status."""
        secret = changes.get("secret", WEBHOOK_SECRET)
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        at = int(changes.get("at", time.time()))
        header = stripe.WebhookSignature.generate_signature_header(
            body.decode("utf-8", "surrogateescape"), secret, at
        )
        return await self.edge.receive(body, changes.get("signature", header))

    async def idle(self) -> None:
        """Wait until stripe_gateway has looked at everything that it was told of."""

        async def waiting() -> list[Any]:
            return await self.rows(
                "SELECT e.event_id, e.type, e.object_id, s.attempts, s.due_at - now(), s.last_error"
                " FROM webhook_events e LEFT JOIN steps s ON s.step_id = 'look:event:' || event_id"
                " WHERE e.state = 'waiting'"
            )

        await until(waiting, lambda rows: not rows)


async def at_once(number: int, ask: Callable[[], Any]) -> list[Any]:
    """So many of the same at once."""
    return await asyncio.gather(*(ask() for _ in range(number)))

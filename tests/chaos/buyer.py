"""An organization at work: it buys, saves cards, runs workflows and is billed, all at once.

Each of its requests has an idempotency key and is repeated under it until there is an answer.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import nats.errors
from nats.aio.client import Client

from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.clock import new_id
from shared.contracts.account import GetAccount
from shared.contracts.base import Refusal, Reply, Request
from shared.contracts.invoicing import (
    CreditNote,
    GenerateInvoice,
    Invoice,
    InvoiceStatus,
    IssueCreditNote,
    ListInvoices,
    PayInvoice,
    Payment,
    VoidInvoice,
)
from shared.contracts.stripe_gateway import AttachPaymentMethod, CreateCheckout
from shared.contracts.subscription import CompleteWorkflow, ReleaseWorkflow, ReserveWorkflow
from shared.contracts.usage import usage_subject
from tests.chaos.firm import Firm
from tests.examples import envelope
from tests.stripe_gateway.processes import FRONTEND

R = TypeVar("R", bound=Reply)

ANSWER_SECONDS = 3.0
# Each of a chain of services may be killed while it holds the work for half a minute.
PATIENCE_SECONDS = 150.0
AT_ONCE = 3


class NeverAnswered(Exception):
    """Somebody asked for minutes, and nobody answered for good."""


@dataclass
class Buyer:
    """What one organization did, as it was told."""

    firm: Firm
    dice: random.Random
    organization_id: str = field(default_factory=lambda: f"org-{uuid4().hex[:12]}")
    # Cents, for each page that it paid on.
    paid: list[int] = field(default_factory=list)
    completed: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    # By its id: what it was told that an invoice was paid with, and a credit note refunded.
    invoices_paid: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    deeds: int = 0
    asked_again: int = 0
    _agent: Client | None = None

    async def live(self, over: asyncio.Event) -> None:
        """Do one thing after the other, several at once, until it is over."""
        await self._settled(GetAccount(organization_id=self.organization_id))
        self._agent = await self.firm.ground.stack.agent(
            self.organization_id,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignored,
        )
        await self._save_card()
        await asyncio.gather(*(self._live(over) for _ in range(AT_ONCE)))
        await self._agent.close()

    async def _live(self, over: asyncio.Event) -> None:
        deeds = {
            self._buy: 3,
            self._run: 8,
            self._complete_unreserved: 2,
            self._invoice: 3,
            self._pay: 5,
            self._take_back: 1,
            self._refund: 2,
        }
        while not over.is_set():
            (deed,) = self.dice.choices(list(deeds), weights=list(deeds.values()))
            await deed()
            self.deeds += 1

    async def _settled(self, request: Request[R]) -> R | Refusal:
        key = new_id()
        bus, tries = self.firm.bus, 0
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    tries += 1
                    try:
                        answer = await bus.ask(
                            request, idempotency_key=key, timeout_seconds=ANSWER_SECONDS
                        )
                    except (NoAnswerer, AnswerTimedOut, AnswerFailed):
                        await asyncio.sleep(0.1)
                        continue
                    if not (isinstance(answer, Refusal) and answer.passes):
                        return answer
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NeverAnswered(f"{type(request).__name__}, asked {tries} times") from None
        finally:
            self.asked_again += tries - 1

    async def _save_card(self) -> None:
        answer = await self._settled(
            AttachPaymentMethod(
                organization_id=self.organization_id,
                payment_method_id="pm_card_visa",
                requested_by="user-1",
            )
        )
        assert not isinstance(answer, Refusal), answer

    async def _buy(self) -> None:
        """Credits for one to three workflows, on the hosted page."""
        cents = 1000 * self.dice.randint(1, 3)
        page = await self._settled(
            CreateCheckout(
                organization_id=self.organization_id,
                kind="credits",
                amount_cents=cents,
                description="Workflow credits",
                success_url=f"{FRONTEND}/billing/success",
                cancel_url=f"{FRONTEND}/billing/cancel",
                requested_by=f"user-{uuid4().hex[:8]}",
            )
        )
        assert not isinstance(page, Refusal), page
        async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
            form = {"card": "visa", "email": "buyer@example.com", "name": "A Buyer"}
            answer = await browser.post(page.checkout_url, data=form)
        assert answer.status_code in {200, 303}, answer.text[:500]
        self.paid.append(cents)

    async def _run(self) -> None:
        """Reserve a workflow and let it complete, fail, or go on beyond the end."""
        workflow_id = f"run-{uuid4().hex[:12]}"
        answer = await self._settled(
            ReserveWorkflow(organization_id=self.organization_id, workflow_id=workflow_id)
        )
        if isinstance(answer, Refusal):
            assert answer.status == 402, answer
            self.refused.add(workflow_id)
            return
        of, reservation_id = self.organization_id, answer.reservation_id
        fate = self.dice.choice(("asked", "asked", "told", "told", "released", "kept"))
        if fate == "asked":
            ended = await self._settled(
                CompleteWorkflow(organization_id=of, reservation_id=reservation_id)
            )
            assert not isinstance(ended, Refusal), ended
            self.completed.add(workflow_id)
        elif fate == "told":
            await self._tell(workflow_id)
        elif fate == "released":
            released = await self._settled(
                ReleaseWorkflow(organization_id=of, reservation_id=reservation_id)
            )
            assert not isinstance(released, Refusal), released
            self.released.add(workflow_id)
        else:
            self.kept.add(workflow_id)

    async def _complete_unreserved(self) -> None:
        await self._tell(f"unreserved-{uuid4().hex[:12]}")

    async def _tell(self, workflow_id: str) -> None:
        """An agent tells that a workflow completed, until the bus has it, and sometimes twice."""
        event = {
            "event_id": uuid4().hex,
            "workflow_id": workflow_id,
            "outcome": "completed",
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        for _ in range(self.dice.choice((1, 1, 2))):
            await self._publish(event)
        self.completed.add(workflow_id)

    async def _publish(self, event: dict[str, Any]) -> None:
        subject = usage_subject("workflow", self.organization_id, "agent-1")
        assert self._agent is not None
        while True:
            try:
                answer = await self._agent.request(subject, envelope(event), timeout=2)
                if json.loads(answer.data).get("stream"):
                    return
            except (nats.errors.Error, TimeoutError, OSError):
                await asyncio.sleep(0.1)

    async def _invoice(self) -> None:
        """What was used, of which something was paid for by nothing."""
        await self._complete_unreserved()
        answer = await self._settled(
            GenerateInvoice(organization_id=self.organization_id, requested_by="user-1")
        )
        assert not isinstance(answer, Refusal), answer

    async def _pay(self) -> None:
        """An open invoice, from two tabs at once."""
        invoice = await self._one("open")
        if invoice is None:
            return
        pay: Request[Any] = PayInvoice(
            organization_id=self.organization_id,
            invoice_id=invoice.invoice_id,
            requested_by="user-1",
        )
        answers = await asyncio.gather(self._settled(pay), self._settled(pay))
        for answer in answers:
            if isinstance(answer, Payment) and answer.status == "succeeded":
                self.invoices_paid[invoice.invoice_id] = answer.amount_cents
            elif isinstance(answer, Refusal):
                assert answer.status == 409, answer

    async def _take_back(self) -> None:
        """An open invoice, whoever is paying it."""
        invoice = await self._one("open")
        if invoice is None:
            return
        answer = await self._settled(
            VoidInvoice(
                organization_id=self.organization_id,
                invoice_id=invoice.invoice_id,
                reason="chaos",
                requested_by="operator",
            )
        )
        assert not isinstance(answer, Refusal) or answer.status == 409, answer

    async def _refund(self) -> None:
        """A part of a paid invoice."""
        invoice = await self._one("paid")
        if invoice is None:
            return
        answer = await self._settled(
            IssueCreditNote(
                organization_id=self.organization_id,
                invoice_id=invoice.invoice_id,
                credit_note_id=f"note-{uuid4().hex[:12]}",
                amount_cents=self.dice.randint(1, 500),
                kind="refund",
                reason="chaos",
                requested_by="operator",
            )
        )
        if isinstance(answer, CreditNote):
            self.refunded[answer.credit_note_id] = answer.amount_cents
        else:
            assert answer.status in {409, 422}, answer

    async def _one(self, status: InvoiceStatus) -> Invoice | None:
        listed = await self._settled(
            ListInvoices(organization_id=self.organization_id, status=status)
        )
        assert not isinstance(listed, Refusal), listed
        return self.dice.choice(listed.invoices) if listed.invoices else None


async def _ignored(_error: Exception) -> None:
    """The bus is killed again and again; the agents' only word on it is to send again."""

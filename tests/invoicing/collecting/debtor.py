"""An organization that owes: its settings, its invoices, what it asks and what is told of it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from nats.aio.msg import Msg

from services.invoicing.app import means
from services.invoicing.handlers import autobilling
from services.invoicing.handlers.collecting import begin_collecting
from services.invoicing.store.invoices import add_invoices, find_invoice
from services.invoicing.store.profiles import find_profile, lock_profile, save_profile
from services.invoicing.tables import InvoiceRow, LineRow, ProfileRow
from shared.bus import Bus
from shared.clock import FixedClock, new_id
from shared.contracts.account import AccountChanged, Buyer
from shared.contracts.base import Event, Refusal, Reply, Request, name_of
from shared.contracts.invoicing import ListPayments, PayInvoice, Payment
from shared.outbox import add_events
from tests.invoicing.collecting.scripted_stripe import ScriptedStripe
from tests.stack import Stack, until

R = TypeVar("R", bound=Reply)
DUE_DAYS = 7


@dataclass
class Debtor:
    """One organization; nobody else uses it."""

    stack: Stack
    bus: Bus
    stripe: ScriptedStripe
    clock: FixedClock
    organization_id: str
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    account_version: int = 0
    numbers: int = 0

    async def listen(self) -> None:
        """Remember every fact that invoicing tells of this organization."""

        async def hear(message: Msg) -> None:
            self.told.append((message.subject.split(".")[2], msgspec.json.decode(message.data)))

        subject = f"event.invoicing.*.{self.organization_id}"
        await self.bus.connection.subscribe(subject, cb=hear)
        await self.bus.connection.flush()

    def facts(self, kind: type[Event]) -> list[dict[str, Any]]:
        """What was told of one kind so far."""
        return [body for fact, body in self.told if fact == name_of(kind)]

    async def told_of(self, kind: type[Event], count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many facts of a kind."""

        async def look() -> list[dict[str, Any]]:
            return self.facts(kind)

        return await until(look, lambda facts: len(facts) >= count)

    async def set_card(self, card: str | None) -> None:
        """Another default card; returns when invoicing knows."""
        await self.stripe.set_default(self.organization_id, card)
        version = self.stripe.methods_versions[self.organization_id]
        await self._knows(lambda profile: profile.methods_version >= version)

    async def settings(self, **changes: Any) -> None:
        """The account's settings; returns when invoicing knows."""
        self.account_version += 1
        values: dict[str, Any] = {
            "status": "active",
            "has_payment_method": False,
            "auto_billing_enabled": False,
            "auto_billing_monthly_limit_cents": None,
            "billing_email": None,
            "tax_exempt": False,
            "buyer": Buyer(),
            **changes,
        }
        fact = AccountChanged(
            organization_id=self.organization_id,
            billing_account_id=f"ba-{self.organization_id}",
            version=self.account_version,
            changed_at=self.clock.now(),
            **values,
        )
        await self.stack.tell(fact)
        await self._knows(lambda profile: profile.account_version >= self.account_version)

    async def _knows(self, satisfied: Any) -> None:
        async def profile() -> ProfileRow | None:
            async with means.database.read() as db:
                return await find_profile(db, self.organization_id)

        await until(profile, lambda found: found is not None and satisfied(found))

    async def owes(self, cents: int = 5000, **changes: Any) -> str:
        """An invoice that is finalized now; answers its id."""
        self.numbers += 1
        invoice = InvoiceRow(
            **{
                "organization_id": self.organization_id,
                "invoice_id": new_id(),
                "status": "open",
                "number": self.numbers,
                "invoice_number": f"INV-TEST-{self.numbers:06}",
                "subtotal_cents": cents,
                "total_cents": cents,
                "amount_due_cents": cents,
                "due_at": self.clock.now() + timedelta(days=DUE_DAYS),
                "finalized_at": self.clock.now(),
                "created_at": self.clock.now(),
                "updated_at": self.clock.now(),
                **changes,
            }
        )
        line = LineRow(
            organization_id=self.organization_id,
            invoice_id=invoice.invoice_id,
            position=1,
            kind="workflow_completion",
            description="Completed workflows",
            quantity=1,
            unit_price_cents=invoice.subtotal_cents,
            exact_picousd=invoice.subtotal_cents * 10**10,
            total_cents=invoice.subtotal_cents,
        )
        async with means.database.transaction() as db:
            profile = await lock_profile(db, self.organization_id)
            await add_invoices(db, [invoice], [line])
            if invoice.status == "open" and invoice.amount_due_cents:
                await add_events(db, await begin_collecting(db, profile, invoice))
        return invoice.invoice_id

    async def park(self, reason: str | None) -> None:
        """Have the organization parked, or released."""
        async with means.database.transaction() as db:
            profile = await lock_profile(db, self.organization_id)
            await save_profile(db, msgspec.structs.replace(profile, parked_reason=reason))

    async def pass_days(self, days: float) -> None:
        """Let time pass, and have done what is due by then."""
        self.clock.advance(timedelta(days=days))
        await self.do_what_is_due()

    async def do_what_is_due(self) -> None:
        """What the jobs of the service do every few seconds."""
        for job in (autobilling.act_on_due, autobilling.remind):
            async with means.database.transaction() as db:
                await add_events(db, await job(db))

    async def row(self, invoice_id: str) -> InvoiceRow:
        """How an invoice stands."""
        async with means.database.read() as db:
            found = await find_invoice(db, [self.organization_id], invoice_id)
        assert found is not None
        return found

    async def stands(self, invoice_id: str, status: str) -> InvoiceRow:
        """Wait until an invoice has a status."""

        async def look() -> InvoiceRow:
            return await self.row(invoice_id)

        return await until(look, lambda row: row.status == status)

    def paying(self, invoice_id: str, card: str | None = None) -> PayInvoice:
        """A request to pay."""
        return PayInvoice(
            organization_id=self.organization_id,
            invoice_id=invoice_id,
            payment_method_id=card,
            requested_by="alice",
        )

    async def pay(self, invoice_id: str, card: str | None = None, **options: Any) -> Payment:
        """Pay an invoice; the answer."""
        return await self.ask(self.paying(invoice_id, card), **options)

    async def payments(self, invoice_id: str) -> tuple[Payment, ...]:
        """All attempts at an invoice, newest first."""
        request = ListPayments(organization_id=self.organization_id, invoice_id=invoice_id)
        return (await self.ask(request)).payments

    async def attempts(self, invoice_id: str, count: int, status: str) -> tuple[Payment, ...]:
        """Wait until there are so many attempts, the newest in a status."""

        async def look() -> tuple[Payment, ...]:
            return await self.payments(invoice_id)

        return await until(look, lambda found: len(found) == count and found[0].status == status)

    async def answered(self, request: Request[R], **options: Any) -> R | Refusal:
        """Ask for something; the answer, whatever it is."""
        return await self.bus.ask(request, **{"timeout_seconds": 20.0, **options})

    async def ask(self, request: Request[R], **options: Any) -> R:
        """Ask for something that is granted."""
        answer = await self.answered(request, **options)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def refused(self, request: Request[Any], **options: Any) -> Refusal:
        """Ask for something that is refused."""
        answer = await self.answered(request, **options)
        assert isinstance(answer, Refusal), answer
        return answer

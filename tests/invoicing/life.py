"""A life of an organization's money beside its oracle: real handlers on real databases."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
from hypothesis import event

from services.account.app import credits_, expiry, holds, many, purchases
from services.account.handlers.accounts import get_account, open_account
from services.invoicing.app import monthly_close, service
from services.invoicing.handlers import paying, terms, usage
from services.invoicing.handlers.means import Means
from services.invoicing.settings import InvoicingSettings
from shared.answers import IdempotencyKey, StoredAnswer
from shared.bus import Asks
from shared.clock import FixedClock
from shared.contracts.account import (
    Account,
    ApplyCredits,
    ApplyManyCredits,
    CreditBalance,
    GetAccount,
    GrantCredits,
    HoldCredits,
    RestoreCredits,
    SettleHold,
)
from shared.contracts.base import Refusal, Request, reply_type_of
from shared.contracts.invoicing import (
    CreditNoteKind,
    GenerateInvoice,
    IssueCreditNote,
    MaybeInvoice,
    PayInvoice,
    Payment,
    SetBillingTerms,
    VoidInvoice,
)
from shared.contracts.stripe_gateway import (
    Charge,
    ChargeChanged,
    CollectPayment,
    PurchasePaid,
    PurchaseReversed,
    RefundPayment,
)
from shared.contracts.subscription import WorkflowCharged
from shared.database import Database, Db
from shared.stepped_requests import SteppedAnswer
from shared.steps import StepRunner
from tests.account.invariants import check_credits
from tests.invoicing.invariants import check_invoices
from tests.invoicing.oracle import Bill, Expected, Lot, Use
from tests.stack import Stack

BEGINNING = datetime(2027, 1, 15, 12, tzinfo=UTC)


class Bank(Means):
    """Asks account by its handlers."""

    def __init__(self, database: Database) -> None:
        super().__init__(Asks("invoicing"))
        self._database = database
        self._settings = InvoicingSettings(database_url="postgresql://unused")
        self.handlers: dict[type[Any], Any] = {
            ApplyCredits: credits_.apply_credits,
            ApplyManyCredits: many.apply_many,
            RestoreCredits: credits_.restore_credits,
            GrantCredits: credits_.grant_credits,
            HoldCredits: holds.hold_credits,
            SettleHold: holds.settle_hold,
            GetAccount: get_account,
        }
        self.charges: dict[str, Charge] = {}
        self.refunds: dict[str, int] = {}
        self.card_is_good = True

    async def ask(self, request: Request[Any], key: str) -> Any:
        """Twice, as after an answer that was lost: the second one is the same."""
        if isinstance(request, CollectPayment):
            return self.charges.setdefault(request.charge_id, self.charge(request))
        if isinstance(request, RefundPayment):
            return self.refund(request)
        first = await self.carry_out(self.handlers[type(request)], request)
        second = await self.carry_out(self.handlers[type(request)], request)
        if isinstance(first, CreditBalance) and isinstance(second, CreditBalance):
            assert first.total_cents == second.total_cents
        return second

    def charge(self, request: CollectPayment) -> Charge:
        """As the card does."""
        return Charge(
            charge_id=request.charge_id,
            stripe_payment_intent_id=f"pi_{request.charge_id}",
            amount_cents=request.amount_cents,
            status="succeeded" if self.card_is_good else "failed",
            failure_code=None if self.card_is_good else "card_declined",
            created_at=BEGINNING,
        )

    def refund(self, request: RefundPayment) -> Charge | Refusal:
        """Once a refund, never beyond the charge."""
        charge = self.charges[request.charge_id or ""]
        before = charge.refunded_cents
        cents = request.amount_cents or charge.amount_cents
        if request.refund_id not in self.refunds:
            if before + cents > charge.amount_cents:
                return Refusal(code="refund_too_large", detail="More than was paid.")
            self.refunds[request.refund_id] = cents
            charge = msgspec.structs.replace(
                charge,
                refunded_cents=before + cents,
                status="refunded"
                if before + cents == charge.amount_cents
                else "partially_refunded",
            )
            self.charges[charge.charge_id] = charge
        return charge

    async def carry_out(self, handler: Any, argument: Any) -> Any:
        async with self._database.transaction() as db:
            answer = await handler(argument, db)
        return answer[0] if isinstance(answer, tuple) else answer


class Life:
    """One organization: what there is, and what should be."""

    def __init__(self, bank: Bank, database: Database, clock: FixedClock) -> None:
        self.bank, self.database, self.clock = bank, database, clock
        self.organization_id = f"org-{uuid4().hex[:12]}"
        self.expected = Expected()
        self.runner = StepRunner(database, service.steps)
        self.bought: list[tuple[str, Lot, int]] = []
        self.reversed: dict[str, int] = {}
        self.reserved: list[str] = []
        self.asked = 0

    async def request(self, request: Request[Any]) -> Any:
        """As it comes over the bus, under a key of its own."""
        (step,) = (each for each in service.answering_steps if each.request is type(request))
        self.asked += 1
        key = IdempotencyKey(self.organization_id, "owner", step.kind, str(self.asked), b"")
        answer = await SteppedAnswer(step, self.database, self.runner).answer(request, key, 30)
        if isinstance(answer, StoredAnswer):
            kind = Refusal if answer.refused else reply_type_of(type(request))
            return msgspec.json.decode(answer.reply, type=kind)
        return answer

    async def act(self, name: str, value: Any) -> None:
        """One thing that happens, a second after the last."""
        self.clock.advance(timedelta(seconds=1))
        self.expected.purse.settle(self.clock.now())
        await getattr(self, f"do_{name}")(value)
        await self.check()

    async def do_buy(self, cents: int) -> None:
        session = f"cs_{uuid4().hex}"
        paid = PurchasePaid(
            organization_id=self.organization_id,
            session_id=session,
            kind="credits",
            tier=None,
            amount_cents=cents,
            payment_intent_id=None,
            stripe_invoice_id=None,
            paid_at=self.clock.now(),
        )
        for _ in range(2):
            await self.bank.carry_out(purchases.grant_purchase, paid)
        lot = self.expected.purse.add("purchased", cents, self.clock.now())
        self.bought.append((session, lot, cents))

    async def do_gift(self, value: tuple[int, int]) -> None:
        cents, days = value
        until = self.clock.now() + timedelta(days=days)
        request = GrantCredits(
            organization_id=self.organization_id,
            grant_id=uuid4().hex,
            amount_cents=cents,
            expires_at=until,
            description="gift",
            requested_by="operator",
        )
        await self.bank.ask(request, "")
        self.expected.purse.add("promotional", cents, self.clock.now(), until)

    async def do_dispute(self, value: tuple[int, int]) -> None:
        if not self.bought:
            return
        session, lot, paid = self.bought[value[0] % len(self.bought)]
        before = self.reversed.get(session, 0)
        self.reversed[session] = min(paid, before + value[1])
        told = PurchaseReversed(
            organization_id=self.organization_id,
            session_id=session,
            kind="credits",
            amount_cents=paid,
            reversed_cents=self.reversed[session],
            version=self.reversed[session] + 1,
            reason="dispute",
            reversed_at=self.clock.now(),
        )
        for _ in range(2):
            await self.bank.carry_out(purchases.reverse_purchase, told)
        self.expected.purse.take_back(self.reversed[session] - before, lot, self.clock.now())

    async def hold(self, cents: int) -> str | None:
        hold_id = f"hold-{uuid4().hex}"
        request = HoldCredits(
            organization_id=self.organization_id,
            hold_id=hold_id,
            amount_cents=cents,
            expires_at=self.clock.now() + timedelta(days=36_000),
        )
        answer = await self.bank.ask(request, "")
        assert self.expected.purse.hold(hold_id, cents) != isinstance(answer, Refusal)
        return None if isinstance(answer, Refusal) else hold_id

    async def do_reserve(self, cents: int) -> None:
        if hold_id := await self.hold(cents):
            self.reserved.append(hold_id)

    async def do_release(self, _: None) -> None:
        if self.reserved:
            hold_id = self.reserved.pop()
            request = SettleHold(
                organization_id=self.organization_id, hold_id=hold_id, action="release"
            )
            await self.bank.ask(request, "")
            self.expected.purse.release(hold_id, self.clock.now())

    async def do_run(self, value: tuple[int, str]) -> None:
        cents, covered_by = value
        hold_id = await self.hold(cents) if covered_by == "credits" else None
        if covered_by == "none" or hold_id:
            await self.charge(cents, self.clock.now(), hold_id)

    async def do_late(self, cents: int) -> None:
        await self.charge(cents, self.clock.now() - timedelta(days=33), None)

    async def charge(self, cents: int, at: datetime, hold_id: str | None) -> None:
        now = self.clock.now()
        fact = WorkflowCharged(
            organization_id=self.organization_id,
            workflow_id=uuid4().hex,
            reservation_id=uuid4().hex,
            ticket_id=None,
            tier="pro",
            covered_by="credits" if hold_id else "none",
            unit_price_cents=cents,
            hold_id=hold_id,
            period_start=None,
            completed_at=at,
            charged_at=now,
        )
        for _ in range(2):
            async with self.database.transaction() as db:
                await usage.add_workflow(fact, db)
        self.expected.unbilled.append(Use(cents, at, now, hold_id))

    async def do_terms(self, value: tuple[int, int]) -> None:
        self.expected.discount, self.expected.tax = value
        request = SetBillingTerms(
            organization_id=self.organization_id,
            discount_basis_points=value[0],
            tax_basis_points=value[1],
            requested_by="operator",
        )
        async with self.database.transaction() as db:
            await terms.set_terms(request, db)

    async def generate(self) -> MaybeInvoice:
        """Bill what is unbilled."""
        request = GenerateInvoice(organization_id=self.organization_id, requested_by="owner")
        answer = await self.request(request)
        assert isinstance(answer, MaybeInvoice), answer
        return answer

    async def do_invoice(self, _: None) -> None:
        now = self.clock.now()
        answer = await self.generate()
        soon = now + timedelta(microseconds=1)
        expected = self.expected.bill(now, soon, soon)
        assert (answer.invoice is None) == (expected is None)
        if answer.invoice is not None and expected is not None:
            event(f"invoice {answer.invoice.status}")
            late = sum(use.cents for use in expected.uses if use.is_late)
            adjusted = (line for line in answer.invoice.lines if line.kind == "adjustment")
            assert sum(line.total_cents for line in adjusted) == late

    async def do_void(self, which: int) -> None:
        if not self.expected.bills:
            return
        bill = self.expected.bills[which % len(self.expected.bills)]
        request = VoidInvoice(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            reason="a mistake",
            requested_by="operator",
        )
        answer = await self.request(request)
        refused = bill.status != "unpaid" or bill.credited > 0
        assert isinstance(answer, Refusal) == refused, answer
        event(f"void {'refused' if refused else 'done'}")
        if not refused:
            self.expected.void(bill, self.clock.now())

    async def correct(self, bill: Bill, cents: int, kind: CreditNoteKind) -> Any:
        """Ask for a credit note."""
        request = IssueCreditNote(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            credit_note_id=uuid4().hex,
            kind=kind,
            amount_cents=cents,
            reason="a mistake",
            requested_by="operator",
        )
        return await self.request(request)

    async def do_correct(self, value: tuple[int, int]) -> None:
        if not self.expected.bills:
            return
        bill, cents = self.expected.bills[value[0] % len(self.expected.bills)], value[1]
        answer = await self.correct(bill, cents, "credit")
        is_paid = bill.status == "paid"
        most = bill.total - bill.credited if is_paid else bill.left
        fits = cents <= most and (is_paid or bill.left == cents or bill.left - cents >= 50)
        assert isinstance(answer, Refusal) == (bill.status == "void" or not fits), answer
        if isinstance(answer, Refusal):
            return
        bill.credited += cents
        event(f"credit note on {bill.status}")
        if is_paid:
            self.expected.purse.add("purchased", cents, self.clock.now())
        elif bill.left == 0:
            bill.status = "paid"

    async def do_pay(self, value: tuple[int, bool]) -> None:
        if not self.expected.bills:
            return
        which, self.bank.card_is_good = value
        bill = self.expected.bills[which % len(self.expected.bills)]
        request = PayInvoice(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            payment_method_id="pm_1",
            requested_by="owner",
        )
        answer = await self.request(request)
        assert isinstance(answer, Refusal) == (bill.status != "unpaid"), answer
        if isinstance(answer, Payment):
            event(f"payment {answer.status}")
            assert answer.amount_cents == bill.left
            assert answer.status == ("succeeded" if self.bank.card_is_good else "failed")
        if isinstance(answer, Payment) and self.bank.card_is_good:
            bill.paid, bill.status = bill.left, "paid"

    async def do_refund(self, value: tuple[int, int]) -> None:
        if not self.expected.bills:
            return
        bill, cents = self.expected.bills[value[0] % len(self.expected.bills)], value[1]
        answer = await self.correct(bill, cents, "refund")
        most = min(bill.paid - bill.refunded, bill.total - bill.credited)
        assert isinstance(answer, Refusal) == (cents > most), answer
        if not isinstance(answer, Refusal):
            event("refund")
            bill.refunded += cents
            bill.credited += cents
            await self.tell_charges()

    async def tell_charges(self) -> None:
        """Tell of every charge, twice."""
        for charge in list(self.bank.charges.values()) * 2:
            fact = ChargeChanged(
                organization_id=self.organization_id,
                version=charge.refunded_cents + 1,
                charge=charge,
                changed_at=self.clock.now(),
            )
            async with self.database.transaction() as db:
                await paying.follow_charge(fact, db)

    async def do_pass(self, hours: int) -> None:
        """Months end on the way; they are closed one after the other, now."""
        before = self.clock.now()
        self.clock.advance(timedelta(hours=hours))
        now = self.clock.now()
        await self.bank.carry_out(_every(expiry.expire), None)
        self.expected.purse.settle(now)
        closes = _closes(before, now)
        await self.close_months(len(closes) + 1)
        for at in closes:
            made = self.expected.bill(now, at - timedelta(hours=1), at)
            event(f"month closed with {made.status if made else 'nothing'}")

    async def close_months(self, count: int) -> None:
        """Close so many months that have ended, one after the other."""
        for _ in range(count):
            async with self.database.transaction() as db:
                await monthly_close.close(db)
            for row in await self.runner._lease(100):
                await self.runner.begin(row)

    async def id_of(self, number: int) -> str:
        async with self.database.read() as db:
            found: str = await db.driver.fetchval(
                "SELECT invoice_id FROM invoices WHERE organization_id = $1 AND number = $2",
                self.organization_id,
                number,
            )
        return found

    async def check(self) -> None:
        """The tables say what the oracle says, and every invariant holds."""
        account = await self.bank.ask(GetAccount(organization_id=self.organization_id), "")
        assert isinstance(account, Account)
        purse = self.expected.purse
        assert (
            account.credit_balance_cents,
            account.credit_held_cents,
            account.credit_debt_cents,
        ) == (purse.free, purse.held, purse.debt)
        async with self.database.read() as db:
            found = await db.driver.fetch(
                "SELECT number, total_cents, credits_applied_cents, amount_due_cents,"
                " amount_paid_cents, amount_refunded_cents, credited_cents,"
                " CASE WHEN status IN ('open', 'past_due') THEN 'unpaid' ELSE status END"
                " FROM invoices WHERE organization_id = $1 AND number IS NOT NULL ORDER BY number",
                self.organization_id,
            )
            unbilled = await db.driver.fetchval(
                "SELECT count(*) FROM usage_records"
                " WHERE organization_id = $1 AND billed_at IS NULL",
                self.organization_id,
            )
            await check_invoices(db.driver, self.organization_id)
        assert [tuple(row) for row in found] == [
            (
                bill.number,
                bill.total,
                bill.credits,
                bill.due,
                bill.paid,
                bill.refunded,
                bill.credited,
                bill.status,
            )
            for bill in self.expected.bills
        ]
        assert unbilled == len(self.expected.unbilled)

    async def check_account(self, dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        await check_credits(connection, self.organization_id)
        await connection.close()


def _every(job: Any) -> Any:
    async def carry_out(_: None, db: Db) -> Any:
        await job(db)

    return carry_out


def _closes(after: datetime, until: datetime) -> list[datetime]:
    """The first of each month, one o'clock, in between."""
    days = (until - after).days + 2
    midnight = after.replace(hour=1, minute=0, second=0, microsecond=0)
    moments = (midnight + timedelta(days=day) for day in range(days + 1))
    return [each for each in moments if each.day == 1 and after < each <= until]


@contextmanager
def steps_ask(bank: Bank) -> Iterator[None]:
    """Have every step ask this bank; the app's own means are put back afterwards."""
    asking: list[Any] = [
        each for each in (*service.steps, monthly_close) if hasattr(each, "_means")
    ]
    kept = [each._means for each in asking]
    for each in asking:
        each._means = bank
    try:
        yield
    finally:
        for each, means in zip(asking, kept, strict=True):
            each._means = means


@asynccontextmanager
async def living(stack: Stack) -> AsyncIterator[Life]:
    """A life of its own, with time of its own; no month of it is left to be closed by others."""
    clock = FixedClock(BEGINNING)
    invoicing = Database(stack.databases["invoicing"].dsn, clock)
    account = Database(stack.databases["account"].dsn, clock)
    bank = Bank(account)
    life = Life(bank, invoicing, clock)
    try:
        with steps_ask(bank):
            async with account.transaction() as db:
                await open_account(db, life.organization_id)
            yield life
            await life.check_account(stack.databases["account"].owner_dsn)
    finally:
        async with invoicing.transaction() as db:
            await db.driver.execute(
                "UPDATE billing_profiles SET next_close_at = 'infinity' WHERE organization_id = $1",
                life.organization_id,
            )
        await invoicing.close()
        await account.close()

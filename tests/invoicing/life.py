"""A life of an organization's money beside its oracle: real handlers on real databases."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import currently_in_test_context, event

from services.account.handlers import accounts
from services.account.handlers.audit import list_audit
from shared.clock import FixedClock
from shared.contracts.account import (
    Account,
    GetAccount,
    GrantCredits,
    HoldCredits,
    ListAudit,
    SettleHold,
    UpdateAccount,
)
from shared.contracts.base import Refusal
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
from shared.contracts.stripe_gateway import RefundFailed
from shared.database import Database
from tests.invoicing import examples
from tests.invoicing.bank import Bank, Card
from tests.invoicing.invariants import check_collected, check_invoices
from tests.invoicing.oracle import Bill, Expected, Use
from tests.invoicing.organization import Organization
from tests.invoicing.purse import Lot, Taken

LONG = timedelta(days=36_000)


class Purchase:
    """Credits that were bought, and what of them was disputed away."""

    def __init__(self, lot: Lot, cents: int) -> None:
        self.session_id = f"cs_{uuid4().hex}"
        self.lot, self.cents = lot, cents
        self.reversed, self.version = 0, 0
        self.taken: Taken = []


class Life(Organization):
    """One organization: what there is, and what should be."""

    def __init__(self, bank: Bank, database: Database, clock: FixedClock, name: str) -> None:
        super().__init__(bank, database, clock, name)
        self.expected = Expected()
        self.bought: list[Purchase] = []
        self.reserved: list[tuple[str, int]] = []
        self.cards = 0
        self.was_suspended = False
        self.happened: set[str] = set()
        # What must never change: the hash of each final invoice.
        self.sealed: dict[str, bytes] = {}

    async def act(self, name: str, *values: Any) -> None:
        """One thing that happens, a second after the last; then all is as it should be."""
        self.clock.advance(timedelta(seconds=1))
        self.expected.purse.settle(self.clock.now())
        await getattr(self, f"do_{name}")(*values)
        await self.tell_charges()
        if self.expected.suspended != self.was_suspended:
            self.was_suspended = self.expected.suspended
            self.tell_of("suspended" if self.was_suspended else "reinstated")
        await self.check()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def tell_of(self, what: str) -> None:
        """Remember that this has happened."""
        self.happened.add(what)
        if currently_in_test_context():
            event(what)

    def bill_of(self, which: int) -> Bill:
        return self.expected.bills[which % len(self.expected.bills)]

    # Credits

    async def do_buy(self, cents: int) -> None:
        lot = self.expected.purse.add("purchased", cents, self.now)
        bought = Purchase(lot, cents)
        paid = examples.purchase(self.organization_id, bought.session_id, cents, self.now)
        await self.tell(paid, paid)
        self.bank.move(self.organization_id, bought.session_id, cents, "credits")
        self.bought.append(bought)
        self.expected.spent += cents

    async def do_gift(self, cents: int, days: int) -> None:
        until = self.now + timedelta(days=days)
        request = GrantCredits(
            organization_id=self.organization_id,
            grant_id=uuid4().hex,
            amount_cents=cents,
            expires_at=until,
            description="gift",
            requested_by="operator",
        )
        await self.request(request)
        self.expected.purse.add("promotional", cents, self.now, until)

    async def do_dispute(self, which: int, cents: int) -> None:
        bought = self.bought[which % len(self.bought)]
        await self.reverse(bought, min(bought.cents, bought.reversed + cents))

    async def do_win(self, which: int, cents: int) -> None:
        bought = self.bought[which % len(self.bought)]
        await self.reverse(bought, max(0, bought.reversed - cents))

    async def reverse(self, bought: Purchase, to_cents: int) -> None:
        """A bank says that so much of a purchase is disputed away now."""
        change, bought.reversed = to_cents - bought.reversed, to_cents
        bought.version += 1
        told = examples.reversal(
            self.organization_id,
            bought.session_id,
            bought.version,
            to_cents,
            bought.cents,
            self.now,
        )
        await self.tell(told, told)
        if change:
            name = f"{bought.session_id}:{bought.version}"
            self.bank.move(self.organization_id, name, -change, "dispute")
        self.expected.spent -= change
        if change > 0:
            self.expected.purse.take_back(change, bought.lot, bought.taken, self.now)
        elif change < 0:
            self.tell_of("dispute won")
            self.expected.purse.reinstate(-change, bought.taken, self.now)

    async def hold(self, cents: int, ends_at: datetime | None) -> str | None:
        hold_id = f"hold-{uuid4().hex}"
        request = HoldCredits(
            organization_id=self.organization_id,
            hold_id=hold_id,
            amount_cents=cents,
            expires_at=ends_at or self.now + LONG,
        )
        answer = await self.request(request)
        assert self.expected.hold(hold_id, cents, ends_at) != isinstance(answer, Refusal)
        return None if isinstance(answer, Refusal) else hold_id

    async def do_reserve(self, cents: int, hours: int) -> None:
        if hold_id := await self.hold(cents, self.now + timedelta(hours=hours)):
            self.reserved.append((hold_id, cents))

    async def do_release(self) -> None:
        hold_id, _ = self.reserved.pop()
        await self.settle(hold_id, "release")
        if hold_id in self.expected.purse.holds:
            self.expected.purse.release(hold_id, self.now)

    async def do_finish(self) -> None:
        """A reserved workflow completes, maybe after its hold has ended."""
        hold_id, cents = self.reserved.pop()
        is_held = hold_id in self.expected.purse.holds
        assert isinstance(await self.settle(hold_id, "commit"), Refusal) != is_held
        self.tell_of(f"workflow whose hold is {'there' if is_held else 'gone'}")
        self.expected.purse.ends.pop(hold_id, None)
        await self.charge(cents, self.now, hold_id)

    async def settle(self, hold_id: str, action: Any) -> Any:
        return await self.request(
            SettleHold(organization_id=self.organization_id, hold_id=hold_id, action=action)
        )

    # Usage and invoices

    async def do_run(self, cents: int, by_credits: bool) -> None:
        hold_id = await self.hold(cents, None) if by_credits else None
        if hold_id or not by_credits:
            await self.charge(cents, self.now, hold_id)

    async def do_late(self, cents: int) -> None:
        await self.charge(cents, self.now - timedelta(days=33), None)

    async def charge(self, cents: int, at: datetime, hold_id: str | None) -> None:
        covered: dict[str, Any] = {"covered_by": "credits" if hold_id else "none"}
        fact = examples.workflow(
            self.organization_id,
            uuid4().hex,
            at,
            unit_price_cents=cents,
            hold_id=hold_id,
            charged_at=self.now,
            **covered,
        )
        await self.tell(fact, fact)
        # Told once by message: it is counted, not recorded.
        await self.bank.carry_out(accounts.count_workflow, fact)
        self.expected.completed += 1
        self.expected.unbilled.append(Use(cents, at, self.now, hold_id))

    async def do_terms(self, discount: int, tax: int) -> None:
        self.expected.discount, self.expected.tax = discount, tax
        request = SetBillingTerms(
            organization_id=self.organization_id,
            discount_basis_points=discount,
            tax_basis_points=tax,
            requested_by="operator",
        )
        await self.request(request)

    async def do_invoice(self) -> None:
        request = GenerateInvoice(organization_id=self.organization_id, requested_by="owner")
        answer = await self.request(request)
        assert isinstance(answer, MaybeInvoice), answer
        soon = self.now + timedelta(microseconds=1)
        expected = self.expected.bill(self.now, soon, soon)
        assert (answer.invoice is None) == (expected is None)
        if self.expected.dropped:
            self.tell_of("draft dropped")
        if answer.invoice is not None and expected is not None:
            self.tell_of(f"invoice {answer.invoice.status}")
            late = sum(use.cents for use in expected.uses if use.is_late)
            adjusted = (line for line in answer.invoice.lines if line.kind == "adjustment")
            assert sum(line.total_cents for line in adjusted) == late

    async def do_void(self, which: int, paid_meanwhile: bool) -> None:
        """Taken back, maybe a moment after the customer has confirmed a payment of it."""
        bill = self.bill_of(which)
        refused = bill.status != "unpaid" or bill.credited > 0
        if paid_meanwhile and bill.waits and not refused:
            self.tell_of("paid what is being taken back")
            self.bank.answer(await self.waiting(bill), yes=True)
        request = VoidInvoice(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            reason="a mistake",
            requested_by="operator",
        )
        answer = await self.request(request)
        assert isinstance(answer, Refusal) == refused, answer
        self.tell_of(f"void {'refused' if refused else 'done'}")
        if not refused:
            self.expected.void(bill, self.now)

    async def correct(self, bill: Bill, cents: int, kind: CreditNoteKind) -> tuple[Any, str]:
        """Ask for a credit note."""
        note = uuid4().hex
        request = IssueCreditNote(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            credit_note_id=note,
            kind=kind,
            amount_cents=cents,
            reason="a mistake",
            requested_by="operator",
        )
        return await self.request(request), note

    async def do_correct(self, which: int, cents: int) -> None:
        bill = self.bill_of(which)
        answer, _ = await self.correct(bill, cents, "credit")
        is_paid = bill.status == "paid"
        most = bill.total - bill.credited if is_paid else bill.left
        fits = cents <= most and (is_paid or bill.left == cents or bill.left - cents >= 50)
        assert isinstance(answer, Refusal) == (bill.status == "void" or not fits), answer
        if isinstance(answer, Refusal):
            return
        self.tell_of(f"credit note on {bill.status}{' being paid' if bill.waits else ''}")
        if is_paid:
            bill.credited += cents
            self.expected.purse.add("purchased", cents, self.now)
        else:
            self.expected.lessen(bill, cents, self.now)

    # Payments

    async def do_card(self, card: Card) -> None:
        self.cards += 1
        self.bank.default_card = card
        told = examples.card(self.organization_id, self.cards, card, self.now)
        await self.tell(told, told)
        self.expected.change_card(card, self.now)

    async def do_automatic(self, on: bool) -> None:
        self.expected.auto = on
        await self.request(
            UpdateAccount(
                organization_id=self.organization_id,
                requested_by="owner",
                auto_billing_enabled=on,
            )
        )

    async def do_pay(self, which: int, card: Card) -> None:
        bill = self.bill_of(which)
        request = PayInvoice(
            organization_id=self.organization_id,
            invoice_id=await self.id_of(bill.number),
            payment_method_id=card,
            requested_by="owner",
        )
        answer = await self.request(request)
        assert isinstance(answer, Refusal) == (bill.status != "unpaid"), answer
        if isinstance(answer, Payment):
            self.tell_of(f"payment {answer.status}{' in place of another' if bill.waits else ''}")
            assert answer.amount_cents == bill.left
            assert answer.status == self.expected.pay(bill, card, self.now)

    async def do_answer(self, which: int, yes: bool) -> None:
        """The customer confirms what the bank asked about, or never comes back."""
        asked = [bill for bill in self.expected.bills if bill.waits]
        bill = asked[which % len(asked)]
        self.bank.answer(await self.waiting(bill), yes=yes)
        self.tell_of(f"question answered {'yes' if yes else 'no'}")
        self.expected.answer(bill, self.now, yes=yes)

    async def waiting(self, bill: Bill) -> str:
        """The attempt that waits for an answer."""
        async with self.database.read() as db:
            found: str = await db.driver.fetchval(
                "SELECT payment_id FROM payments WHERE organization_id = $1 AND invoice_id = $2"
                " AND status = 'requires_action'",
                self.organization_id,
                await self.id_of(bill.number),
            )
        return found

    async def do_refund(self, which: int, cents: int) -> None:
        bill = self.bill_of(which)
        answer, note = await self.correct(bill, cents, "refund")
        most = min(bill.paid - bill.refunded, bill.total - bill.credited)
        assert isinstance(answer, Refusal) == (cents > most), answer
        if not isinstance(answer, Refusal):
            self.tell_of("refund")
            self.expected.refund(bill, cents, note)

    async def do_fail_refund(self, which: int) -> None:
        """A bank does not take a refund; its credit note counts no more."""
        made = [(bill, note) for bill in self.expected.bills for note in bill.refunds]
        bill, note = made[which % len(made)]
        cents = bill.refunds.pop(note)
        self.bank.fail(self.organization_id, note)
        told = RefundFailed(
            organization_id=self.organization_id,
            refund_id=note,
            amount_cents=cents,
            failed_at=self.now,
        )
        await self.tell(told, told)
        self.tell_of("refund failed")
        self.expected.give_back(bill, -cents)

    # Time

    async def do_pass(self, hours: int) -> None:
        """Time passes; months that end on the way are closed one after the other, now."""
        before = self.now
        self.clock.advance(timedelta(hours=hours))
        await self.do_jobs()
        if self.expected.purse.end_holds(self.now):
            self.tell_of("hold expired")
        self.expected.act_on_due(self.now)
        closes = _closes(before, self.now)
        await self.close_months(len(closes) + 1)
        for at in closes:
            made = self.expected.bill(self.now, at - timedelta(hours=1), at)
            self.tell_of(f"month closed with {made.status if made else 'nothing'}")

    # What must be so

    async def check(self) -> None:
        """The tables say what the oracle says, and every invariant holds."""
        await self.check_account()
        await self.check_bills()
        async with self.database.read() as db:
            await check_invoices(db.driver, self.organization_id)
            await check_collected(db.driver, self.organization_id, self.bank.charges)

    async def check_account(self) -> None:
        """I4, I6 and I12, and the summary."""
        await self.check_credits()
        expected, purse = self.expected, self.expected.purse
        account = await self.bank.ask(GetAccount(organization_id=self.organization_id), "")
        assert isinstance(account, Account)
        assert (
            account.credit_balance_cents,
            account.credit_held_cents,
            account.credit_debt_cents,
            account.total_amount_spent_cents,
            account.total_workflows_completed,
            account.status == "suspended",
        ) == (
            purse.free,
            purse.held,
            purse.debt,
            expected.spent,
            expected.completed,
            expected.suspended,
        )
        asked = ListAudit(organization_id=self.organization_id, limit=1, verify=True)
        assert (await self.bank.carry_out(list_audit, asked)).broken_at is None

    async def check_bills(self) -> None:
        """Every figure of every invoice, and that what was final once is the same still."""
        async with self.database.read() as db:
            found = await db.driver.fetch(
                "SELECT invoice_id, content_hash, number, total_cents, credits_applied_cents,"
                " amount_due_cents, amount_paid_cents, amount_refunded_cents, credited_cents,"
                " CASE WHEN status IN ('open', 'past_due') THEN 'unpaid' ELSE status END"
                " FROM invoices WHERE organization_id = $1 AND number IS NOT NULL ORDER BY number",
                self.organization_id,
            )
            unbilled = await db.driver.fetchval(
                "SELECT count(*) FROM usage_records"
                " WHERE organization_id = $1 AND billed_at IS NULL",
                self.organization_id,
            )
        assert [tuple(row)[2:] for row in found] == [
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
        for row in found:
            assert self.sealed.setdefault(row[0], row[1]) == row[1]


def _closes(after: datetime, until: datetime) -> list[datetime]:
    """The first of each month, one o'clock, in between."""
    days = (until - after).days + 2
    midnight = after.replace(hour=1, minute=0, second=0, microsecond=0)
    moments = (midnight + timedelta(days=day) for day in range(days + 1))
    return [each for each in moments if each.day == 1 and after < each <= until]

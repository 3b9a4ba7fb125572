"""What an organization should have and owe, worked out without a database or any rule of ours."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from tests.invoicing.bank import Card
from tests.invoicing.purse import LEAST_CENTS, Parts, Purse

DUE_AFTER = timedelta(days=7)
# After the first failure; what only another card heals waits for the last of them.
TRIES = [timedelta(days=days) for days in (1, 3, 5, 7)]
TAKES = timedelta(hours=1)


@dataclass
class Use:
    """Something to bill."""

    cents: int
    at: datetime
    learned_at: datetime
    hold_id: str | None

    @property
    def is_late(self) -> bool:
        after = (self.at.replace(day=1) + timedelta(days=31)).replace(day=1)
        closed = after.replace(hour=1, minute=0, second=0, microsecond=0)
        return self.learned_at >= closed


@dataclass
class Question:
    """An attempt that waits for the customer to answer the bank."""

    card: Card
    automatic: bool
    at: datetime


@dataclass
class Bill:
    """An invoice that was issued."""

    number: int
    uses: list[Use]
    total: int
    parts: Parts
    due: int
    status: str
    due_at: datetime
    paid: int = 0
    refunded: int = 0
    credited: int = 0
    waits: Question | None = None
    # Refunds by the id of their credit note.
    refunds: dict[str, int] = field(default_factory=dict)
    # What auto-billing met.
    failures: int = 0
    first_failed_at: datetime | None = None
    needs_other_card: bool = False
    next_at: datetime | None = None
    gave_up: bool = False

    @property
    def credits(self) -> int:
        return sum(part for _, part in self.parts)

    @property
    def left(self) -> int:
        return self.due - self.paid - self.credited


@dataclass
class Expected:
    """An organization's whole money."""

    purse: Purse = field(default_factory=Purse)
    unbilled: list[Use] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    discount: int = 0
    tax: int = 0
    card: Card | None = None
    auto: bool = False
    suspended: bool = False
    spent: int = 0
    completed: int = 0
    # Drafts that were given up.
    dropped: int = 0

    def hold(self, hold_id: str, cents: int, ends_at: datetime | None) -> bool:
        return not self.suspended and self.purse.hold(hold_id, cents, ends_at)

    def bill(self, at: datetime, before: datetime, known_before: datetime) -> Bill | None:
        """Bill what happened, and was known, before."""
        self.purse.settle(at)
        uses = [use for use in self.unbilled if use.at < before and use.learned_at < known_before]
        subtotal = sum(use.cents for use in uses)
        discount = share(subtotal, self.discount)
        total = subtotal - discount + share(subtotal - discount, self.tax)
        held = sum(use.cents for use in uses if use.hold_id)
        if not subtotal or (total < LEAST_CENTS and total > held):
            return None
        uses.sort(key=lambda use: use.at)
        parts = self.purse.burn(total, [use.hold_id for use in uses if use.hold_id], at)
        due = total - sum(part for _, part in parts)
        if 0 < due < LEAST_CENTS:
            # What was held for it was gone, and nothing was burned: it waits for more.
            assert not sum(part for _, part in parts)
            for use in uses:
                use.hold_id = None
            self.dropped += 1
            return None
        self.unbilled = [use for use in self.unbilled if use not in uses]
        status = "unpaid" if due else "paid"
        made = Bill(len(self.bills) + 1, uses, total, parts, due, status, at + DUE_AFTER)
        self.bills.append(made)
        if due and self.auto:
            self.act(made, at)
        return made

    def void(self, bill: Bill, at: datetime) -> None:
        self.end(bill, "void", at)
        self.unbilled += bill.uses
        for use in bill.uses:
            use.hold_id = None
        self.purse.settle(at)
        self.purse.give_back(bill.parts, at)

    def pay(self, bill: Bill, card: Card, at: datetime) -> str:
        """By the customer; how that ends."""
        if bill.waits and not bill.waits.automatic and bill.waits.card == card:
            return "requires_action"
        return self.charge(bill, card, at, automatic=False)

    def charge(self, bill: Bill, card: Card, at: datetime, *, automatic: bool) -> str:
        # Whatever waits for an answer is ended first.
        bill.waits = None
        if card == "pm_good":
            self.collect(bill, at)
            return "succeeded"
        if card == "pm_asks":
            bill.waits = Question(card, automatic, at)
            return "requires_action"
        return "failed"

    def collect(self, bill: Bill, at: datetime) -> None:
        self.spent += bill.left
        bill.paid = bill.left
        self.end(bill, "paid", at)

    def answer(self, bill: Bill, at: datetime, *, yes: bool) -> None:
        """The customer answers the bank, or never comes back."""
        bill.waits = None
        if yes:
            self.collect(bill, at)

    def lessen(self, bill: Bill, cents: int, at: datetime) -> None:
        """Ask for less; who was about to pay more has to begin anew."""
        bill.credited += cents
        bill.waits = None
        if bill.left == 0:
            self.end(bill, "paid", at)

    def refund(self, bill: Bill, cents: int, note: str) -> None:
        bill.refunds[note] = cents
        self.give_back(bill, cents)

    def give_back(self, bill: Bill, cents: int) -> None:
        bill.refunded += cents
        bill.credited += cents
        self.spent -= cents

    def end(self, bill: Bill, status: str, at: datetime) -> None:
        """Ask for it no more; whoever owes nothing that is overdue goes on."""
        bill.status, bill.waits, bill.next_at = status, None, None
        owed = [each for each in self.bills if each.status == "unpaid"]
        if not any(each.gave_up or (each.failures and each.due_at <= at) for each in owed):
            self.suspended = False

    def act_on_due(self, at: datetime) -> None:
        for bill in self.bills:
            if bill.status == "unpaid" and bill.next_at is not None and bill.next_at <= at:
                self.act(bill, at)

    def change_card(self, card: Card, at: datetime) -> None:
        is_new, self.card = card != self.card, card
        for bill in self.bills:
            if is_new and bill.status == "unpaid" and bill.failures:
                bill.needs_other_card = False
                self.act(bill, at)

    def act(self, bill: Bill, at: datetime) -> None:
        """Auto-billing's turn."""
        if bill.waits and not bill.waits.automatic and at - bill.waits.at < TAKES:
            bill.next_at = at + TAKES
            return
        bill.next_at = None
        if self.auto and self.card and not bill.needs_other_card:
            if self.charge(bill, self.card, at, automatic=True) != "succeeded":
                self.fail(bill, self.card, at)
        elif bill.first_failed_at:
            last = bill.first_failed_at + TRIES[-1]
            if last > at:
                bill.next_at = last
            else:
                self.give_up(bill)

    def fail(self, bill: Bill, card: Card, at: datetime) -> None:
        bill.failures += 1
        bill.first_failed_at = bill.first_failed_at or at
        bill.needs_other_card = card != "pm_poor"
        tries = TRIES[-1:] if bill.needs_other_card else TRIES
        later = [bill.first_failed_at + each for each in tries if bill.first_failed_at + each > at]
        if bill.gave_up:
            return
        if later:
            bill.next_at = later[0]
        else:
            self.give_up(bill)

    def give_up(self, bill: Bill) -> None:
        bill.gave_up = self.suspended = True


def share(cents: int, basis_points: int) -> int:
    """So much of an amount, to the nearest cent, of two equally near the even one."""
    exact = Decimal(cents) * basis_points / 10_000
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))

"""What an organization should have and owe, worked out without a database or any rule of ours."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

LEAST_CENTS = 50
FAR = datetime.max.replace(tzinfo=UTC)


@dataclass
class Lot:
    """Credits that came together."""

    age: int
    kind: Literal["purchased", "promotional"]
    cents: int
    expires_at: datetime | None
    held: int = 0

    @property
    def free(self) -> int:
        return self.cents - self.held

    @property
    def turn(self) -> tuple[int, datetime, int]:
        return int(self.kind == "purchased"), self.expires_at or FAR, self.age


Parts = list[tuple[Lot, int]]


@dataclass
class Purse:
    """Credits, lot by lot."""

    lots: list[Lot] = field(default_factory=list)
    holds: dict[str, Parts] = field(default_factory=dict)
    debt: int = 0

    @property
    def free(self) -> int:
        return sum(lot.free for lot in self.lots)

    @property
    def held(self) -> int:
        return sum(lot.held for lot in self.lots)

    def settle(self, at: datetime) -> None:
        """What is past its time goes, then debts are paid."""
        for lot in self.lots:
            if lot.expires_at is not None and lot.expires_at <= at:
                lot.cents = lot.held
        for lot, cents in self.pick(self.debt):
            lot.cents -= cents
            self.debt -= cents

    def pick(self, cents: int, own: Lot | None = None) -> Parts:
        """From free credits, in their turn; of a purchase's reversal its own lot comes first."""

        def order(lot: Lot) -> tuple[object, ...]:
            if own is None:
                return lot.turn
            return lot is not own, lot.kind != "purchased", *lot.turn

        parts: Parts = []
        for lot in sorted(self.lots, key=order):
            taken = min(lot.free, cents)
            if taken > 0:
                parts.append((lot, taken))
                cents -= taken
        return parts

    def add(
        self,
        kind: Literal["purchased", "promotional"],
        cents: int,
        at: datetime,
        expires_at: datetime | None = None,
    ) -> Lot:
        lot = Lot(len(self.lots), kind, cents, expires_at)
        self.settle(at)
        self.lots.append(lot)
        self.settle(at)
        return lot

    def hold(self, hold_id: str, cents: int) -> bool:
        if cents > self.free:
            return False
        self.holds[hold_id] = self.pick(cents)
        for lot, part in self.holds[hold_id]:
            lot.held += part
        return True

    def release(self, hold_id: str, at: datetime) -> Parts:
        parts = self.holds.pop(hold_id)
        for lot, part in parts:
            lot.held -= part
        self.settle(at)
        return parts

    def take_back(self, cents: int, own: Lot, at: datetime) -> None:
        for lot, part in self.pick(cents, own):
            lot.cents -= part
            cents -= part
        self.debt += cents
        self.settle(at)

    def burn(self, cents: int, hold_ids: list[str], at: datetime) -> Parts:
        """For an invoice: what is held for it, then what is free; the holds end."""
        pinned = [part for each in hold_ids for part in self.holds[each]]
        burned = min(cents, sum(part for _, part in pinned) + self.free)
        if 0 < cents - burned < LEAST_CENTS:
            burned = max(0, cents - LEAST_CENTS)
        parts: Parts = []
        left = burned
        for lot, part in pinned:
            parts.append((lot, min(part, left)))
            left -= parts[-1][1]
        parts += self.pick(left)
        for hold_id in hold_ids:
            for lot, part in self.holds.pop(hold_id):
                lot.held -= part
        for lot, part in parts:
            lot.cents -= part
        self.settle(at)
        return parts

    def give_back(self, parts: Parts, at: datetime) -> None:
        for lot, part in parts:
            lot.cents += part
        self.settle(at)


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
class Bill:
    """An invoice that was issued."""

    number: int
    uses: list[Use]
    total: int
    parts: Parts
    due: int
    status: str
    paid: int = 0
    refunded: int = 0
    credited: int = 0

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
        self.unbilled = [use for use in self.unbilled if use not in uses]
        status = "unpaid" if due else "paid"
        made = Bill(len(self.bills) + 1, uses, total, parts, due, status)
        self.bills.append(made)
        return made

    def void(self, bill: Bill, at: datetime) -> None:
        bill.status = "void"
        self.unbilled += bill.uses
        for use in bill.uses:
            use.hold_id = None
        self.purse.settle(at)
        self.purse.give_back(bill.parts, at)


def share(cents: int, basis_points: int) -> int:
    """So much of an amount, to the nearest cent, of two equally near the even one."""
    exact = Decimal(cents) * basis_points / 10_000
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))

"""What credits an organization should have, worked out lot by lot without any rule of ours."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
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
# What the reversals of a purchase took, the last at the end; of None it became a debt.
Taken = list[tuple[Lot | None, int]]


@dataclass
class Purse:
    """Credits, lot by lot."""

    lots: list[Lot] = field(default_factory=list)
    holds: dict[str, Parts] = field(default_factory=dict)
    # When holds end by themselves that nobody committed.
    ends: dict[str, datetime] = field(default_factory=dict)
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

    def hold(self, hold_id: str, cents: int, ends_at: datetime | None = None) -> bool:
        if cents > self.free:
            return False
        if ends_at is not None:
            self.ends[hold_id] = ends_at
        self.holds[hold_id] = self.pick(cents)
        for lot, part in self.holds[hold_id]:
            lot.held += part
        return True

    def release(self, hold_id: str, at: datetime) -> None:
        self.ends.pop(hold_id, None)
        for lot, part in self.holds.pop(hold_id):
            lot.held -= part
        self.settle(at)

    def end_holds(self, at: datetime) -> list[str]:
        """Those whose time is over; they end together, then what they pinned may expire."""
        over = [hold_id for hold_id, ends_at in self.ends.items() if ends_at <= at]
        for hold_id in over:
            del self.ends[hold_id]
            for lot, part in self.holds.pop(hold_id):
                lot.held -= part
        self.settle(at)
        return over

    def take_back(self, cents: int, own: Lot, taken: Taken, at: datetime) -> None:
        for lot, part in self.pick(cents, own):
            lot.cents -= part
            cents -= part
            taken.append((lot, part))
        if cents:
            self.debt += cents
            taken.append((None, cents))
        self.settle(at)

    def reinstate(self, cents: int, taken: Taken, at: datetime) -> None:
        """The last that was taken comes back first; a debt that was paid meanwhile, as a lot."""
        owed = 0
        while cents:
            lot, part = taken.pop()
            back = min(part, cents)
            cents -= back
            if back < part:
                taken.append((lot, part - back))
            if lot is None:
                owed += back
            else:
                lot.cents += back
        canceled = min(owed, self.debt)
        self.debt -= canceled
        if owed > canceled:
            self.lots.append(Lot(len(self.lots), "purchased", owed - canceled, None))
        self.settle(at)

    def burn(self, cents: int, hold_ids: list[str], at: datetime) -> Parts:
        """For an invoice: what is held for it, then what is free; the holds end."""
        hold_ids = [each for each in hold_ids if each in self.holds]
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
            self.ends.pop(hold_id, None)
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

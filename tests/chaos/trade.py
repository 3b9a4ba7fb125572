"""One run: organizations buy and work, every service is killed, and then the books are read."""

import asyncio
import random
import time
from dataclasses import dataclass

from tests.chaos.books import judge_books
from tests.chaos.buyer import Buyer, NeverAnswered
from tests.chaos.firm import Firm
from tests.chaos.killer import Killer, Point

BUYERS = 3
# A service that is asked by another has to live for a moment now and then.
PATIENCE = 1.2
# Counted from the last thing that moved.
SETTLE_SECONDS = 45.0
# Of these each run of the suite takes some; `python -m tests.chaos` takes all.
POINTS = (
    Point("account", "account.posted"),
    Point("account", "answer.uncommitted"),
    Point("account", "answer.committed"),
    Point("account", "outbox.published"),
    Point("subscription", "step.prepared"),
    Point("subscription", "step.called"),
    Point("subscription", "step.uncommitted"),
    Point("subscription", "consumer.committed"),
    Point("stripe_gateway", "step.prepared"),
    Point("stripe_gateway", "step.called"),
    Point("stripe_gateway", "step.concluded"),
    Point("invoicing", "consumer.uncommitted"),
    Point("invoicing", "invoicing.numbered"),
    Point("invoicing", "step.prepared"),
    Point("invoicing", "step.called"),
    Point("invoicing", "step.uncommitted"),
    Point("notices", "consumer.uncommitted"),
    Point("notices", "consumer.committed"),
    Point("auditor", "step.called"),
    Point("auditor", "step.uncommitted"),
)


@dataclass
class Trade:
    """What was done and what came of it."""

    seed: int
    took_seconds: float
    settled_in_seconds: float
    killer: Killer
    buyers: list[Buyer]
    findings: list[str]
    unrest: list[str]

    @property
    def problems(self) -> list[str]:
        """What a clean run has none of."""
        missed = [f"nobody came by the failpoint {name}" for name in self.killer.missed]
        return [*self.findings, *self.unrest, *missed]

    def lines(self) -> list[str]:
        kills = ", ".join(f"{count} × {name}" for name, count in self.killer.kills.most_common())
        buyers = self.buyers
        cents = sum(sum(each.paid) + sum(each.invoices_paid.values()) for each in buyers)
        return [
            f"seed {self.seed}, {self.took_seconds:.0f} s,"
            f" the last {self.settled_in_seconds:.0f} of them to settle",
            f"{self.killer.kills.total()} kills: {kills}",
            f"{sum(each.deeds for each in buyers)} deeds,"
            f" {sum(each.asked_again for each in buyers)} requests repeated",
            f"{sum(len(each.paid) for each in buyers)} purchases,"
            f" {sum(len(each.invoices_paid) for each in buyers)} invoices paid,"
            f" ${cents / 100:.2f},"
            f" {sum(len(each.refunded) for each in buyers)} refunds,"
            f" {sum(len(each.completed) for each in buyers)} workflows completed,"
            f" {sum(len(each.released) for each in buyers)} released,"
            f" {sum(len(each.refused) for each in buyers)} refused",
            *(f"WRONG: {problem}" for problem in self.problems),
            "INVARIANTS ARE BROKEN" if self.problems else "every invariant holds",
        ]


async def trade(firm: Firm, seed: int, seconds: float, points: int = len(POINTS)) -> Trade:
    """Have organizations work for so long, kill meanwhile, and read the books at the end."""
    began = time.monotonic()
    buyers = [Buyer(firm, random.Random(f"{seed} {number}")) for number in range(BUYERS)]
    chosen = random.Random(seed).sample(POINTS, points)
    killer = Killer(firm.ground, seed, chosen, patience=PATIENCE)
    over = asyncio.Event()
    living = [asyncio.create_task(buyer.live(over)) for buyer in buyers]
    try:
        await killer.rage(seconds)
    finally:
        over.set()
    ends = await asyncio.gather(*living, return_exceptions=True)
    settling = time.monotonic()
    findings, unrest = await judge_books(firm, buyers, SETTLE_SECONDS)
    for end in ends:
        if isinstance(end, NeverAnswered):
            findings.append(f"never answered: {end}")
        elif isinstance(end, BaseException):
            raise end
    return Trade(
        seed=seed,
        took_seconds=time.monotonic() - began,
        settled_in_seconds=time.monotonic() - settling,
        killer=killer,
        buyers=buyers,
        findings=findings,
        unrest=unrest,
    )

"""Random lives of an organization's money against an independent oracle, on real databases."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deploy.provisioning import ServiceDatabase
from tests.invoicing.life import Life
from tests.invoicing.organization import founded
from tests.stack import Stack

CENTS = st.integers(10, 3000)
WHICH = st.integers(0, 9)
CARDS = st.sampled_from(["pm_good", "pm_good", "pm_poor", "pm_lost", "pm_asks"])

some_bill = precondition(lambda self: self.life.expected.bills)
some_bought = precondition(lambda self: self.life.bought)
some_reserved = precondition(lambda self: self.life.reserved)


class Money(RuleBasedStateMachine):
    """Each rule is something that happens; after each of them everything is checked."""

    databases: ClassVar[Mapping[str, ServiceDatabase]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.open = AsyncExitStack()
        living = self.open.enter_async_context(founded(Life, self.databases))
        self.life: Life = self.loop.run(living)

    def teardown(self) -> None:
        self.loop.run(self.open.aclose())
        self.loop.close()

    def act(self, name: str, *values: Any) -> None:
        self.loop.run(self.life.act(name, *values))

    @rule(cents=CENTS)
    def buy(self, cents: int) -> None:
        self.act("buy", cents)

    @rule(cents=CENTS, days=st.integers(1, 60))
    def gift(self, cents: int, days: int) -> None:
        self.act("gift", cents, days)

    @some_bought
    @rule(which=WHICH, cents=CENTS)
    def dispute(self, which: int, cents: int) -> None:
        self.act("dispute", which, cents)

    @precondition(lambda self: any(each.reversed for each in self.life.bought))
    @rule(which=WHICH, cents=CENTS)
    def win(self, which: int, cents: int) -> None:
        self.act("win", which, cents)

    @rule(cents=CENTS, by_credits=st.booleans())
    def run(self, cents: int, by_credits: bool) -> None:
        self.act("run", cents, by_credits)

    @rule(cents=CENTS)
    def late(self, cents: int) -> None:
        self.act("late", cents)

    @rule(cents=CENTS, hours=st.integers(1, 48))
    def reserve(self, cents: int, hours: int) -> None:
        self.act("reserve", cents, hours)

    @some_reserved
    @rule()
    def release(self) -> None:
        self.act("release")

    @some_reserved
    @rule()
    def finish(self) -> None:
        self.act("finish")

    @precondition(lambda self: self.life.expected.unbilled)
    @rule()
    def invoice(self) -> None:
        self.act("invoice")

    @rule(discount=st.integers(0, 10_000), tax=st.integers(0, 2500))
    def terms(self, discount: int, tax: int) -> None:
        self.act("terms", discount, tax)

    @some_bill
    @rule(which=WHICH, paid_meanwhile=st.booleans())
    def void(self, which: int, paid_meanwhile: bool) -> None:
        self.act("void", which, paid_meanwhile)

    @some_bill
    @rule(which=WHICH, cents=CENTS)
    def correct(self, which: int, cents: int) -> None:
        self.act("correct", which, cents)

    @rule(card=CARDS)
    def card(self, card: str) -> None:
        self.act("card", card)

    @rule(on=st.sampled_from([True, True, False]))
    def automatic(self, on: bool) -> None:
        self.act("automatic", on)

    @some_bill
    @rule(which=WHICH, card=CARDS)
    def pay(self, which: int, card: str) -> None:
        self.act("pay", which, card)

    @precondition(lambda self: any(each.waits for each in self.life.expected.bills))
    @rule(which=WHICH, yes=st.booleans())
    def answer(self, which: int, yes: bool) -> None:
        self.act("answer", which, yes)

    @precondition(lambda self: any(each.paid for each in self.life.expected.bills))
    @rule(which=WHICH, cents=CENTS)
    def refund(self, which: int, cents: int) -> None:
        self.act("refund", which, cents)

    @precondition(lambda self: any(each.refunds for each in self.life.expected.bills))
    @rule(which=WHICH)
    def fail_refund(self, which: int) -> None:
        self.act("fail_refund", which)

    @rule(hours=st.integers(1, 900))
    def time_passes(self, hours: int) -> None:
        self.act("pass", hours)

    @rule(hours=st.integers(20, 60))
    def days_pass(self, hours: int) -> None:
        self.act("pass", hours)


def test_money_is_where_the_oracle_says(stack: Stack) -> None:
    machine = type("MoneyHere", (Money,), {"databases": stack.databases})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            # Whoever shrinks one waits for databases: what happened is short enough to be read.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# With all of it once, whatever is drawn elsewhere.
LIFE: list[tuple[Any, ...]] = [
    ("buy", 2000),
    ("gift", 700, 20),
    ("run", 1500, True),
    ("run", 2500, False),
    ("reserve", 300, 2),
    ("reserve", 100, 40),
    ("finish",),
    ("terms", 1000, 1900),
    ("invoice",),
    ("pay", 0, "pm_poor"),
    ("pay", 0, "pm_asks"),
    ("pay", 0, "pm_asks"),
    ("answer", 0, False),
    ("pay", 0, "pm_asks"),
    ("answer", 0, True),
    ("pay", 0, "pm_good"),
    ("refund", 0, 200),
    ("refund", 0, 3000),
    ("correct", 0, 500),
    ("fail_refund", 0),
    ("dispute", 0, 1800),
    ("win", 0, 1000),
    ("run", 900, False),
    ("invoice",),
    ("pay", 1, "pm_asks"),
    ("correct", 1, 100),
    ("pay", 1, "pm_asks"),
    ("pay", 1, "pm_good"),
    ("run", 2000, False),
    ("invoice",),
    ("pay", 2, "pm_asks"),
    ("void", 2, True),
    ("late", 800),
    ("automatic", True),
    ("card", "pm_poor"),
    ("pass", 900),
    *[("pass", 26)] * 8,
    ("reserve", 50, 5),
    ("card", "pm_lost"),
    ("card", "pm_good"),
    ("pass", 900),
    ("buy", 100),
    ("reserve", 40, 2),
    ("pass", 3),
    ("dispute", 1, 100),
    ("terms", 0, 0),
    ("finish",),
    ("invoice",),
    ("win", 1, 100),
]

ALL = {
    "credit note on paid",
    "credit note on unpaid being paid",
    "dispute won",
    "draft dropped",
    "hold expired",
    "invoice open",
    "month closed with nothing",
    "month closed with unpaid",
    "paid what is being taken back",
    "payment failed",
    "payment requires_action",
    "payment requires_action in place of another",
    "payment succeeded in place of another",
    "question answered no",
    "question answered yes",
    "refund",
    "refund failed",
    "reinstated",
    "suspended",
    "void done",
    "workflow whose hold is gone",
    "workflow whose hold is there",
}


async def test_a_life_with_all_of_it(stack: Stack) -> None:
    async with founded(Life, stack.databases) as life:
        for name, *values in LIFE:
            await life.act(name, *values)
    assert life.happened >= ALL

"""Whatever happens, in whatever order and however often, the credits are what arithmetic says."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.account.app import credits_, holds, purchases
from shared.clock import FixedClock
from shared.contracts.account import (
    ApplyCredits,
    CreditBalance,
    GrantCredits,
    HoldCredits,
    RestoreCredits,
    SettleHold,
    TakeCredits,
)
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import PurchasePaid, PurchaseReversed
from shared.database import Database, Db
from tests.account.invariants import check_credits
from tests.stack import Stack

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
# What each session bought, and what each version of its reversal says.
BOUGHT = {"cs_a": 1000, "cs_b": 250, "cs_c": 77}
REVERSED = {
    "cs_a": [300, 1000, 120, 0],
    "cs_b": [250, 0, 250, 100],
    "cs_c": [10, 20, 90, 77],
}
SESSIONS = st.sampled_from(sorted(BOUGHT))
IDS = st.sampled_from(["1", "2", "3", "4"])
SMALL = st.integers(1, 600)

Step = tuple[Any, ...]
HISTORY_STEPS = st.one_of(
    st.tuples(st.just("pay"), SESSIONS),
    st.tuples(st.just("reverse"), SESSIONS, st.integers(1, 4)),
)
ALL_STEPS = st.one_of(
    HISTORY_STEPS,
    HISTORY_STEPS,
    st.tuples(st.just("grant"), IDS, SMALL, st.sampled_from(["purchased", "promotional"])),
    st.tuples(st.just("take"), IDS, SMALL),
    st.tuples(st.just("hold"), IDS, SMALL),
    st.tuples(st.just("hold"), IDS, SMALL),
    st.tuples(st.just("settle"), IDS, st.sampled_from(["commit", "release", "renew"])),
    st.tuples(st.just("apply"), IDS, st.integers(0, 900), st.lists(IDS, max_size=3)),
    st.tuples(st.just("restore"), IDS),
)


@dataclass
class Oracle:
    """The same by arithmetic alone: one number for what is owned, one for what is held.

    Whoever owns less than is held owes the difference; nothing here knows of lots.
    """

    owned: int = 0
    held: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    orders: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    applied: dict[str, tuple[int, int]] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def expected(self) -> tuple[int, int, int]:
        """What may be spent, what is held, what is owed."""
        held = sum(self.held.values())
        return max(self.owned - held, 0), held, max(held - self.owned, 0)

    def gone_back(self, session: str) -> int:
        version = self.versions.get(session, 0)
        said = REVERSED[session][version - 1] if version else 0
        return min(said, BOUGHT[session])

    def do(self, name: str, *arguments: Any) -> int | None:
        """What a step moves; None when it is refused."""
        moved: int | None = getattr(self, name)(*arguments)
        return moved

    # One method per step; its name is the step's.

    def pay(self, session: str) -> int:
        if session in self.paid:
            return 0
        self.paid.add(session)
        self.owned += BOUGHT[session] - self.gone_back(session)
        return 0

    def reverse(self, session: str, version: int) -> int:
        if version <= self.versions.get(session, 0):
            return 0
        before = self.gone_back(session)
        self.versions[session] = version
        if session in self.paid:
            self.owned += before - self.gone_back(session)
        return 0

    def grant(self, order: str, cents: int, kind: str) -> int | None:
        known = self.orders.setdefault(("grant", order), ())
        if known:
            return 0 if known == (cents, kind) else None
        self.orders["grant", order] = (cents, kind)
        self.owned += cents
        return cents

    def take(self, order: str, cents: int) -> int | None:
        known = self.orders.setdefault(("take", order), ())
        if known:
            return 0 if known == (cents,) else None
        self.orders["take", order] = (cents,)
        taken = min(cents, self.expected[0])
        self.owned -= taken
        return taken

    def hold(self, hold: str, cents: int) -> int | None:
        if hold in self.held:
            return 0 if self.held[hold] == cents else None
        if hold in self.ended or cents > self.expected[0]:
            return None
        self.held[hold] = cents
        return cents

    def settle(self, hold: str, action: str) -> int | None:
        if action == "release":
            self.ended.add(hold)
            return self.held.pop(hold, 0)
        return 0 if hold in self.held or (hold in self.spent and action == "commit") else None

    spent: set[str] = field(default_factory=set)

    def apply(self, invoice: str, cents: int, named: Sequence[str]) -> int | None:
        if invoice in self.applied:
            asked, _ = self.applied[invoice]
            return 0 if asked == cents or invoice in self.restored else None
        live = {hold for hold in named if hold in self.held}
        burned = min(cents, sum(self.held[hold] for hold in live) + self.expected[0])
        for hold in live:
            del self.held[hold]
        self.ended |= live
        self.spent |= live
        self.owned -= burned
        self.applied[invoice] = (cents, burned)
        return burned

    def restore(self, invoice: str) -> int:
        if invoice in self.restored:
            return 0
        self.restored.add(invoice)
        _, burned = self.applied.setdefault(invoice, (0, 0))
        self.owned += burned
        return burned


@dataclass
class Books:
    """An organization's real books, driven through the handlers."""

    database: Database
    connection: "asyncpg.Connection[Any]"
    organization_id: str = field(default_factory=lambda: f"org-{uuid4().hex}")

    async def do(self, name: str, *arguments: Any) -> int | None:
        """What a step moved; None when it was refused."""
        async with self.database.transaction() as db:
            answer = await getattr(self, name)(db, *arguments)
        await check_credits(self.connection, self.organization_id)
        if isinstance(answer, Refusal):
            return None
        if isinstance(answer, tuple) and answer and isinstance(answer[0], CreditBalance):
            return answer[0].changed_cents
        return 0

    async def state(self) -> tuple[int, int, int]:
        row = await self.connection.fetchrow(
            "SELECT ledger_cents - held_cents, held_cents, debt_cents FROM accounts"
            " WHERE organization_id = $1",
            self.organization_id,
        )
        return (row[0], row[1], row[2]) if row else (0, 0, 0)

    async def lots(self) -> list[tuple[int, int]]:
        """Size and rest of each lot, in no order that depends on the order of the facts."""
        rows = await self.connection.fetch(
            "SELECT amount_cents, remaining_cents FROM credit_lots WHERE organization_id = $1",
            self.organization_id,
        )
        return sorted((row[0], row[1]) for row in rows)

    async def pay(self, db: Db, session: str) -> Any:
        event = PurchasePaid(
            organization_id=self.organization_id,
            session_id=session,
            kind="credits",
            tier=None,
            amount_cents=BOUGHT[session],
            payment_intent_id=None,
            stripe_invoice_id=None,
            paid_at=NOW,
        )
        return await purchases.grant_purchase(event, db)

    async def reverse(self, db: Db, session: str, version: int) -> Any:
        event = PurchaseReversed(
            organization_id=self.organization_id,
            session_id=session,
            kind="credits",
            amount_cents=BOUGHT[session],
            reversed_cents=REVERSED[session][version - 1],
            version=version,
            reason="refund",
            reversed_at=NOW,
        )
        return await purchases.reverse_purchase(event, db)

    async def grant(self, db: Db, order: str, cents: int, kind: Any) -> Any:
        request = GrantCredits(
            organization_id=self.organization_id,
            grant_id=order,
            amount_cents=cents,
            kind=kind,
            description="",
            requested_by="op",
        )
        return await credits_.grant_credits(request, db)

    async def take(self, db: Db, order: str, cents: int) -> Any:
        request = TakeCredits(
            organization_id=self.organization_id,
            taking_id=order,
            amount_cents=cents,
            description="",
            requested_by="op",
        )
        return await credits_.take_credits(request, db)

    async def hold(self, db: Db, hold: str, cents: int) -> Any:
        request = HoldCredits(
            organization_id=self.organization_id,
            hold_id=hold,
            amount_cents=cents,
            expires_at=NOW + timedelta(days=1),
        )
        return await holds.hold_credits(request, db)

    async def settle(self, db: Db, hold: str, action: Any) -> Any:
        request = SettleHold(
            organization_id=self.organization_id,
            hold_id=hold,
            action=action,
            expires_at=NOW + timedelta(days=2),
        )
        return await holds.settle_hold(request, db)

    async def apply(self, db: Db, invoice: str, cents: int, named: Sequence[str]) -> Any:
        request = ApplyCredits(
            organization_id=self.organization_id,
            invoice_id=invoice,
            amount_cents=cents,
            hold_ids=tuple(named),
        )
        return await credits_.apply_credits(request, db)

    async def restore(self, db: Db, invoice: str) -> Any:
        request = RestoreCredits(organization_id=self.organization_id, invoice_id=invoice)
        return await credits_.restore_credits(request, db)


@pytest.fixture(scope="module")
async def database(stack: Stack) -> AsyncIterator[Database]:
    """Account's own role and no process of it: steps come one by one."""
    opened = Database(stack.databases["account"].dsn, FixedClock(NOW))
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def connection(stack: Stack) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """To look at the tables between the steps."""
    opened = await asyncpg.connect(stack.databases["account"].dsn)
    yield opened
    await opened.close()


async def opened(database: Database, connection: "asyncpg.Connection[Any]") -> Books:
    """New books, whose account exists: operators' orders would be refused otherwise."""
    books = Books(database, connection)
    assert await books.do("restore", "opening") == 0
    return books


thoroughly = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)


@thoroughly
@given(steps=st.lists(ALL_STEPS, min_size=5, max_size=30))
async def test_any_history_agrees_with_arithmetic_after_each_step(
    database: Database, connection: "asyncpg.Connection[Any]", steps: list[Step]
) -> None:
    books, oracle = await opened(database, connection), Oracle()
    oracle.restore("opening")
    for step in steps:
        assert await books.do(*step) == oracle.do(*step), step
        assert await books.state() == oracle.expected, step


@st.composite
def tellings(draw: st.DrawFn) -> list[Step]:
    """Every fact of a history of purchases at least once, duplicated and shuffled."""
    facts: list[Step] = []
    for session in draw(st.sets(SESSIONS, min_size=1)):
        facts.append(("pay", session))
        facts += [("reverse", session, n) for n in range(1, draw(st.integers(0, 4)) + 1)]
    again = draw(st.lists(st.sampled_from(facts), max_size=8))
    return draw(st.permutations([*facts, *again]))


@thoroughly
@given(telling=tellings())
async def test_a_history_of_purchases_ends_the_same_in_any_order(
    database: Database, connection: "asyncpg.Connection[Any]", telling: list[Step]
) -> None:
    shuffled, in_order = await opened(database, connection), await opened(database, connection)
    oracle = Oracle()
    for step in telling:
        await shuffled.do(*step)
        oracle.do(*step)
        assert await shuffled.state() == oracle.expected, step
    for step in sorted(set(telling), key=lambda fact: (fact[1], fact[0], fact[2:])):
        await in_order.do(*step)
    assert await shuffled.state() == await in_order.state() == oracle.expected
    assert await shuffled.lots() == await in_order.lots()

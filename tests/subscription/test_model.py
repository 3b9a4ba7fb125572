"""Random lives of a subscription against an independent model, on a real database."""

import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from services.subscription.handlers.changes import Cancels, ChangesPlan, Reactivates
from services.subscription.handlers.means import Means
from services.subscription.handlers.plans import Plans
from services.subscription.handlers.reserving import reserve_included, result_for
from services.subscription.handlers.views import subscription_of
from services.subscription.handlers.workflows import Workflows
from services.subscription.rules.entitlements import Terms
from services.subscription.rules.periods import calendar_month
from services.subscription.store.quotas import list_periods
from services.subscription.store.subscriptions import list_subscriptions
from services.subscription.tiers import read_catalogue
from shared.bus import Asks
from shared.clock import FixedClock
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import ChangeStripeSubscription
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    CompleteWorkflow,
    ReactivateSubscription,
    ReleaseWorkflow,
    Reservation,
)
from shared.database import Database
from tests.stack import Stack
from tests.subscription.fake_stripe import DECLINED, PRICES, FakeSubscription

TERMS = Terms(catalogue=read_catalogue(""), workflow_price_cents=1_000, grace=timedelta(days=7))
LIMITS = {"starter": 20, "pro": 100, "team": 500, "byo": -1}
BEGINNINGS = st.sampled_from(
    [
        datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2028, 1, 31, 9, tzinfo=UTC),
        datetime(2028, 2, 29, tzinfo=UTC),
        datetime(2027, 3, 30, 12, tzinfo=UTC),
        datetime(2027, 6, 15, 8, 30, tzinfo=UTC),
    ]
)
TIERS = st.sampled_from(sorted(LIMITS))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("subscribe"), TIERS),
        st.tuples(st.just("change"), TIERS),
        st.tuples(st.just("card"), st.sampled_from(["declined", "good"])),
        st.tuples(st.just("cancel"), st.booleans()),
        st.tuples(st.just("reactivate"), st.none()),
        st.tuples(
            st.just("pass"), st.tuples(st.integers(1, 70), st.sampled_from(["paid", "failed"]))
        ),
        st.tuples(st.just("pay"), st.none()),
        st.tuples(st.just("work"), st.tuples(st.integers(1, 30), st.integers(0, 30))),
    ),
    min_size=4,
    max_size=14,
)


class World:
    """Our service by its handlers, Stripe as a model, and a tally of what should be."""

    def __init__(self, database: Database, clock: FixedClock, means: Means) -> None:
        self.database, self.clock, self.means = database, clock, means
        self.organization_id = f"org-{uuid4().hex[:12]}"
        self.plans, self.workflows = Plans(means), Workflows(means)
        self.subscriptions: list[FakeSubscription] = []
        self.charged: Counter[tuple[str, datetime]] = Counter()
        self.heard = 0
        self.dice = 0

    @property
    def running(self) -> FakeSubscription | None:
        alive = [each for each in self.subscriptions if each.status != "canceled"]
        return alive[-1] if alive else None

    async def hear(self) -> None:
        """Deliver new facts twice and backwards, and an old one again."""
        facts = [fact for each in self.subscriptions for fact in each.told]
        new = [fact for each in self.subscriptions for fact in each.told[-3:]]
        for fact in (*reversed(new), *new, *facts[:1]):
            async with self.database.transaction() as db:
                await self.plans.follow_stripe(fact, db)

    async def hear_in_order(self) -> None:
        """Deliver what was not delivered yet, one after the other."""
        for each in self.subscriptions:
            for fact in each.told:
                async with self.database.transaction() as db:
                    await self.plans.follow_stripe(fact, db)

    async def step(self, kind: Any, request: Any) -> Any:
        """Carry out an answering step against the model of Stripe."""
        step = kind(self.means)
        async with self.database.transaction() as db:
            state = await step.prepare(request, db)
        if isinstance(state, Refusal):
            return state
        assert self.running is not None
        asked = ChangeStripeSubscription(
            organization_id=self.organization_id,
            action=state.action,
            tier=state.tier,
            price_cents=state.price_cents,
            requested_by=state.requested_by,
        )
        answer = self.running.change(asked, self.clock.now())
        async with self.database.transaction() as db:
            reply, _ = await step.answer("step", state, answer, db)
        return reply

    async def act(self, name: str, value: Any) -> None:
        """One thing that happens."""
        await getattr(self, f"do_{name}")(value)
        await self.hear_in_order()
        await self.hear()
        await self.check()

    async def do_subscribe(self, tier: str) -> None:
        if self.running is None:
            number = len(self.subscriptions)
            found = FakeSubscription(self.organization_id, number, tier, self.clock.now())
            self.subscriptions.append(found)
            found.begin(self.clock.now())

    async def do_change(self, tier: str) -> None:
        request = ChangePlan(
            organization_id=self.organization_id,
            tier=tier,  # type: ignore[arg-type]  # drawn from tiers
            requested_by="owner",
        )
        running = self.running
        before = None if running is None else running.stands()
        dearer = running is not None and PRICES[tier] > PRICES[running.tier]
        answer = await self.step(ChangesPlan, request)
        event(f"change {answer.code if isinstance(answer, Refusal) else 'done'}")
        if running is None or running.status != "active":
            assert isinstance(answer, Refusal)
        elif dearer and running.declines:
            assert answer == DECLINED
        elif dearer:
            assert (running.tier, running.lower_to) == (tier, None)
        elif before is not None:
            # Whatever was to follow so far, what is paid for is had until its end.
            assert running.tier == before.tier
            assert running.lower_to == (None if tier == before.tier else tier)

    async def do_card(self, card: str) -> None:
        for each in self.subscriptions:
            each.declines = card == "declined"

    async def do_cancel(self, at_period_end: bool) -> None:
        request = CancelSubscription(
            organization_id=self.organization_id, at_period_end=at_period_end, requested_by="owner"
        )
        answer = await self.step(Cancels, request)
        assert isinstance(answer, Refusal) or self.running is None or at_period_end

    async def do_reactivate(self, _: None) -> None:
        running = self.running
        pending = running is not None and running.cancel_at_period_end
        request = ReactivateSubscription(organization_id=self.organization_id, requested_by="owner")
        answer = await self.step(Reactivates, request)
        assert isinstance(answer, Refusal) != pending

    async def do_pass(self, value: tuple[int, Any]) -> None:
        days, payment = value
        self.clock.advance(timedelta(days=days))
        for each in self.subscriptions:
            each.pass_to(self.clock.now(), payment)

    async def do_pay(self, _: None) -> None:
        if self.running is not None:
            self.running.pay(self.clock.now())

    async def do_work(self, value: tuple[int, int]) -> None:
        """Reserve some workflows at once, complete some, release the others."""
        count, completed = value
        ids = [f"run-{uuid4().hex}" for _ in range(count)]
        async with self.database.transaction() as db:
            found = await reserve_included(self.means, self.organization_id, ids, 3_600, db)
        covered = []
        for workflow_id in ids:
            row = found.rows.get(workflow_id)
            if row is not None and row.state == "reserved":
                covered.append(result_for(found.standing, row))
        self._expect(len(covered), count)
        for number, reservation in enumerate(covered):
            assert isinstance(reservation, Reservation)
            await self._finish(reservation, completed=number < completed)

    def _expect(self, covered: int, count: int) -> None:
        """The model's own arithmetic of what may be covered."""
        month = ("free", calendar_month(self.clock.now()).start)
        free = 5 - self.charged[month]
        running = self.running
        if running is None:
            assert covered == min(count, free)
            return
        limit = LIMITS[running.tier]
        used = self.charged[(f"plan{running.number}", running.start)]
        since = running.past_due_since
        if since is not None and since + TERMS.grace <= self.clock.now():
            assert covered == 0
            return
        room = count if limit < 0 else max(0, limit - used)
        assert covered == min(count, room + free)

    async def _finish(self, reservation: Reservation, *, completed: bool) -> None:
        running = self.running
        organization_id, reservation_id = self.organization_id, reservation.reservation_id
        async with self.database.transaction() as db:
            if not completed:
                given_up = ReleaseWorkflow(
                    organization_id=organization_id, reservation_id=reservation_id
                )
                await self.workflows.release(given_up, db)
                return
            done = CompleteWorkflow(organization_id=organization_id, reservation_id=reservation_id)
            await self.workflows.complete(done, db)
        if reservation.covered_by == "plan":
            assert running is not None
            self.charged[(f"plan{running.number}", running.start)] += 1
        else:
            self.charged[("free", calendar_month(self.clock.now()).start)] += 1

    async def check(self) -> None:
        """One live subscription, as at Stripe; periods tile as the model's; counters agree."""
        async with self.database.read() as db:
            rows = await list_subscriptions(db, self.organization_id)
            shown = await subscription_of(self.means, db, self.organization_id)
            periods = {
                row.stripe_subscription_id: await list_periods(
                    db, self.organization_id, row.subscription_id
                )
                for row in rows
            }
        running = self.running
        assert sum(row.live for row in rows) == (running is not None)
        assert shown.tier == (running.tier if running else "free")
        assert shown.price_cents == (PRICES[running.tier] if running else 0)
        assert shown.pending_tier == (running.lower_to if running else None)
        assert shown.pending_change_at == (running.end if running and running.lower_to else None)
        for each in self.subscriptions:
            found = periods[each.stands().stripe_subscription_id]
            note(f"{each.periods} against {found}")
            assert [(one.period_start, one.period_end) for one in found] == each.periods
            for before, after in itertools.pairwise(found):
                assert before.period_end == after.period_start
            for one in found:
                expected = self.charged[(f"plan{each.number}", one.period_start)]
                assert (one.used, one.reserved) == (expected, 0)


async def live(stack: Stack, beginning: datetime, actions: list[tuple[str, Any]]) -> None:
    clock = FixedClock(beginning)
    database = Database(stack.databases["subscription"].dsn, clock, "model")
    try:
        world = World(database, clock, Means(Asks("subscription"), TERMS))
        for name, value in actions:
            note(f"{clock.now()} {name} {value}")
            await world.act(name, value)
    finally:
        await database.close()


def test_random_lives_agree_with_the_model(stack: Stack, database: Database) -> None:
    loop = asyncio.get_event_loop_policy().new_event_loop()

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(BEGINNINGS, ACTIONS)
    def lives(beginning: datetime, actions: list[tuple[str, Any]]) -> None:
        loop.run_until_complete(live(stack, beginning, actions))

    try:
        lives()
    finally:
        loop.close()

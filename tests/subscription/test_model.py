"""Random lives of a subscription against an independent model, on a real database."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from services.subscription.handlers.means import Means
from services.subscription.handlers.views import subscription_of
from services.subscription.rules.entitlements import Terms
from services.subscription.store import control
from services.subscription.store.quotas import list_periods
from services.subscription.store.subscriptions import list_subscriptions
from services.subscription.tables import QuotaRow, SubscriptionRow
from services.subscription.tiers import read_catalogue
from shared.bus import Asks
from shared.clock import FixedClock
from shared.database import Database
from tests.stack import Stack
from tests.subscription.fake_stripe import PRICES, FakeSubscription
from tests.subscription.life import Life
from tests.subscription.oracle import TRIALS, Unbilled, month_of

TRIED = json.dumps({tier: {"trial_days": days} for tier, days in TRIALS.items()})
TERMS = Terms(catalogue=read_catalogue(TRIED), workflow_price_cents=1_000, grace=timedelta(days=7))
BEGINNINGS = st.sampled_from(
    [
        datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2028, 1, 31, 9, tzinfo=UTC),
        datetime(2028, 2, 29, tzinfo=UTC),
        datetime(2027, 3, 30, 12, tzinfo=UTC),
        datetime(2027, 6, 15, 8, 30, tzinfo=UTC),
    ]
)
# What happens, one after the other, with what is chosen or drawn.
Happens = list[tuple[str, Any]]
TIERS = st.sampled_from(sorted(PRICES))
GIVEN = st.sampled_from(["enterprise", "team", "starter", "free", "free", "free"])
OPENED_BEFORE = st.sampled_from([False, False, True])


def one(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """One thing that happens."""
    return st.tuples(st.just(name), values)


SUBSCRIBE = one("subscribe", st.tuples(TIERS, OPENED_BEFORE))
LIFETIME = one("lifetime", OPENED_BEFORE)
OPERATOR = one("operator", st.tuples(GIVEN, st.sampled_from([None, None, -1, 0, 7])))
# From a cheap plan there is more to change to.
BEGINS = st.one_of(one("subscribe", st.tuples(st.just("starter"), st.just(False))), SUBSCRIBE)
CHANGE = one("change", st.tuples(TIERS, st.sampled_from([0, 5, 60, 61])))
PASS = one("pass", st.tuples(st.integers(1, 40), st.sampled_from(["paid", "paid", "failed"])))
ACTIONS = st.lists(
    st.one_of(
        SUBSCRIBE,
        CHANGE,
        CHANGE,
        CHANGE,
        PASS,
        PASS,
        one("work", st.tuples(st.integers(1, 30), st.integers(0, 30))),
        one("card", st.sampled_from(["declined", "good", "good"])),
        one("cancel", st.sampled_from([True, True, False])),
        one("reactivate", st.none()),
        one("pay", st.none()),
        one("stripe", st.sampled_from(["busy", "free", "free"])),
        LIFETIME,
        OPERATOR,
    ),
    min_size=6,
    max_size=20,
)


MIDYEAR = datetime(2027, 6, 15, 8, 30, tzinfo=UTC)
# What replaces a plan ends it at Stripe; here it is paid for once more before that gets there.
RENEWED_WHILE_STRIPE_WAS_BUSY: Happens = [
    ("stripe", "busy"),
    ("lifetime", False),
    ("pass", (31, "paid")),
    ("stripe", "free"),
]
# It may be busy for longer: all that was paid for meanwhile goes back, and not what was had before.
RENEWED_TWICE_WHILE_STRIPE_WAS_BUSY: Happens = [
    ("pass", (40, "paid")),
    ("stripe", "busy"),
    ("lifetime", False),
    ("pass", (31, "paid")),
    ("pass", (31, "paid")),
    ("stripe", "free"),
]
TAKEN_BACK_WHILE_STRIPE_WAS_BUSY: Happens = [
    ("pass", (10, "paid")),
    ("stripe", "busy"),
    ("operator", ("enterprise", None)),
    ("pass", (31, "paid")),
    ("operator", ("free", None)),
    ("stripe", "free"),
    ("pass", (31, "paid")),
    ("stripe", "busy"),
    ("operator", ("team", None)),
    ("stripe", "free"),
]
# What was bought meanwhile counts when the tier goes, and is then what the older plan is beside.
BOUGHT_BENEATH_A_TIER: Happens = [
    ("pass", (10, "paid")),
    ("stripe", "busy"),
    ("operator", ("enterprise", None)),
    ("subscribe", ("pro", True)),
    ("operator", ("free", None)),
    ("pass", (31, "paid")),
    ("stripe", "free"),
]
BOUGHT_BESIDE_WHILE_STRIPE_WAS_BUSY: Happens = [
    ("pass", (40, "paid")),
    ("stripe", "busy"),
    ("subscribe", ("pro", True)),
    ("pass", (31, "paid")),
    ("pass", (31, "paid")),
    ("stripe", "free"),
]
# Chance comes by few upgrades: some that are paid, declined or too late, and what may follow.
UPGRADED: Happens = [
    ("pass", (10, "paid")),
    ("work", (22, 21)),
    ("change", ("pro", 5)),
    ("card", "declined"),
    ("change", ("team", 0)),
    ("card", "good"),
    ("change", ("team", 61)),
    ("change", ("byo", 0)),
    ("change", ("team", 60)),
    ("change", ("starter", 0)),
    ("work", (30, 30)),
    ("pass", (30, "failed")),
    ("change", ("pro", 0)),
    ("pay", None),
    ("change", ("pro", 1)),
    ("operator", ("enterprise", None)),
    ("work", (9, 9)),
    ("operator", ("free", None)),
    ("subscribe", ("pro", False)),
]
LOWERED_CANCELED_AND_REACTIVATED: Happens = [
    ("change", ("starter", 60)),
    ("cancel", True),
    ("reactivate", None),
    ("pass", (31, "paid")),
]
TRIED_FIRST: Happens = [
    ("change", ("team", 5)),
    ("work", (7, 7)),
    ("pass", (14, "failed")),
    ("pay", None),
    ("cancel", True),
    ("change", ("team", 0)),
    ("cancel", False),
    ("subscribe", ("pro", False)),
    ("lifetime", False),
    ("lifetime", True),
    ("subscribe", ("starter", True)),
]


async def check(life: Life) -> None:
    """What is shown, counted, ordered and paid back is what the oracle says."""
    async with life.database.read() as db:
        rows = await list_subscriptions(db, life.organization_id)
        shown = await subscription_of(life.means, db, life.organization_id)
        totals = await control.get_totals(db, life.organization_id, None)
        periods = {
            row.subscription_id: await list_periods(db, life.organization_id, row.subscription_id)
            for row in rows
        }
    oracle, found = life.oracle, life.oracle.at_stripe
    assert sum(row.live for row in rows) == (oracle.tier != "free")
    assert (shown.tier, shown.price_cents) == (oracle.tier, oracle.price_cents)
    assert shown.pending_tier == (found.lower_to if found else None)
    assert shown.pending_change_at == (found.end if found and found.lower_to else None)
    assert shown.status == (found.status if found else "active")
    assert shown.is_lifetime == (oracle.better is oracle.lifetime is not None)
    assert (totals.charged, totals.quota_used) == (oracle.charged.total(),) * 2
    assert totals.charged_by_quota == totals.quota_used
    assert totals.quota_reserved == totals.reserved_by_quota == 0
    check_periods(life, rows, periods)
    if not life.busy:
        assert len(oracle.alive) == (found is not None)
        assert sorted(life.paid_back) == sorted(oracle.sessions[1:])
        for each in oracle.subscriptions:
            assert each.paid_back == oracle.owed(each), each


def check_periods(
    life: Life, rows: list[SubscriptionRow], periods: dict[str, list[QuotaRow]]
) -> None:
    """Each plan's own periods, and what is counted in each."""
    gifts = iter(life.oracle.gifts)
    by_name = {each.name: each for each in life.oracle.subscriptions}
    for row in sorted(rows, key=lambda each: each.began_at):
        counted = periods[row.subscription_id]
        if row.source == "stripe":
            check_tiling(life, by_name[row.stripe_subscription_id or ""], counted)
        else:
            plan = life.oracle.lifetime if row.source == "lifetime" else next(gifts)
            assert plan is not None
            check_months(life, plan, counted)


def check_tiling(life: Life, found: FakeSubscription, counted: list[QuotaRow]) -> None:
    """Stripe's periods, without gap or overlap."""
    note(f"{found.periods} against {counted}")
    assert [(one.period_start, one.period_end) for one in counted] == found.periods
    for before, after in itertools.pairwise(counted):
        assert before.period_end == after.period_start
    for one in counted:
        expected = life.oracle.charged[found.name, one.period_start]
        assert (one.used, one.reserved) == (expected, 0)


def check_months(life: Life, plan: Unbilled, counted: list[QuotaRow]) -> None:
    """Months counted from when it began, of those in which something ran."""
    for one in counted:
        month = month_of(plan.began_at, one.period_start)
        assert (one.period_start, one.period_end) == month
        assert (one.used, one.reserved) == (life.oracle.charged[plan.name, month[0]], 0)


async def live(stack: Stack, beginning: datetime, happens: Happens) -> None:
    clock = FixedClock(beginning)
    database = Database(stack.databases["subscription"].dsn, clock, "model")
    try:
        life = Life(database, clock, Means(Asks("subscription"), TERMS))
        for name, value in [*happens, ("stripe", "free")]:
            note(f"{clock.now()} {name} {value}")
            await life.act(name, value)
            await check(life)
    finally:
        await database.close()


def test_random_lives_agree_with_the_model(stack: Stack, database: Database) -> None:
    loop = asyncio.get_event_loop_policy().new_event_loop()

    # A life that fails is short enough to read; to shrink it takes longer than a test may.
    @settings(
        max_examples=60,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    @given(BEGINNINGS, BEGINS, ACTIONS)
    @example(MIDYEAR, ("subscribe", ("starter", False)), RENEWED_WHILE_STRIPE_WAS_BUSY)
    @example(MIDYEAR, ("subscribe", ("starter", False)), RENEWED_TWICE_WHILE_STRIPE_WAS_BUSY)
    @example(MIDYEAR, ("subscribe", ("starter", False)), TAKEN_BACK_WHILE_STRIPE_WAS_BUSY)
    @example(MIDYEAR, ("subscribe", ("starter", False)), BOUGHT_BENEATH_A_TIER)
    @example(MIDYEAR, ("subscribe", ("starter", False)), BOUGHT_BESIDE_WHILE_STRIPE_WAS_BUSY)
    @example(MIDYEAR, ("subscribe", ("starter", False)), UPGRADED)
    @example(MIDYEAR, ("subscribe", ("team", False)), LOWERED_CANCELED_AND_REACTIVATED)
    @example(MIDYEAR, ("subscribe", ("pro", False)), TRIED_FIRST)
    def lives(beginning: datetime, first: tuple[str, Any], rest: Happens) -> None:
        loop.run_until_complete(live(stack, beginning, [first, *rest]))

    try:
        lives()
    finally:
        loop.close()

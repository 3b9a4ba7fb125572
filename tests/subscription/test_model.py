"""Random lives of a subscription against an independent model, on a real database."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, note, settings
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
TIERS = st.sampled_from(sorted(PRICES))
GIVEN = st.sampled_from(["enterprise", "team", "pro", "free"])
OPENED_BEFORE = st.sampled_from([False, False, True])


def actions(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """One kind of thing that happens."""
    return st.tuples(st.just(name), values)


ACTIONS = st.lists(
    st.one_of(
        actions("subscribe", st.tuples(TIERS, OPENED_BEFORE)),
        actions("change", st.tuples(TIERS, st.sampled_from([0, 5, 60, 61]))),
        actions("card", st.sampled_from(["declined", "good"])),
        actions("cancel", st.booleans()),
        actions("reactivate", st.none()),
        actions("pass", st.tuples(st.integers(1, 70), st.sampled_from(["paid", "failed"]))),
        actions("pay", st.none()),
        actions("work", st.tuples(st.integers(1, 30), st.integers(0, 30))),
        actions("lifetime", OPENED_BEFORE),
        actions("operator", st.tuples(GIVEN, st.sampled_from([None, None, -1, 0, 7]))),
        actions("stripe", st.sampled_from(["busy", "free", "free"])),
    ),
    min_size=4,
    max_size=14,
)

# What replaces a plan ends it at Stripe; here it is paid for once more before that gets there.
RENEWED_WHILE_STRIPE_WAS_BUSY: list[tuple[str, Any]] = [
    ("subscribe", ("starter", False)),
    ("stripe", "busy"),
    ("lifetime", False),
    ("pass", (31, "paid")),
    ("stripe", "free"),
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
            assert each.paid_back == life.owed.get(each.name, []), each


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


async def live(stack: Stack, beginning: datetime, happens: list[tuple[str, Any]]) -> None:
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

    @settings(
        max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(BEGINNINGS, ACTIONS)
    @example(datetime(2027, 6, 15, 8, 30, tzinfo=UTC), RENEWED_WHILE_STRIPE_WAS_BUSY)
    def lives(beginning: datetime, happens: list[tuple[str, Any]]) -> None:
        loop.run_until_complete(live(stack, beginning, happens))

    try:
        lives()
    finally:
        loop.close()

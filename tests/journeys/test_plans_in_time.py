"""Plans as time passes: renewed, changed, unpaid, ended; every process and the sandbox real."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import psutil
import pytest

from services.invoicing.app import service as invoicing
from services.subscription.rules.periods import add_months
from tests.journeys.subscriber import (
    COLLECTED,
    Subscriber,
    cents,
    pay,
    period_end,
    period_start,
    subscriber,
)
from tests.journeys.system import OWNERS, TRIAL_DAYS, System, build_system
from tests.servers import start_servers

YEAR_SECONDS = 60.0
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def traveling(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """An installation of its own: nobody else lives through these years."""
    servers = start_servers()
    built = await build_system(servers, tmp_path_factory.mktemp("traveling"), (*OWNERS, invoicing))
    try:
        built.start()
        yield built
    finally:
        built.stop()
        servers.stop()


@pytest.fixture
async def customer(traveling: System, organization: str) -> AsyncIterator[Subscriber]:
    """Somebody new."""
    async with subscriber(traveling, organization) as made:
        yield made


def processor_seconds() -> float:
    """What this process and all that it has started have used of processors so far."""
    this = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (this, *this.children(recursive=True)))


async def test_a_year_of_renewals_passes_in_less_than_a_minute(customer: Subscriber) -> None:
    began = await customer.subscribe("pro")
    anchor = period_start(began)
    before = processor_seconds()
    await customer.travel(add_months(anchor, 12) + COLLECTED)
    took = processor_seconds() - before
    plan = await customer.plan()

    assert (plan["tier"], plan["status"]) == ("pro", "active")
    assert period_start(plan) == add_months(anchor, 12)
    assert period_end(plan) == add_months(anchor, 13)
    assert customer.money() == [7900] * 13
    assert cents((await customer.account())["total_amount_spent"]) == 13 * 7900
    # Of one processor, so that it says the same on a machine that is busy with other things.
    assert took < YEAR_SECONDS, f"{took:.1f} s"


async def test_counters_begin_anew_with_a_renewal_and_with_nothing_else(
    customer: Subscriber,
) -> None:
    began = await customer.subscribe("pro")
    await customer.run(3)
    await customer.use_card("pm_card_mastercard")
    await customer.done("/subscription/cancel")
    await customer.done("/subscription/reactivate")
    await customer.travel(period_end(began) - timedelta(minutes=1))
    before = await customer.plan()
    await customer.to_renewal()
    after = await customer.plan()

    assert (before["workflows_used"], before["workflows_remaining"]) == (3, 97)
    assert (after["workflows_used"], after["workflows_remaining"]) == (0, 100)
    assert period_start(after) == period_end(before)


async def test_an_upgrade_moves_the_money_of_its_preview_to_the_cent(customer: Subscriber) -> None:
    await customer.subscribe("pro")
    await customer.run(2)
    await customer.travel(customer.machine.now() + 11 * DAY)
    preview = await customer.done("/subscription/preview", tier="team")
    changed = await customer.done(
        "/subscription/change", tier="team", proration_date=preview["proration_date"]
    )
    await customer.machine.settle()
    plan = await customer.plan()

    assert (preview["kind"], changed["tier"], plan["tier"]) == ("upgrade", "team", "team")
    assert 0 < cents(preview["due_now"]) < 19_900 - 7900
    assert customer.money() == [7900, cents(preview["due_now"])]
    limits = (plan["workflows_limit"], plan["agents_limit"], plan["storage_limit_gb"])
    assert limits == (500, 15, 200)
    assert plan["workflows_used"] == 2
    await customer.to_renewal()
    assert customer.money()[2:] == [19_900]


async def test_a_failed_upgrade_charge_changes_nothing(customer: Subscriber) -> None:
    before = await customer.subscribe("pro")
    await customer.use_card("pm_card_chargeCustomerFail")
    preview = await customer.done("/subscription/preview", tier="team")
    refused = await customer.post(
        "/subscription/change", tier="team", proration_date=preview["proration_date"]
    )
    await customer.machine.settle()
    plan = await customer.plan()

    assert (refused.status_code, refused.json()["code"]) == (402, "payment_failed")
    shown = (
        "id",
        "tier",
        "status",
        "price",
        "workflows_limit",
        "current_period_end",
        "pending_tier",
    )
    assert [plan[name] for name in shown] == [before[name] for name in shown]
    assert customer.money() == [7900]
    (running,) = await customer.at_stripe()
    assert running.items.data[0].price.unit_amount == 7900
    assert running.pending_update is None
    await customer.use_card("pm_card_visa")
    await customer.to_renewal()
    assert customer.money() == [7900, 7900]


async def test_a_downgrade_takes_effect_when_its_period_ends(customer: Subscriber) -> None:
    before = await customer.subscribe("team")
    await customer.run(30)
    preview = await customer.done("/subscription/preview", tier="starter")
    changed = await customer.done("/subscription/change", tier="starter")
    end = period_end(before)
    await customer.travel(end - timedelta(minutes=1))
    announced = await customer.plan()
    await customer.travel(end + timedelta(hours=2))
    after = await customer.plan()

    assert (preview["kind"], preview["due_now"], preview["next_period"]) == ("downgrade", 0, 29)
    assert [each["resource"] for each in preview["warnings"]] == ["workflows"]
    assert (changed["tier"], changed["pending_tier"]) == ("team", "starter")
    assert (announced["tier"], announced["workflows_limit"]) == ("team", 500)
    assert datetime.fromisoformat(announced["pending_change_at"]) == end
    assert (after["tier"], after["pending_tier"], after["workflows_limit"]) == ("starter", None, 20)
    assert (after["workflows_used"], after["workflows_remaining"]) == (0, 20)
    assert customer.money() == [19_900, 2900]


async def test_an_upgrade_that_is_not_paid_leaves_the_downgrade_that_was_announced(
    customer: Subscriber,
) -> None:
    await customer.subscribe("pro")
    await customer.travel(customer.machine.now() + 11 * DAY)
    await customer.done("/subscription/change", tier="starter")
    await customer.machine.settle()
    announced = await customer.plan()
    await customer.use_card("pm_card_chargeCustomerFail")
    preview = await customer.done("/subscription/preview", tier="team")
    choice = {"tier": "team", "proration_date": preview["proration_date"]}
    refused = await customer.post("/subscription/change", **choice)
    await customer.machine.settle()
    after = await customer.plan()

    shown = ("tier", "price", "pending_tier", "pending_change_at", "workflows_limit")
    assert [announced[name] for name in shown[:3]] == ["pro", 79, "starter"]
    assert (refused.status_code, refused.json()["code"]) == (402, "payment_failed")
    assert [after[name] for name in shown] == [announced[name] for name in shown]
    await customer.use_card("pm_card_visa")
    await customer.to_renewal()
    assert (await customer.plan())["tier"] == "starter"
    assert customer.money() == [7900, 2900]


async def test_an_upgrade_instead_of_an_announced_downgrade_costs_its_preview(
    customer: Subscriber,
) -> None:
    began = await customer.subscribe("pro")
    await customer.travel(customer.machine.now() + 11 * DAY)
    await customer.done("/subscription/change", tier="starter")
    await customer.machine.settle()
    for moment in (began["current_period_end"], began["current_period_start"]):
        free = {"tier": "team", "proration_date": moment}
        refused = await customer.post("/subscription/change", **free)
        assert (refused.status_code, refused.json()["code"]) == (409, "preview_outdated")
    preview = await customer.done("/subscription/preview", tier="team")
    choice = {"tier": "team", "proration_date": preview["proration_date"]}
    changed = await customer.done("/subscription/change", **choice)
    await customer.machine.settle()

    assert (changed["tier"], changed["price"], changed["pending_tier"]) == ("team", 199, None)
    # From what is paid, $79, and not from what was to follow.
    assert 0 < cents(preview["due_now"]) < 19_900 - 7900
    assert customer.money() == [7900, cents(preview["due_now"])]


async def test_a_downgrade_is_revoked_by_choosing_the_current_plan_again(
    customer: Subscriber,
) -> None:
    await customer.subscribe("team")
    await customer.done("/subscription/change", tier="pro")
    kept = await customer.done("/subscription/change", tier="team")
    await customer.to_renewal()

    assert (kept["tier"], kept["pending_tier"]) == ("team", None)
    assert (await customer.plan())["tier"] == "team"
    assert customer.money() == [19_900, 19_900]


async def test_canceling_reaches_stripe_and_falls_back_to_free(customer: Subscriber) -> None:
    before = await customer.subscribe("pro")
    await customer.run(6)
    await customer.done("/subscription/cancel")
    (canceled,) = await customer.at_stripe()
    await customer.done("/subscription/reactivate")
    (taken_back,) = await customer.at_stripe()
    await customer.done("/subscription/cancel")
    await customer.travel(period_end(before) - timedelta(minutes=1))
    last = await customer.plan()
    await customer.travel(period_end(before) + timedelta(minutes=1))
    after, (ended,) = await customer.plan(), await customer.at_stripe()

    assert (canceled.cancel_at_period_end, taken_back.cancel_at_period_end) == (True, False)
    assert (last["tier"], last["status"], last["cancel_at_period_end"]) == ("pro", "active", True)
    assert (after["tier"], after["status"], after["workflows_limit"]) == ("free", "active", 5)
    assert ended.status == "canceled"
    assert (await customer.post("/subscription/reactivate")).status_code == 409
    assert customer.money() == [7900]
    # The six were the plan's: this month's free ones are all there.
    await customer.run(5)
    assert (await customer.reserve()).status_code == 402


async def test_canceling_at_once_ends_it_at_stripe_and_refunds_nothing(
    customer: Subscriber,
) -> None:
    await customer.subscribe("pro")
    await customer.done("/subscription/cancel?at_period_end=false")
    plan, (ended,) = await customer.plan(), await customer.at_stripe()

    assert (plan["tier"], ended.status) == ("free", "canceled")
    assert customer.money() == [7900]


async def test_an_unpaid_renewal_is_past_due_then_suspended_and_paying_lifts_both(
    customer: Subscriber,
) -> None:
    await customer.subscribe("pro")
    await customer.use_card("pm_card_chargeCustomerFail")
    end = await customer.to_renewal()
    past_due = await customer.plan()
    in_grace = await customer.reserve()
    await customer.travel(end + 8 * DAY - timedelta(hours=1))
    suspended, refused = await customer.plan(), await customer.reserve()
    await customer.use_card("pm_card_mastercard")
    await customer.machine.settle()
    paid, served = await customer.plan(), await customer.reserve()

    assert (past_due["status"], past_due["suspended"]) == ("past_due", False)
    since = datetime.fromisoformat(past_due["grace_ends_at"]) - 7 * DAY
    assert end <= since <= end + timedelta(hours=2)
    assert in_grace.status_code == 200
    assert (suspended["status"], suspended["suspended"]) == ("past_due", True)
    assert (refused.status_code, refused.json()["code"]) == (402, "account_suspended")
    assert (paid["status"], paid["suspended"], paid["grace_ends_at"]) == ("active", False, None)
    assert served.status_code == 200
    assert customer.money() == [7900, 7900]


async def test_a_renewal_that_nobody_pays_ends_the_plan(customer: Subscriber) -> None:
    await customer.subscribe("pro")
    await customer.use_card("pm_card_chargeCustomerFail")
    end = await customer.to_renewal()
    await customer.travel(end + 16 * DAY)
    plan, (ended,) = await customer.plan(), await customer.at_stripe()

    assert (plan["tier"], plan["suspended"], ended.status) == ("free", False, "canceled")
    assert customer.money() == [7900]


async def test_a_lifetime_ends_the_running_subscription_at_stripe(customer: Subscriber) -> None:
    await customer.subscribe("pro")
    await customer.run(2)
    await pay(await customer.open_page("lifetime"))
    await customer.machine.settle()
    plan, (ended,) = await customer.plan(), await customer.at_stripe()

    assert (plan["tier"], plan["is_lifetime"], ended.status) == ("lifetime", True, "canceled")
    assert (plan["workflows_limit"], plan["workflows_used"]) == (50, 0)
    assert customer.money() == [7900, 49_900]
    assert (await customer.post("/lifetime/checkout")).json()["code"] == "already_lifetime"
    assert (await customer.post("/subscription/checkout", tier="pro")).status_code == 409
    await customer.run(1)
    reset = datetime.fromisoformat(plan["workflows_reset_at"])
    await customer.travel(reset + timedelta(minutes=1))
    assert (await customer.plan())["workflows_used"] == 0
    assert customer.money() == [7900, 49_900]


async def test_a_lifetime_paid_in_two_tabs_is_one_and_the_other_money_goes_back(
    customer: Subscriber,
) -> None:
    pages = [await customer.open_page("lifetime"), await customer.open_page("lifetime")]
    assert pages[0] == pages[1], "a second tab gets the page that is open"
    # A page from before the first was paid, such as one that was opened a day earlier.
    await customer.travel(customer.machine.now() + timedelta(hours=22, minutes=45))
    other = await customer.open_page("lifetime")
    assert other != pages[0]
    await pay(other)
    await pay(pages[0])
    await customer.machine.settle()

    assert (await customer.plan())["is_lifetime"]
    assert customer.money() == [49_900, 49_900, -49_900]
    assert cents((await customer.account())["total_amount_spent"]) == 49_900
    assert await customer.charged_and_refunded() == [(49_900, 0), (49_900, 49_900)]


async def test_of_two_plans_bought_in_two_tabs_the_later_runs_and_the_other_money_goes_back(
    customer: Subscriber,
) -> None:
    pages = [await customer.open_page(tier) for tier in ("pro", "team")]
    for page in pages:
        await pay(page)
        # Stripe counts in seconds: the second tab is paid a moment later.
        await customer.travel(customer.machine.now() + timedelta(minutes=1))
    plan, found = await customer.plan(), await customer.at_stripe()

    assert (plan["tier"], plan["workflows_limit"]) == ("team", 500)
    assert [each.status for each in found] == ["active", "canceled"]
    assert customer.money() == [7900, 19_900, -7900]
    assert cents((await customer.account())["total_amount_spent"]) == 19_900
    assert await customer.charged_and_refunded() == [(7900, 7900), (19_900, 0)]
    await customer.to_renewal()
    assert customer.money()[3:] == [19_900]


async def test_a_trial_goes_before_a_first_paid_plan_and_before_no_second(
    customer: Subscriber,
) -> None:
    preview = await customer.done("/subscription/preview", tier="byo")
    trial = await customer.subscribe("byo")
    ends = datetime.fromisoformat(trial["trial_end"])
    await customer.travel(ends - timedelta(minutes=1))
    nearly_over, nothing = await customer.plan(), customer.money()
    await customer.travel(ends + COLLECTED)
    paid = await customer.plan()

    assert (preview["kind"], preview["due_now"], preview["next_period"]) == ("checkout", 0, 19)
    assert (trial["status"], trial["workflows_limit"]) == ("trialing", -1)
    assert ends - datetime.fromisoformat(trial["trial_start"]) == TRIAL_DAYS * DAY
    assert (nearly_over["status"], nothing) == ("trialing", [])
    assert (paid["status"], period_start(paid)) == ("active", ends)
    assert period_end(paid) == add_months(ends, 1)
    assert customer.money() == [1900]

    await customer.done("/subscription/cancel?at_period_end=false")
    again = await customer.done("/subscription/preview", tier="byo")
    second = await customer.subscribe("byo")
    assert (again["due_now"], second["status"], second["trial_end"]) == (19, "active", None)
    assert customer.money() == [1900, 1900]


async def test_a_trial_that_is_canceled_costs_nothing(customer: Subscriber) -> None:
    trial = await customer.subscribe("byo")
    await customer.done("/subscription/cancel")
    await customer.travel(datetime.fromisoformat(trial["trial_end"]) + COLLECTED)

    assert (await customer.plan())["tier"] == "free"
    assert customer.money() == []


async def test_a_late_update_never_revives_a_deleted_subscription(customer: Subscriber) -> None:
    await customer.subscribe("pro")
    await customer.done("/subscription/cancel")
    await customer.machine.settle()
    async with customer.stripe() as client:
        late = await client.v1.events.list_async({"type": "customer.subscription.updated"})
        (running,) = await customer.at_stripe()
        await client.v1.subscriptions.cancel_async(running.id)
    await customer.machine.settle()
    mine = [each.id for each in late.data if each.data.object["id"] == running.id]
    for event in mine:
        customer.system.sandbox.control(f"events/{event}/send", copies=2)
    await customer.machine.settle()
    plan = await customer.plan()

    assert mine
    assert (plan["tier"], plan["status"]) == ("free", "active")

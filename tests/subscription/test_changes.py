"""Changes of plan are told to Stripe first; what Stripe refuses changes nothing here."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    PlanChangePreview,
    PreviewPlanChange,
    StripeSubscription,
)
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    OfferTier,
    PreviewChange,
    ReactivateSubscription,
    SetTier,
)
from tests.subscription.customer import Customer

DECLINED = Refusal(code="card_declined", detail="Your card was declined.", status=402)


@pytest.fixture
async def pro(customer: Customer) -> Customer:
    """A customer with pro, whose Stripe does what it is told, and tells what it has done."""
    await customer.subscribe("pro")
    customer.neighbours.answers[ChangeStripeSubscription] = as_told(customer)
    return customer


def as_told(customer: Customer) -> Callable[[ChangeStripeSubscription], StripeSubscription]:
    """Stripe as stripe_gateway tells of it: a cheaper plan follows what is paid."""

    def change(request: ChangeStripeSubscription) -> StripeSubscription:
        stands, action = customer.stripe_stands, request.action
        keeps = action == "cancel" or request.keeps_downgrade
        following = stands.pending_tier if keeps else None
        following = request.tier if action == "downgrade" else following
        customer.stripe_stands = msgspec.structs.replace(
            stands,
            tier=request.tier if action == "upgrade" else stands.tier,
            price_cents=request.price_cents if action == "upgrade" else stands.price_cents,
            cancel_at_period_end=action == "cancel",
            status="canceled" if action == "cancel_now" else stands.status,
            pending_tier=following,
            pending_change_at=stands.current_period_end if following else None,
        )
        return customer.stripe_stands

    return change


def change(customer: Customer, tier: Any, **options: Any) -> ChangePlan:
    return ChangePlan(
        organization_id=customer.organization_id, tier=tier, requested_by="owner", **options
    )


def cancel(customer: Customer, *, at_period_end: bool = True) -> CancelSubscription:
    return CancelSubscription(
        organization_id=customer.organization_id,
        at_period_end=at_period_end,
        requested_by="owner",
    )


def reactivate(customer: Customer) -> ReactivateSubscription:
    return ReactivateSubscription(organization_id=customer.organization_id, requested_by="owner")


def told(customer: Customer) -> list[ChangeStripeSubscription]:
    return customer.neighbours.requests(ChangeStripeSubscription, customer.organization_id)


async def test_an_upgrade_costs_what_its_preview_said(pro: Customer) -> None:
    pro.neighbours.answers[PreviewPlanChange] = lambda request: PlanChangePreview(
        due_now_cents=6_000,
        proration_cents=6_000,
        unused_cents=-3_950,
        rest_cents=9_950,
        next_period_cents=request.price_cents,
        proration_date=request.proration_date,
    )
    preview = await pro.ask(PreviewChange(organization_id=pro.organization_id, tier="team"))
    assert (preview.kind, preview.due_now_cents, preview.next_period_cents) == (
        "upgrade",
        6_000,
        19_900,
    )
    assert (preview.unused_cents, preview.rest_cents) == (-3_950, 9_950)
    await pro.reserve(2)
    found = await pro.ask(change(pro, "team", proration_date=preview.proration_date))
    assert (found.tier, found.workflows_limit, found.workflows_reserved) == ("team", 500, 2)
    (asked,) = told(pro)
    assert (asked.action, asked.tier, asked.price_cents) == ("upgrade", "team", 19_900)
    assert asked.proration_date == preview.proration_date


@pytest.mark.parametrize("undone", ["an upgrade", "a cancellation", "a reactivation"])
async def test_what_was_undone_at_stripe_before_its_answer_came_is_not_shown_as_done(
    pro: Customer, undone: str
) -> None:
    """There is no fact of it, for Stripe stands as it stood before."""
    requests = {
        "an upgrade": change(pro, "team"),
        "a cancellation": cancel(pro),
        "a reactivation": reactivate(pro),
    }
    if undone == "a reactivation":
        await pro.ask(cancel(pro))
    before = await pro.subscription()
    pro.neighbours.answers[ChangeStripeSubscription] = lambda _: pro.stripe_stands
    await pro.ask(requests[undone])
    found = await pro.subscription()
    assert (found.tier, found.price_cents) == (before.tier, before.price_cents)
    assert found.cancel_at_period_end == before.cancel_at_period_end


async def test_an_upgrade_leaves_the_limits_that_an_operator_gave_behind(pro: Customer) -> None:
    limited = SetTier(
        organization_id=pro.organization_id, tier="pro", workflows_limit=7, requested_by="operator"
    )
    assert (await pro.ask(limited)).workflows_limit == 7
    assert (await pro.ask(change(pro, "team"))).workflows_limit == 500


@pytest.mark.parametrize(
    "from_now",
    [
        timedelta(seconds=1),
        # The period's end, from which on an upgrade would cost nothing.
        timedelta(days=28),
        timedelta(hours=-1, seconds=-1),
        # The end of the period before.
        timedelta(days=-2, seconds=-1),
    ],
)
async def test_an_upgrade_is_charged_as_of_no_other_moment_than_its_preview(
    pro: Customer, from_now: timedelta
) -> None:
    now = pro.clock.now()
    await pro.subscribe(
        current_period_start=now - timedelta(days=2), current_period_end=now + timedelta(days=28)
    )
    refusal = await pro.refused(change(pro, "team", proration_date=now + from_now))
    assert (refusal.status, refusal.code) == (409, "preview_outdated")
    assert told(pro) == []
    assert (await pro.subscription()).tier == "pro"


async def test_a_preview_of_the_period_before_is_outdated_however_young(pro: Customer) -> None:
    before = pro.clock.now() - timedelta(seconds=1)
    refusal = await pro.refused(change(pro, "team", proration_date=before))
    assert refusal.code == "preview_outdated"
    assert told(pro) == []


async def test_a_preview_holds_for_an_hour(pro: Customer) -> None:
    shown = pro.clock.now()
    pro.clock.advance(timedelta(hours=1))
    await pro.ask(change(pro, "team", proration_date=shown))
    assert [each.proration_date for each in told(pro)] == [shown]


async def test_a_failed_upgrade_charge_changes_nothing(pro: Customer) -> None:
    pro.neighbours.answers[ChangeStripeSubscription] = lambda _: DECLINED
    before = await pro.subscription()
    refusal = await pro.refused(change(pro, "team"), idempotency_key="key")
    assert refusal.code == "card_declined"
    assert await pro.subscription() == before
    assert (await pro.refused(change(pro, "team"), idempotency_key="key")) == refusal
    assert len(told(pro)) == 1


async def test_a_downgrade_waits_for_the_period_and_warns(pro: Customer) -> None:
    await pro.reserve(25)
    preview = await pro.ask(PreviewChange(organization_id=pro.organization_id, tier="starter"))
    assert (preview.kind, preview.due_now_cents) == ("downgrade", 0)
    assert [each.resource for each in preview.warnings] == ["workflows"]
    found = await pro.ask(change(pro, "starter"))
    assert (found.tier, found.pending_tier) == ("pro", "starter")
    assert found.pending_change_at == found.current_period_end
    assert [each.resource for each in found.warnings] == ["workflows"]
    assert found.workflows_limit == 100
    start = found.current_period_end
    assert start is not None
    end = start + timedelta(days=30)
    await pro.subscribe("starter", current_period_start=start, current_period_end=end)
    found = await pro.subscription()
    assert (found.tier, found.pending_tier, found.workflows_remaining) == ("starter", None, 20)


async def test_choosing_the_current_tier_revokes_a_downgrade(pro: Customer) -> None:
    await pro.ask(change(pro, "starter"))
    found = await pro.ask(change(pro, "pro"))
    assert (found.tier, found.pending_tier, found.pending_change_at) == ("pro", None, None)
    assert [each.action for each in told(pro)] == ["downgrade", "resume"]
    assert (await pro.refused(change(pro, "pro"))).code == "already_on_tier"


async def test_cancel_and_reactivate_reach_stripe(pro: Customer) -> None:
    found = await pro.ask(cancel(pro))
    assert (found.tier, found.cancel_at_period_end) == ("pro", True)
    refusal = await pro.refused(cancel(pro))
    assert (refusal.status, refusal.code) == (409, "already_canceled")
    assert not (await pro.ask(reactivate(pro))).cancel_at_period_end
    assert (await pro.refused(reactivate(pro))).status == 409
    assert (await pro.ask(cancel(pro, at_period_end=False))).tier == "free"
    assert [each.action for each in told(pro)] == ["cancel", "resume", "cancel_now"]
    assert (await pro.refused(cancel(pro))).status == 404


async def test_to_reactivate_leaves_the_downgrade_that_was_announced(pro: Customer) -> None:
    await pro.ask(change(pro, "starter"))
    canceled = await pro.ask(cancel(pro))
    assert (canceled.cancel_at_period_end, canceled.pending_tier) == (True, "starter")
    found = await pro.ask(reactivate(pro))
    assert (found.tier, found.cancel_at_period_end) == ("pro", False)
    assert (found.pending_tier, found.pending_change_at) == ("starter", found.current_period_end)
    assert [each.keeps_downgrade for each in told(pro)] == [False, False, True]


async def test_without_a_paid_plan_there_is_nothing_to_change(customer: Customer) -> None:
    assert (await customer.refused(cancel(customer))).status == 404
    assert (await customer.refused(change(customer, "pro"))).code == "checkout_required"
    assert (await customer.refused(change(customer, "enterprise"))).code == "contact_us"
    preview = await customer.ask(
        PreviewChange(organization_id=customer.organization_id, tier="pro")
    )
    assert (preview.kind, preview.due_now_cents) == ("checkout", 7_900)


async def test_a_lifetime_has_nothing_to_cancel_or_change(customer: Customer) -> None:
    await customer.buy_lifetime()
    assert (await customer.refused(cancel(customer))).status == 409
    assert (await customer.refused(change(customer, "pro"))).code == "already_lifetime"


async def test_a_fact_that_came_meanwhile_knows_better(pro: Customer) -> None:
    """The portal moves the plan while our own change is under way."""
    answer = pro.neighbours.answers[ChangeStripeSubscription]

    async def slowly(request: ChangeStripeSubscription) -> Any:
        await pro.tell(pro.stands("starter"))
        return answer(request)

    pro.neighbours.answers[ChangeStripeSubscription] = slowly
    assert (await pro.ask(change(pro, "team"))).tier == "starter"


async def test_a_downgrade_is_announced_even_if_its_fact_came_first(pro: Customer) -> None:
    answer = as_told(pro)

    async def slowly(request: ChangeStripeSubscription) -> Any:
        told = answer(request)
        await pro.tell(pro.stands_as(told))
        return told

    pro.neighbours.answers[ChangeStripeSubscription] = slowly
    assert (await pro.ask(change(pro, "starter"))).pending_tier == "starter"


async def test_what_is_to_follow_is_what_stripe_tells(pro: Customer) -> None:
    """Announced on a page that is not ours, and taken back there."""
    end = (await pro.subscription()).current_period_end
    following = {"pending_tier": "starter", "pending_change_at": end}
    await pro.tell(pro.stands("pro", **following))
    found = await pro.subscription()
    assert (found.tier, found.price_cents, found.pending_tier) == ("pro", 7_900, "starter")
    assert found.pending_change_at == end
    await pro.tell(pro.stands("pro"))
    found = await pro.subscription()
    assert (found.pending_tier, found.pending_change_at) == (None, None)


async def test_a_plan_that_is_cheaper_than_what_is_paid_follows_whatever_was_announced(
    customer: Customer,
) -> None:
    """From team, starter was announced: pro is still no upgrade, for team is paid."""
    await customer.subscribe("team")
    customer.neighbours.answers[ChangeStripeSubscription] = as_told(customer)
    await customer.ask(change(customer, "starter"))
    await customer.tell(customer.stands_as(customer.stripe_stands))
    found = await customer.subscription()
    assert (found.tier, found.price_cents, found.pending_tier) == ("team", 19_900, "starter")
    pro = PreviewChange(organization_id=customer.organization_id, tier="pro")
    preview = await customer.ask(pro)
    assert (preview.kind, preview.due_now_cents) == ("downgrade", 0)
    found = await customer.ask(change(customer, "pro"))
    assert (found.tier, found.price_cents, found.pending_tier) == ("team", 19_900, "pro")
    assert [each.action for each in told(customer)] == ["downgrade", "downgrade"]


async def test_a_failed_upgrade_charge_leaves_the_downgrade_that_was_announced(
    pro: Customer,
) -> None:
    await pro.ask(change(pro, "starter"))
    await pro.tell(pro.stands_as(pro.stripe_stands))
    before = await pro.subscription()
    assert before.pending_tier == "starter"
    pro.neighbours.answers[ChangeStripeSubscription] = lambda _: DECLINED
    assert (await pro.refused(change(pro, "team"))).code == "card_declined"
    assert await pro.subscription() == before


async def test_a_paused_plan_can_be_bought_anew_replaced_or_ended(pro: Customer) -> None:
    await pro.tell(pro.stands("pro", status="paused"))
    for tier, cents in (("pro", 7_900), ("team", 19_900), ("starter", 2_900)):
        choice: Any = {"organization_id": pro.organization_id, "tier": tier}
        preview = await pro.ask(PreviewChange(**choice))
        assert (preview.kind, preview.due_now_cents) == ("checkout", cents)
        assert (await pro.ask(OfferTier(**choice))).price_cents == cents
        assert (await pro.refused(change(pro, tier))).code == "checkout_required"
    assert told(pro) == []
    assert (await pro.ask(change(pro, "free"))).cancel_at_period_end
    assert [each.action for each in told(pro)] == ["cancel"]


async def test_an_overdue_plan_is_paid_before_it_is_changed(pro: Customer) -> None:
    await pro.tell(pro.stands("pro", status="past_due"))
    assert (await pro.refused(change(pro, "team"))).code == "payment_outstanding"


async def test_the_same_key_changes_once(pro: Customer) -> None:
    async def once() -> Any:
        return await pro.bus.ask(change(pro, "team"), idempotency_key="once")

    answers = await asyncio.gather(*(once() for _ in range(5)))
    assert {each.code for each in answers if isinstance(each, Refusal)} <= {
        "idempotency_key_in_flight"
    }
    assert (await pro.ask(change(pro, "team"), idempotency_key="once")).tier == "team"
    assert len(told(pro)) == 1

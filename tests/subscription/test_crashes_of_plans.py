"""Killed anywhere while a plan renews, changes or ends, it does so once and counts in one piece."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.subscription.store.quotas import list_periods
from shared.contracts.base import Request
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    StripeSubscription,
)
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    CompleteWorkflow,
    PlanChanged,
    Subscription,
    WorkflowCharged,
)
from tests.subscription.crashing import (
    CONSUMER,
    OUTBOX,
    STEP,
    alive,
    answered,
    calm,
    killed_asking,
    killed_at,
    reservation_id,
    reserved,
)
from tests.subscription.customer import Customer
from tests.subscription.neighbours import Answer

pytestmark = pytest.mark.usefixtures("impatient")


async def complete(customer: Customer, workflow_id: str) -> None:
    """A workflow has succeeded."""
    done = CompleteWorkflow(
        organization_id=customer.organization_id,
        reservation_id=await reservation_id(customer, workflow_id),
    )
    assert (await answered(customer, done, f"complete-{workflow_id}")).state == "charged"


async def work_on_pro(customer: Customer) -> Subscription:
    """A month of pro that ends now, with two workflows that count and one that still runs."""
    now = customer.clock.now()
    month = {
        "current_period_start": now - timedelta(days=30),
        "current_period_end": now - timedelta(seconds=1),
    }
    async with alive(customer):
        await customer.subscribe("pro", **month)
        assert await reserved(customer, "first", "second", "running") == ["plan"] * 3
        for each in ("first", "second"):
            await complete(customer, each)
        return await customer.subscription()


async def counted(customer: Customer, plan: Subscription) -> list[tuple[int, int]]:
    """What is used and reserved in each period of a plan; these tile."""
    async with customer.database.read() as db:
        periods = await list_periods(db, customer.organization_id, plan.subscription_id)
    for before, after in itertools.pairwise(periods):
        assert before.period_end == after.period_start
    return [(each.used, each.reserved) for each in periods]


def check_told(customer: Customer) -> None:
    """Each state of the plan was told once, and each workflow was charged once."""
    versions = [each["version"] for each in customer.facts(PlanChanged)]
    assert len(versions) == len(set(versions))
    charged = [each["workflow_id"] for each in customer.facts(WorkflowCharged)]
    assert sorted(charged) == sorted(set(charged))


@pytest.mark.parametrize("failpoint", [*CONSUMER, *OUTBOX])
async def test_a_renewal_that_is_killed_begins_one_new_period(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    end = (await work_on_pro(alone)).current_period_end
    assert end is not None
    renewal = alone.stands(
        "pro",
        current_period_start=end,
        current_period_end=end + timedelta(days=31),
        renewal_paid=True,
    )
    told_before = len(alone.facts(PlanChanged))

    async def tell() -> None:
        await alone.neighbours.publish(renewal)

    await killed_at(failpoint, alone, tmp_path / "log", tell)
    async with alive(alone):
        await alone.told_of(PlanChanged, told_before + 1)
        found = await alone.subscription()
        assert (found.current_period_start, found.workflows_used) == (end, 0)
        # What was reserved before counts where it was reserved.
        await complete(alone, "running")
        assert await reserved(alone, "later") == ["plan"]
        await complete(alone, "later")
    assert await counted(alone, found) == [(3, 0), (1, 0)]
    assert len(alone.facts(PlanChanged)) == told_before + 1
    assert len(alone.facts(WorkflowCharged)) == 4
    check_told(alone)


def stripe_of(customer: Customer, **after: Any) -> Answer:
    """A Stripe that changes once for a key, and tells of it once, before it answers."""
    done: list[StripeSubscription] = []

    async def change(_: ChangeStripeSubscription) -> StripeSubscription:
        if not done:
            done.append(msgspec.structs.replace(customer.stripe_stands, **after))
            await customer.neighbours.publish(customer.stands_as(done[0]))
        return done[0]

    return change


async def change_killed_at(
    failpoint: str, customer: Customer, log: Path, request: Request[Any]
) -> Subscription:
    """The answer to a change, given by another process than the one that has begun it."""
    await killed_asking(failpoint, customer, log, request, "change")
    async with alive(customer):
        await answered(customer, request, "change")
        await calm(customer)
        found = await customer.subscription()
    organization_id = customer.organization_id
    asked = customer.neighbours.requests(ChangeStripeSubscription, organization_id)
    assert len({msgspec.json.encode(each) for each in asked}) == 1
    assert len(customer.neighbours.keys[ChangeStripeSubscription, organization_id]) == 1
    return found


@pytest.mark.parametrize("failpoint", [*STEP, *OUTBOX])
async def test_an_upgrade_that_is_killed_happens_once_and_counts_on(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    await work_on_pro(alone)
    stripe = stripe_of(alone, tier="team", price_cents=19_900)
    alone.neighbours.answers[ChangeStripeSubscription] = stripe
    upgrade = ChangePlan(organization_id=alone.organization_id, tier="team", requested_by="owner")
    found = await change_killed_at(failpoint, alone, tmp_path / "log", upgrade)
    assert (found.tier, found.price_cents, found.workflows_limit) == ("team", 19_900, 500)
    assert (found.workflows_used, found.workflows_reserved) == (2, 1)
    async with alive(alone):
        await complete(alone, "running")
    assert await counted(alone, found) == [(3, 0)]
    check_told(alone)


@pytest.mark.parametrize("failpoint", [*STEP, *OUTBOX])
async def test_a_cancellation_that_is_killed_happens_once_and_keeps_what_runs(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    plan = await work_on_pro(alone)
    stripe = stripe_of(alone, status="canceled", status_at_stripe="canceled")
    alone.neighbours.answers[ChangeStripeSubscription] = stripe
    cancel = CancelSubscription(
        organization_id=alone.organization_id, at_period_end=False, requested_by="owner"
    )
    found = await change_killed_at(failpoint, alone, tmp_path / "log", cancel)
    assert (found.tier, found.workflows_used, found.workflows_reserved) == ("free", 0, 0)
    async with alive(alone):
        await complete(alone, "running")
        assert await reserved(alone, "later") == ["free"]
        await complete(alone, "later")
        assert (await alone.usage()).free_workflows_used == 1
    assert await counted(alone, plan) == [(3, 0)]
    check_told(alone)

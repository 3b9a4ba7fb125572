"""A workflow is covered by plan, free workflows, credits, auto-billing, or refused; never twice."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from shared.bus import NoAnswerer
from shared.contracts.account import GetAccount, SettleHold
from shared.contracts.base import Refusal
from shared.contracts.subscription import (
    CheckExecution,
    CompleteWorkflow,
    LimitReached,
    ReleaseWorkflow,
    RenewReservation,
    ReserveWorkflows,
    WorkflowCharged,
    WorkflowReleased,
)
from tests.stack import until
from tests.subscription.customer import Customer, covers


async def test_the_free_tier_has_five_workflows_and_never_five_more(customer: Customer) -> None:
    assert covers(await customer.reserve(5)) == ["free"] * 5
    refusal = await customer.refused(customer.reserving())
    assert (refusal.status, refusal.code) == (402, "free_workflows_used")
    found = await customer.subscription()
    assert (found.tier, found.workflows_limit, found.workflows_remaining) == ("free", 5, 0)


async def test_plan_then_free_then_credits_then_auto_billing(customer: Customer) -> None:
    await customer.subscribe("starter")
    customer.neighbours.credit_cents[customer.organization_id] = 2_000
    await customer.account_stands(
        has_payment_method=True, auto_billing_enabled=True, auto_billing_monthly_limit_cents=3_500
    )
    found = covers(await customer.reserve(30))
    assert found == ["plan"] * 20 + ["free"] * 5 + ["credits"] * 2 + ["auto_billing"] * 3
    refusal = await customer.refused(customer.reserving())
    assert (refusal.status, refusal.code) == (402, "auto_billing_limit_reached")


async def test_auto_billing_needs_a_payment_method(customer: Customer) -> None:
    await customer.reserve(5)
    await customer.account_stands(auto_billing_enabled=True, has_payment_method=False)
    assert (await customer.refused(customer.reserving())).status == 402


async def test_a_thousand_parallel_reservations_grant_exactly_what_is_covered(
    customer: Customer,
) -> None:
    await customer.subscribe("pro")
    gate = asyncio.Semaphore(64)

    async def reserve() -> str:
        async with gate:
            answer = await customer.bus.ask(customer.reserving(), timeout_seconds=60)
        return answer.code if isinstance(answer, Refusal) else str(answer.covered_by)

    found = Counter(await asyncio.gather(*(reserve() for _ in range(1_000))))
    assert found == {"plan": 100, "free": 5, "workflow_limit_reached": 895}
    usage = await customer.usage()
    assert (usage.workflows_reserved, usage.free_workflows_reserved) == (100, 5)


async def test_many_in_one_request_get_one_answer_each(customer: Customer) -> None:
    await customer.subscribe("starter")
    customer.neighbours.credit_cents[customer.organization_id] = 1_000
    ids = tuple(f"run-{number}" for number in range(28))
    request = ReserveWorkflows(organization_id=customer.organization_id, workflow_ids=ids)
    answer = await customer.ask(request)
    assert [each.workflow_id for each in answer.results] == list(ids)
    found = [each.reservation.covered_by for each in answer.results if each.reservation]
    assert found == ["plan"] * 20 + ["free"] * 5 + ["credits"]
    refusals = [each.refusal for each in answer.results if each.refusal]
    assert [each.code for each in refusals] == ["workflow_limit_reached"] * 2


async def test_a_reservation_asked_for_twice_is_one(customer: Customer) -> None:
    answers = await asyncio.gather(*(customer.ask(customer.reserving("run")) for _ in range(20)))
    assert len({each.reservation_id for each in answers}) == 1
    assert (await customer.usage()).free_workflows_reserved == 1


async def test_a_completed_workflow_is_charged_once(customer: Customer) -> None:
    (reserved,) = await customer.reserve()
    request = CompleteWorkflow(
        organization_id=customer.organization_id, reservation_id=reserved.reservation_id
    )
    answers = await asyncio.gather(*(customer.ask(request) for _ in range(5)))
    assert {each.state for each in answers} == {"charged"}
    (fact,) = await customer.told_of(WorkflowCharged, 1)
    assert (fact["covered_by"], fact["unit_price_cents"]) == ("free", 1_000)
    usage = await customer.usage()
    assert (usage.free_workflows_used, usage.free_workflows_reserved) == (1, 0)
    again = await customer.refused(customer.reserving(reserved.workflow_id))
    assert again.code == "already_charged"


async def test_a_released_workflow_frees_what_it_reserved(customer: Customer) -> None:
    reserved = await customer.reserve(5)
    request = ReleaseWorkflow(
        organization_id=customer.organization_id,
        reservation_id=reserved[0].reservation_id,
        reason="failed",
    )
    assert (await customer.ask(request)).state == "released"
    assert (await customer.ask(request)).state == "released"
    (fact,) = await customer.told_of(WorkflowReleased, 1)
    assert fact["reason"] == "failed"
    assert covers(await customer.reserve(1)) == ["free"]
    assert (await customer.refused(customer.reserving())).status == 402


async def test_credits_are_held_committed_and_let_go(customer: Customer) -> None:
    await customer.reserve(5)
    customer.neighbours.credit_cents[customer.organization_id] = 2_000
    first, second = await customer.reserve(2)
    assert covers([first, second]) == ["credits", "credits"]
    await customer.ask(
        CompleteWorkflow(
            organization_id=customer.organization_id, reservation_id=first.reservation_id
        )
    )
    await customer.ask(
        ReleaseWorkflow(
            organization_id=customer.organization_id, reservation_id=second.reservation_id
        )
    )

    async def states() -> Counter[str]:
        return customer.neighbours.states(customer.organization_id)

    await until(states, lambda found: found == {"committed": 1, "released": 1})
    (fact,) = await customer.told_of(WorkflowCharged, 1)
    assert fact["hold_id"] in customer.neighbours.holds
    assert customer.neighbours.credit_cents[customer.organization_id] == 1_000


async def test_a_reservation_never_heard_of_again_expires(customer: Customer) -> None:
    await customer.reserve(4)
    kept = await customer.ask(customer.reserving(expires_in_seconds=3_600))
    customer.neighbours.credit_cents[customer.organization_id] = 1_000
    lost = await customer.ask(customer.reserving(expires_in_seconds=3_600))
    renewal = RenewReservation(
        organization_id=customer.organization_id,
        reservation_id=kept.reservation_id,
        expires_in_seconds=6 * 3_600,
    )
    assert (await customer.ask(renewal)).expires_at is not None
    customer.clock.advance(timedelta(hours=2))
    (fact,) = await customer.told_of(WorkflowReleased, 1)
    assert (fact["reservation_id"], fact["reason"]) == (lost.reservation_id, "expired")

    async def states() -> Counter[str]:
        return customer.neighbours.states(customer.organization_id)

    await until(states, lambda found: found == {"released": 1})
    assert (await customer.usage()).free_workflows_reserved == 5
    (settled,) = customer.neighbours.requests(SettleHold, customer.organization_id)
    assert settled.action == "release"


async def test_a_suspended_account_runs_nothing(customer: Customer) -> None:
    await customer.account_stands(status="suspended")
    assert (await customer.refused(customer.reserving())).code == "account_suspended"
    check = await customer.ask(CheckExecution(organization_id=customer.organization_id))
    assert (check.can_execute, check.code) == (False, "account_suspended")
    await customer.account_stands(status="active")
    assert covers(await customer.reserve(1)) == ["free"]


async def test_a_check_reserves_nothing(customer: Customer) -> None:
    for _ in range(7):
        check = await customer.ask(CheckExecution(organization_id=customer.organization_id))
        assert (check.can_execute, check.covered_by) == (True, "free")
    await customer.reserve(5)
    check = await customer.ask(CheckExecution(organization_id=customer.organization_id))
    assert (check.can_execute, check.code) == (False, "free_workflows_used")


async def test_a_check_knows_of_credits_that_a_reservation_holds(customer: Customer) -> None:
    checking = CheckExecution(organization_id=customer.organization_id)
    customer.neighbours.credit_cents[customer.organization_id] = 1_999
    await customer.reserve(5)
    assert (await customer.ask(checking)).code == "covered_by_credits"
    assert covers(await customer.reserve()) == ["credits"]
    assert (await customer.ask(checking)).can_execute is False
    await customer.account_stands(has_payment_method=True, auto_billing_enabled=True)
    assert (await customer.ask(checking)).code == "covered_by_auto_billing"


async def test_a_check_needs_account_only_for_credits_and_says_so_when_it_is_away(
    customer: Customer,
) -> None:
    customer.neighbours.silent.add(GetAccount)
    checking = CheckExecution(organization_id=customer.organization_id)
    await customer.subscribe("starter")
    assert (await customer.ask(checking)).code == "covered_by_plan"
    await customer.reserve(20)
    assert (await customer.ask(checking)).code == "covered_by_free"
    await customer.reserve(5)
    with pytest.raises(NoAnswerer):
        await customer.bus.ask(checking)


async def test_warnings_come_once_per_threshold(customer: Customer) -> None:
    reserved = await customer.reserve(5)
    facts = await customer.told_of(LimitReached, 2)
    assert [each["threshold_percent"] for each in facts] == [80, 100]
    await customer.ask(
        ReleaseWorkflow(
            organization_id=customer.organization_id, reservation_id=reserved[0].reservation_id
        )
    )
    await customer.reserve(1)
    await customer.told_of(WorkflowReleased, 1)
    assert len(customer.facts(LimitReached)) == 2


async def test_a_limit_that_is_new_warns_anew(customer: Customer) -> None:
    async def reserve(count: int) -> None:
        runs = tuple(uuid4().hex for _ in range(count))
        await customer.ask(
            ReserveWorkflows(organization_id=customer.organization_id, workflow_ids=runs)
        )

    def told() -> list[tuple[int, int, int]]:
        facts = customer.facts(LimitReached)
        return sorted((each["limit"], each["threshold_percent"], each["used"]) for each in facts)

    fact = await customer.subscribe("starter")
    await reserve(20)
    await customer.told_of(LimitReached, 2)
    period = {
        "current_period_start": fact.subscription.current_period_start,
        "current_period_end": fact.subscription.current_period_end,
    }
    await customer.subscribe("pro", **period)
    await reserve(59)
    await reserve(1)
    await customer.told_of(LimitReached, 3)
    await reserve(19)
    await reserve(1)
    await customer.told_of(LimitReached, 4)
    assert told() == [(20, 80, 20), (20, 100, 20), (100, 80, 80), (100, 100, 100)]


async def test_free_workflows_come_back_on_the_first_of_the_month(customer: Customer) -> None:
    await customer.reserve(5)
    before = await customer.usage()
    customer.clock.advance(before.free_workflows_reset_at - customer.clock.now())
    after = await customer.usage()
    assert after.free_workflows_remaining == 5
    assert after.period_start == before.free_workflows_reset_at
    assert covers(await customer.reserve(1)) == ["free"]

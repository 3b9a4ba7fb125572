"""What agents tell counts once, whatever comes twice, late, wrong, or not at all."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

from services.subscription.store.workflows import list_expired
from shared.contracts.account import HoldCredits
from shared.contracts.base import Refusal
from shared.contracts.operations import ListDeadLetters
from shared.contracts.subscription import (
    LimitReached,
    ReleaseWorkflow,
    SetGauge,
    WorkflowCharged,
    WorkflowReleased,
)
from tests.stack import until
from tests.subscription.customer import Customer


async def letters(customer: Customer) -> Counter[str]:
    answer = await customer.ask(ListDeadLetters(limit=200), owner="subscription")
    return Counter(
        each.reason for each in answer.letters if each.organization_id == customer.organization_id
    )


async def test_a_reserved_workflow_is_charged_when_it_completes(customer: Customer) -> None:
    await customer.ask(customer.reserving("run", ticket_id="T-1"))
    event = customer.ended("run")
    await customer.report("workflow", event, event)
    await customer.report("workflow", event)
    await customer.report("workflow", customer.ended("run"))
    (fact,) = await customer.told_of(WorkflowCharged, 1)
    assert (fact["workflow_id"], fact["ticket_id"], fact["covered_by"]) == ("run", "T-1", "free")
    usage = await customer.usage()
    assert (usage.free_workflows_used, usage.free_workflows_reserved) == (1, 0)
    assert await letters(customer) == {}


async def test_a_failed_or_canceled_workflow_costs_nothing(customer: Customer) -> None:
    await customer.ask(customer.reserving("a"))
    await customer.ask(customer.reserving("b"))
    await customer.report(
        "workflow",
        customer.ended("a", "failed"),
        customer.ended("b", "canceled"),
        customer.ended("unheard of", "failed"),
    )
    facts = await customer.told_of(WorkflowReleased, 2)
    assert {each["reason"] for each in facts} == {"failed", "canceled"}
    assert (await customer.usage()).free_workflows_remaining == 5


async def test_a_completion_without_reservation_consumes_in_the_same_order(
    customer: Customer,
) -> None:
    customer.neighbours.credit_cents[customer.organization_id] = 1_000
    await customer.account_stands(
        has_payment_method=True, auto_billing_enabled=True, auto_billing_monthly_limit_cents=1_000
    )
    await customer.report("workflow", *(customer.ended(f"run-{n}") for n in range(9)))
    facts = await customer.told_of(WorkflowCharged, 9)
    assert Counter(each["covered_by"] for each in facts) == {
        "free": 5,
        "credits": 1,
        "auto_billing": 1,
        "none": 2,
    }

    async def states() -> Counter[str]:
        return customer.neighbours.states(customer.organization_id)

    await until(states, lambda found: found == {"committed": 1})


async def test_a_completion_after_expiry_is_charged_all_the_same(customer: Customer) -> None:
    await customer.ask(customer.reserving("run", expires_in_seconds=60))
    customer.clock.advance(timedelta(minutes=2))
    await customer.told_of(WorkflowReleased, 1)
    await customer.report("workflow", customer.ended("run"))
    (fact,) = await customer.told_of(WorkflowCharged, 1)
    assert fact["covered_by"] == "free"
    assert (await customer.usage()).free_workflows_used == 1


async def test_what_failed_before_it_completed_was_an_earlier_try(customer: Customer) -> None:
    now = customer.clock.now()
    await customer.ask(customer.reserving("run"))
    failed = customer.ended("run", "failed", occurred_at=(now - timedelta(hours=1)).isoformat())
    await customer.report("workflow", customer.ended("run"), failed)
    assert await letters(customer) == {}
    later = customer.ended("run", "failed", occurred_at=(now + timedelta(minutes=1)).isoformat())
    await customer.report("workflow", later)
    assert await letters(customer) == {"workflow_conflict": 1}
    assert len(customer.facts(WorkflowCharged)) == 1


async def test_a_late_failure_of_an_earlier_try_leaves_the_new_reservation_alone(
    customer: Customer,
) -> None:
    first = await customer.ask(customer.reserving("run"))
    failed = customer.ended("run", "failed")
    customer.clock.advance(timedelta(minutes=1))
    await customer.ask(
        ReleaseWorkflow(
            organization_id=customer.organization_id, reservation_id=first.reservation_id
        )
    )
    customer.clock.advance(timedelta(minutes=1))
    await customer.ask(customer.reserving("run"))
    await customer.report("workflow", failed)
    usage = await customer.usage()
    assert (usage.free_workflows_reserved, usage.free_workflows_remaining) == (1, 4)
    await customer.report("workflow", customer.ended("run", "failed"))
    assert (await customer.usage()).free_workflows_reserved == 0
    assert len(await customer.told_of(WorkflowReleased, 2)) == 2


async def test_a_run_that_completed_while_it_waits_for_credits_is_not_looked_at_as_expired(
    customer: Customer,
) -> None:
    await customer.reserve(5)
    hold = customer.neighbours.answers[HoldCredits]
    customer.neighbours.answers[HoldCredits] = lambda _: Refusal(code="pending", detail="Soon.")
    asked = customer.reserving("run", expires_in_seconds=60)
    assert (await customer.refused(asked)).code == "pending"
    await customer.report("workflow", customer.ended("run"))
    customer.clock.advance(timedelta(minutes=2))
    async with customer.database.read() as db:
        expired = await list_expired(db, customer.clock.now(), 500)
    assert (customer.organization_id, "run") not in expired
    customer.neighbours.answers[HoldCredits] = hold
    (fact,) = await until(
        lambda: _charged(customer, "run"), lambda found: len(found) == 1, timeout_seconds=60
    )
    assert fact["covered_by"] == "none"


async def _charged(customer: Customer, workflow_id: str) -> list[dict[str, Any]]:
    facts = customer.facts(WorkflowCharged)
    return [each for each in facts if each["workflow_id"] == workflow_id]


async def test_what_is_wrong_is_parked_and_costs_no_good_event(customer: Customer) -> None:
    good = customer.ended("good")
    await customer.report(
        "workflow",
        customer.ended("a", "exploded"),
        customer.ended("b", organization_id="other"),
        customer.ended("c", agent_id="other"),
        customer.ended("d", occurred_at="2999-01-01T00:00:00Z"),
        customer.ended("e", occurred_at="2027-01-01T00:00:00"),
        {"workflow_id": "f"},
        good,
        {**good, "workflow_id": "other content"},
    )
    assert await letters(customer) == {
        "invalid_field": 3,
        "foreign_organization": 1,
        "foreign_agent": 1,
        "time_out_of_range": 1,
        "event_conflict": 1,
    }
    (fact,) = await customer.told_of(WorkflowCharged, 1)
    assert fact["workflow_id"] == "good"


async def test_a_broken_envelope_is_parked_whole(customer: Customer) -> None:
    await customer.publish_usage("workflow", "not json")
    await customer.settled()
    assert await letters(customer) == {"malformed": 1}


async def test_the_last_gauge_by_its_own_time_counts(customer: Customer) -> None:
    now = customer.clock.now()

    def gauge(value: int, minutes: int, name: str = "agents_in_use") -> dict[str, object]:
        return {
            "event_id": uuid4().hex,
            "gauge": name,
            "value": value,
            "occurred_at": (now + timedelta(minutes=minutes)).isoformat(),
        }

    await customer.report("gauge", gauge(3, -2), gauge(1, -1), gauge(7, -5))
    await customer.report("gauge", gauge(2 * 1024**3, -3, "storage_bytes"), gauge(9, -4))
    found = await customer.subscription()
    assert (found.agents_used, found.storage_used_bytes) == (1, 2 * 1024**3)
    facts = await customer.told_of(LimitReached, 4)
    assert {(each["resource"], each["threshold_percent"]) for each in facts} == {
        ("agents", 80),
        ("agents", 100),
        ("storage", 80),
        ("storage", 100),
    }
    await customer.report("gauge", gauge(2, 0))
    assert len(customer.facts(LimitReached)) == 4


async def test_a_gauge_warns_anew_of_a_limit_that_is_new(customer: Customer) -> None:
    fact = await customer.subscribe("starter")

    async def count(agents: int) -> list[tuple[int, int]]:
        customer.clock.advance(timedelta(minutes=1))
        reading = {
            "event_id": uuid4().hex,
            "gauge": "agents_in_use",
            "value": agents,
            "occurred_at": customer.clock.now().isoformat(),
        }
        await customer.report("gauge", reading)
        await customer.settled()
        facts = customer.facts(LimitReached)
        return sorted((each["limit"], each["threshold_percent"]) for each in facts)

    assert await until(lambda: count(2), lambda found: found == [(2, 80), (2, 100)])
    period = {
        "current_period_start": fact.subscription.current_period_start,
        "current_period_end": fact.subscription.current_period_end,
    }
    await customer.subscribe("pro", **period)
    told = [(2, 80), (2, 100), (5, 80)]
    assert await until(lambda: count(4), lambda found: found == told)


async def test_a_gauge_of_the_future_is_refused_so_that_the_next_reading_counts(
    customer: Customer,
) -> None:
    now = customer.clock.now()

    def agents(value: int, ahead: timedelta) -> SetGauge:
        return SetGauge(
            organization_id=customer.organization_id,
            gauge="agents_in_use",
            value=value,
            measured_at=now + ahead,
        )

    minute = timedelta(minutes=1)
    refusal = await customer.refused(agents(9, 5 * minute + timedelta(seconds=1)))
    assert (refusal.status, refusal.code) == (422, "time_out_of_range")
    assert "measured_at" in refusal.detail
    await customer.ask(agents(3, minute * 0))
    assert (await customer.usage()).agents_used == 3
    await customer.ask(agents(4, 5 * minute))
    assert (await customer.usage()).agents_used == 4


async def test_a_platform_sets_a_gauge_by_request(customer: Customer) -> None:
    now = customer.clock.now()
    for value, minutes in ((5, 0), (9, -1)):
        await customer.ask(
            SetGauge(
                organization_id=customer.organization_id,
                gauge="storage_bytes",
                value=value,
                measured_at=now + timedelta(minutes=minutes),
            )
        )
    assert (await customer.usage()).storage_used_bytes == 5

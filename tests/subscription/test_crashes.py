"""Killed anywhere, no hold leaks, none is made twice, and no workflow counts twice or never."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.contracts.account import HoldCredits, SettleHold
from shared.contracts.subscription import (
    CompleteWorkflow,
    ReleaseWorkflow,
    Reservation,
    WorkflowCharged,
    WorkflowReleased,
)
from tests.subscription.crashing import (
    ANSWER,
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

pytestmark = pytest.mark.usefixtures("impatient")
FREE = [f"free-{number}" for number in range(5)]
PRICE_CENTS = 1_000


async def reserve_all(customer: Customer, *workflow_ids: str) -> None:
    """Reserve all free workflows, and then others, which credits cover."""
    async with alive(customer):
        covered = await reserved(customer, *FREE, *workflow_ids)
        assert covered == ["free"] * 5 + ["credits"] * len(workflow_ids)


def settled_by(customer: Customer) -> set[tuple[str, str]]:
    """Which holds account was asked to settle, and how."""
    asked = customer.neighbours.requests(SettleHold, customer.organization_id)
    return {(each.hold_id, each.action) for each in asked}


def check_credits(customer: Customer, **states: int) -> None:
    """Each hold was made once, and is what is left of the credits that were had."""
    assert customer.neighbours.states(customer.organization_id) == states
    asked = customer.neighbours.requests(HoldCredits, customer.organization_id)
    assert len({each.hold_id for each in asked}) == sum(states.values())
    kept = sum(count for state, count in states.items() if state != "released")
    left = customer.neighbours.credit_cents[customer.organization_id]
    assert left == 2_000 - kept * PRICE_CENTS


@pytest.mark.parametrize("failpoint", STEP)
async def test_a_reservation_by_credits_survives_a_kill(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    await reserve_all(alone)
    run = alone.reserving("run")
    await killed_asking(failpoint, alone, tmp_path / "log", run, "run")
    async with alive(alone):
        answer = await answered(alone, run, "run")
        assert isinstance(answer, Reservation)
        assert answer.covered_by == "credits"
        totals = await calm(alone)
    assert (totals.reserved_by_credits, totals.quota_reserved) == (1, 5)
    check_credits(alone, held=1)


@pytest.mark.parametrize("failpoint", [*ANSWER, *OUTBOX, *STEP])
async def test_a_completion_survives_a_kill(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    await reserve_all(alone, "run", "other")
    done = CompleteWorkflow(
        organization_id=alone.organization_id, reservation_id=await reservation_id(alone, "run")
    )
    await killed_asking(failpoint, alone, tmp_path / "log", done, "done")
    async with alive(alone):
        assert (await answered(alone, done, "done")).state == "charged"
        totals = await calm(alone)
    assert (totals.charged, totals.quota_used) == (1, 0)
    assert (totals.reserved_by_credits, totals.quota_reserved) == (1, 5)
    check_credits(alone, committed=1, held=1)
    (charged,) = alone.facts(WorkflowCharged)
    assert (charged["workflow_id"], charged["covered_by"]) == ("run", "credits")
    assert settled_by(alone) == {(charged["hold_id"], "commit")}


@pytest.mark.parametrize("failpoint", [*ANSWER, *OUTBOX, *STEP])
async def test_a_release_survives_a_kill(alone: Customer, failpoint: str, tmp_path: Path) -> None:
    await reserve_all(alone, "run", "other")
    given_up = ReleaseWorkflow(
        organization_id=alone.organization_id, reservation_id=await reservation_id(alone, "run")
    )
    await killed_asking(failpoint, alone, tmp_path / "log", given_up, "given-up")
    async with alive(alone):
        assert (await answered(alone, given_up, "given-up")).state == "released"
        totals = await calm(alone)
        assert (totals.charged, totals.reserved_by_credits, totals.quota_reserved) == (0, 1, 5)
        check_credits(alone, released=1, held=1)
        (released,) = alone.facts(WorkflowReleased)
        assert (released["workflow_id"], released["reason"]) == ("run", "released")
        assert {action for _, action in settled_by(alone)} == {"release"}
        # What went back can be had again, once.
        assert await reserved(alone, "another") == ["credits"]
    check_credits(alone, released=1, held=2)


@pytest.mark.parametrize("failpoint", [*CONSUMER, *OUTBOX, *STEP])
async def test_completions_that_an_agent_tells_survive_a_kill(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    """One that a free workflow covers, one that credits do, and one that nobody has reserved."""
    await reserve_all(alone, "run")
    ended = [alone.ended(each) for each in (FREE[0], "run", "unreserved")]

    async def report() -> None:
        await alone.publish_usage("workflow", *ended)

    await killed_at(failpoint, alone, tmp_path / "log", report)
    async with alive(alone):
        # The agent was not told that they have arrived.
        await report()
        totals = await calm(alone)
    assert (totals.charged, totals.quota_used, totals.quota_reserved) == (3, 1, 4)
    assert totals.reserved_by_credits == 0
    check_credits(alone, committed=2)
    charged = {each["workflow_id"]: each["covered_by"] for each in alone.facts(WorkflowCharged)}
    assert charged == {FREE[0]: "free", "run": "credits", "unreserved": "credits"}
    assert len(alone.facts(WorkflowCharged)) == 3
    assert {action for _, action in settled_by(alone)} == {"commit"}


JOB = ("expire_reservations.uncommitted", "expire_reservations.committed")


@pytest.mark.parametrize("failpoint", [*JOB, *OUTBOX, *STEP])
async def test_reservations_that_expire_survive_a_kill(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    await reserve_all(alone, "run", "other")
    async with alone.database.transaction() as db:
        await db.driver.execute(
            "UPDATE workflows SET expires_at = $2"
            " WHERE organization_id = $1 AND workflow_id = ANY ($3)",
            alone.organization_id,
            datetime.now(UTC),
            [FREE[0], "run"],
        )

    async def nothing() -> None:
        """It looks for them by itself."""

    await killed_at(failpoint, alone, tmp_path / "log", nothing)
    async with alive(alone):
        released = await alone.told_of(WorkflowReleased, 2)
        totals = await calm(alone)
        assert (totals.charged, totals.reserved_by_credits, totals.quota_reserved) == (0, 1, 4)
        check_credits(alone, released=1, held=1)
        assert sorted(each["workflow_id"] for each in released) == [FREE[0], "run"]
        assert {each["reason"] for each in released} == {"expired"}
        assert {action for _, action in settled_by(alone)} == {"release"}
        # What went back can be had again, once.
        assert await reserved(alone, "another", "more", "too-many") == ["free", "credits", None]

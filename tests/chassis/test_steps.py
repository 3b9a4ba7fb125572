"""Steps: whatever dies between preparing, calling and concluding, they conclude exactly once."""

import asyncio
import signal
from collections import Counter

import asyncpg
import msgspec
import pytest

from shared.answers import IN_FLIGHT, REUSED
from shared.bus import AnswerTimedOut, Bus
from shared.contracts.base import PASSING, Refusal
from shared.stepped_requests import PENDING
from shared.steps import Step, StepTimes
from tests.chassis.contracts.shop import ChargeCard, Charged
from tests.chassis.stage import TIMES, Stage, ask_at_once
from tests.chassis.toys import Shop
from tests.stack import until

CHARGE = ChargeCard(organization_id="acme", amount_cents=700)
KEY = "key-1"


def noted(note: str) -> ChargeCard:
    return msgspec.structs.replace(CHARGE, note=note)


async def only_step(stage: Stage) -> asyncpg.Record:
    (step,) = await stage.rows("shop", "SELECT * FROM steps")
    return step


OLD_STEP = """
INSERT INTO steps (step_id, kind, state, traceparent, status, due_at, created_at, concluded_at)
SELECT $1 || ' ' || $2 || ' ' || days, $1, '{}', '', $2,
       current_date + interval '1 year', current_date, current_date - days * interval '1 day'
FROM unnest(array[29, 31]) AS days
"""


async def concluded(stage: Stage, status: str = "concluded") -> asyncpg.Record:
    return await until(lambda: only_step(stage), lambda step: step["status"] == status)


def calls(stage: Stage) -> Counter[str]:
    """How often the other system was called, by step."""
    return Counter(stage.calls.read_text().split())


async def facts(stage: Stage) -> int:
    """How many times it was told that a card was charged."""
    stored = await stage.stored()
    return len({(message.headers or {})["Nats-Msg-Id"] for message in stored})


async def test_a_step_answers_its_request(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        answer = await bus.ask(CHARGE)
        step = await only_step(stage)
        assert answer == Charged(charge_id=f"charge-of-{step['step_id']}")
        assert await until(lambda: facts(stage), bool) == 1
    assert await stage.effects("shop") == ["prepared", "charged 700"]
    assert calls(stage) == {step["step_id"]: 1}


@pytest.mark.parametrize(
    "point", ["step.prepared", "step.called", "step.uncommitted", "step.concluded"]
)
async def test_a_crash_anywhere_is_resumed_and_concludes_once(
    stage: Stage, bus: Bus, point: str
) -> None:
    with stage.process("shop", FAILPOINTS=f"{point}:1") as killed:
        await killed.ready()
        with pytest.raises(AnswerTimedOut):
            await bus.ask(CHARGE, idempotency_key=KEY, timeout_seconds=1)
        assert await killed.exit_code() == -signal.SIGKILL
    async with stage.running(Shop().service):
        step = await concluded(stage)
        expected = Charged(charge_id=f"charge-of-{step['step_id']}")
        assert await bus.ask(CHARGE, idempotency_key=KEY) == expected
        assert await until(lambda: facts(stage), bool) == 1
    assert await stage.effects("shop") == ["prepared", "charged 700"]
    assert calls(stage)[step["step_id"]] == (
        2 if point in {"step.called", "step.uncommitted"} else 1
    )


async def test_a_runner_that_comes_back_after_its_lease_changes_nothing(
    stage: Stage, bus: Bus
) -> None:
    with stage.process("shop", FAILPOINTS="step.called:1:STOP") as stale:
        await stale.ready()
        with pytest.raises(AnswerTimedOut):
            await bus.ask(CHARGE, idempotency_key=KEY, timeout_seconds=1)
        async with stage.running(Shop().service):
            step = await concluded(stage)
        stale.signal(signal.SIGCONT)
        await stale.logs("lease lost")
        await stale.ready()
    assert (step["fence"], calls(stage)) == (2, {step["step_id"]: 2})
    assert await facts(stage) == 1
    assert await stage.effects("shop") == ["prepared", "charged 700"]


async def test_a_call_that_always_fails_waits_for_an_operator(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        answer = await bus.ask(noted("poison:card"), idempotency_key=KEY)
        assert answer == PENDING
        step = await concluded(stage, "parked")
        assert await bus.ask(noted("poison:card"), idempotency_key=KEY) == IN_FLIGHT
    assert step["attempts"] == TIMES.steps.max_attempts == calls(stage)[step["step_id"]]
    assert "poison card" in step["last_error"]
    assert await stage.effects("shop") == ["prepared"]


async def test_a_conclusion_that_always_fails_waits_for_an_operator_too(
    stage: Stage, bus: Bus
) -> None:
    async with stage.running(Shop().service):
        assert await bus.ask(noted("spoil"), idempotency_key=KEY) == PENDING
        step = await concluded(stage, "parked")
    assert "cannot conclude" in step["last_error"]
    assert await stage.effects("shop") == ["prepared"]


async def test_a_step_that_kills_its_process_every_time_is_parked(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        await bus.ask(CHARGE)
        most = TIMES.steps.max_attempts
        query = "UPDATE steps SET status = 'prepared', attempts = $1, due_at = now()"
        await stage.rows("shop", query, most)
        await concluded(stage, "parked")
    assert calls(stage).total() == 1


async def test_what_is_not_known_in_time_is_pending_and_settles_by_itself(
    stage: Stage, bus: Bus
) -> None:
    async with stage.running(Shop().service):
        slow = noted("slow:0.8")
        assert await bus.ask(slow, idempotency_key=KEY, timeout_seconds=0.6) == PENDING
        assert await bus.ask(slow, idempotency_key=KEY) == IN_FLIGHT
        await concluded(stage)
        assert isinstance(await bus.ask(slow, idempotency_key=KEY), Charged)
    assert calls(stage).total() == 1


async def test_a_no_of_the_other_system_is_kept_as_the_answer(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        declined = await bus.ask(noted("decline"), idempotency_key=KEY)
        assert declined == Refusal(code="declined", detail="The card was declined.", status=402)
        assert await bus.ask(noted("decline"), idempotency_key=KEY) == declined
        assert await bus.ask(CHARGE, idempotency_key=KEY) == REUSED
    assert calls(stage).total() == 1


@pytest.mark.parametrize("code", sorted(PASSING))
async def test_a_no_that_passes_is_no_answer_to_who_asks_again(
    stage: Stage, bus: Bus, code: str
) -> None:
    passing = noted(f"decline at first {code}")
    async with stage.running(Shop().service):
        refusal = await bus.ask(passing, idempotency_key=KEY)
        assert isinstance(refusal, Refusal)
        assert refusal.code == code
        assert await bus.ask(CHARGE, idempotency_key=KEY) == REUSED
        charged = await bus.ask(passing, idempotency_key=KEY)
        assert isinstance(charged, Charged)
        assert await bus.ask(passing, idempotency_key=KEY) == charged


async def test_a_refusal_before_anything_was_begun_may_be_another_answer_later(
    stage: Stage, bus: Bus
) -> None:
    nothing = msgspec.structs.replace(CHARGE, amount_cents=0)
    async with stage.running(Shop().service):
        refused = await bus.ask(nothing, idempotency_key=KEY)
        assert isinstance(refused, Refusal)
        assert refused.code == "nothing_to_charge"
        assert await stage.rows("shop", "SELECT FROM steps") == []
        assert isinstance(await bus.ask(CHARGE, idempotency_key=KEY), Charged)


async def test_parallel_requests_under_one_key_prepare_one_step(stage: Stage, bus: Bus) -> None:
    slow = noted("slow:0.2")
    async with stage.running(Shop().service), stage.running(Shop().service):
        answers = await ask_at_once(bus, *[slow] * 20, idempotency_key=KEY)
        later = await bus.ask(slow, idempotency_key=KEY)
    assert isinstance(later, Charged)
    assert all(answer in (later, IN_FLIGHT) for answer in answers)
    assert await stage.effects("shop") == ["prepared", "charged 700"]
    assert calls(stage).total() == 1


async def test_steps_are_carried_out_side_by_side(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        async with asyncio.timeout(2.5):
            answers = await ask_at_once(bus, *[noted("slow:0.5")] * 12)
    assert all(isinstance(answer, Charged) for answer in answers)
    assert calls(stage).total() == 12


def test_a_call_ends_before_its_lease() -> None:
    with pytest.raises(ValueError, match="before its lease"):
        StepTimes(lease_seconds=5, call_seconds=5)


class Guard(Step[ChargeCard, str]):
    """A kind that does not say how long its ids may be forgotten after."""

    kind = "guard"
    state = ChargeCard


async def test_what_was_concluded_long_ago_is_let_go_unless_its_id_guards_something(
    stage: Stage,
) -> None:
    for kind in ("charge", "guard"):
        for status in ("concluded", "parked", "prepared"):
            await stage.rows("shop", OLD_STEP, kind, status)

    async def kept() -> set[str]:
        return {row["step_id"] for row in await stage.rows("shop", "SELECT step_id FROM steps")}

    before = await kept()
    shop = Shop()
    shop.service.step(Guard())
    async with stage.running(shop.service):
        left = await until(kept, lambda ids: ids < before)
    assert before - left == {"charge concluded 31"}

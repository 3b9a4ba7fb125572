"""Alive by progress, ready only for work, and gone when the loop is stuck."""

import asyncio
import json
import time
from collections.abc import Sequence

import msgspec
import pytest

from shared.bus import AnswerFailed
from shared.contracts.base import Event
from shared.database import Db
from shared.health import STUCK_EXIT_CODE, Health, HealthTimes, Progress
from shared.runtime import Runtime, Times
from tests.chassis.contracts.shop import OrderPlaced, PlaceOrder
from tests.chassis.stage import TIMES, Stage, order
from tests.chassis.toys import Ledger, Shop
from tests.stack import until

DURABLE = "ledger-event-shop-order_placed"


def times_of(**health: float) -> Times:
    return msgspec.structs.replace(TIMES, health=HealthTimes(**health))


HASTY = times_of(no_progress_seconds=0.5)


async def problems(runtime: Runtime, path: str) -> list[str]:
    """What a health path complains of; its status says the same."""
    status, _, body = await runtime.health.answer(path)
    found: list[str] = json.loads(body)["problems"]
    assert status == (503 if found else 200)
    return found


async def live(runtime: Runtime) -> list[str]:
    return await problems(runtime, "/livez")


async def ready(runtime: Runtime) -> list[str]:
    return await problems(runtime, "/readyz")


async def test_a_service_that_works_is_alive_and_ready(stage: Stage) -> None:
    async with stage.running(Ledger().service) as ledger:
        assert await live(ledger) == await ready(ledger) == []
        assert (await ledger.health.answer("/other"))[0] == 404


async def test_a_handler_that_hangs_is_not_alive(stage: Stage) -> None:
    hangs = asyncio.Event()

    async def hang(_event: OrderPlaced, _db: Db) -> None:
        await hangs.wait()

    async with stage.running(Ledger(hang).service, HASTY) as ledger:
        await stage.publish(order("one"))
        assert await until(lambda: live(ledger), bool) == [f"{DURABLE} makes no progress"]
        hangs.set()
        await until(lambda: live(ledger), lambda found: not found)


async def test_a_consumer_that_takes_nothing_is_not_alive(stage: Stage) -> None:
    async with stage.running(Ledger().service, HASTY) as ledger:
        for puller in ledger._pullers:
            await puller.stop()
        assert await live(ledger) == []
        await stage.publish(order("one"))
        assert await until(lambda: live(ledger), bool) == [f"{DURABLE} makes no progress"]


async def test_a_message_that_is_put_off_is_no_reason_to_start_anew(stage: Stage) -> None:
    ladder = msgspec.structs.replace(TIMES.ladder, first_delay_seconds=30, longest_delay_seconds=30)
    times = msgspec.structs.replace(HASTY, ladder=ladder)
    async with stage.running(Ledger().service, times) as ledger:
        await stage.publish(order("one", "poison"))
        async with stage.topology() as js:
            await until(
                lambda: js.consumer_info("EVENTS", DURABLE),
                lambda info: info.num_ack_pending == 1 and not info.num_pending,
            )
        for _ in range(10):
            await asyncio.sleep(0.15)
            assert await live(ledger) == []
        # And whoever takes the next one is not suspected of the silence before it.
        await stage.publish(order("two"))
        await stage.has_effects("ledger", "two")
        assert await live(ledger) == []
    async with stage.topology() as js:
        await js.purge_stream("EVENTS")


async def test_servers_that_are_away_make_it_unready_and_not_dead(stage: Stage) -> None:
    async with stage.running(Ledger().service, HASTY) as ledger:
        await stage.publish(order("one"))
        await stage.has_effects("ledger", "one")
        stage.postgres.kill()
        assert "database" in (await until(lambda: ready(ledger), bool))[0]
        await stage.publish(order("two"))
        stage.nats.kill()
        await until(lambda: ready(ledger), lambda found: len(found) == 2)
        await asyncio.sleep(1.2)
        assert await live(ledger) == []
        stage.postgres.start()
        stage.nats.start()
        await until(lambda: ready(ledger), lambda found: not found)
        await stage.has_effects("ledger", "one", "two")


async def test_a_deleted_consumer_is_told_and_taken_up_again(stage: Stage) -> None:
    async with stage.running(Ledger().service, HASTY) as ledger:
        async with stage.topology() as js:
            await js.delete_consumer("EVENTS", DURABLE)
        assert await until(lambda: ready(ledger), bool) == [f"bus: consumer {DURABLE} is missing"]
        assert await until(lambda: live(ledger), bool) == [f"{DURABLE} was deleted from the bus"]
        await stage.declare()
        await until(lambda: live(ledger), lambda found: not found)
        assert await ready(ledger) == []
        await stage.publish(order("one"))
        await stage.has_effects("ledger", "one")


async def test_migrations_go_before_the_code(stage: Stage) -> None:
    async with stage.running(Ledger().service) as ledger:
        for version, found in (
            (None, ["database: migrations at None, this code needs 0001"]),
            # One that this code does not know is newer, and leaves what running code needs.
            ("0002", []),
            ("0001", []),
        ):
            await stage.rows("ledger", "DELETE FROM alembic_version")
            if version is not None:
                await stage.rows("ledger", "INSERT INTO alembic_version VALUES ($1)", version)
            assert await ready(ledger) == found


async def test_a_job_that_fails_every_time_is_not_alive(stage: Stage) -> None:
    toy = Ledger()
    is_broken = True

    async def job(_db: Db) -> Sequence[Event]:
        if is_broken:
            raise RuntimeError("broken")
        return ()

    toy.service.every(0.05, "job")(job)
    async with stage.running(toy.service, HASTY) as ledger:
        assert await until(lambda: live(ledger), bool) == ["ledger.job makes no progress"]
        is_broken = False
        await until(lambda: live(ledger), lambda found: not found)


async def test_metrics_count_what_is_done_and_what_waits(stage: Stage) -> None:
    async with (
        stage.bus() as bus,
        stage.running(Shop().service),
        stage.running(Ledger().service) as ledger,
    ):
        await bus.ask(PlaceOrder(organization_id="acme", order_id="one"))
        with pytest.raises(AnswerFailed):
            await bus.ask(PlaceOrder(organization_id="acme", order_id="two", note="poison"))
        await stage.has_effects("ledger", "one")
        await until(lambda: metrics(ledger), lambda text: "billing_dead_letters_parked 0.0" in text)
        await stage.publish(order("bad", "poison"))
        text = await until(
            lambda: metrics(ledger), lambda text: "billing_dead_letters_parked 1.0" in text
        )
    for line in (
        f'billing_messages_total{{consumer="{DURABLE}",outcome="handled"}}',
        f'billing_messages_total{{consumer="{DURABLE}",outcome="put_off"}}',
        f'billing_messages_total{{consumer="{DURABLE}",outcome="parked"}}',
        f'billing_consumer_pending{{consumer="{DURABLE}"}}',
        'billing_requests_total{operation="place_order",outcome="answered"}',
        'billing_request_seconds_bucket{le="+Inf",operation="place_order"}',
        "billing_outbox_waiting",
        "billing_outbox_age_seconds",
        "billing_steps_parked",
    ):
        assert line in text


async def metrics(runtime: Runtime) -> str:
    return (await runtime.health.answer("/metrics"))[2].decode()


def test_only_waiting_work_that_does_not_move_is_stuck() -> None:
    progress = Progress("work", limit_seconds=0.05)
    time.sleep(0.06)
    assert progress.problem() is None  # idle
    progress.waits(1)
    assert progress.problem() is None  # it has only just come
    time.sleep(0.06)
    assert progress.problem() == "work makes no progress"
    progress.begun()
    progress.moved()
    assert progress.problem() is None
    progress.waits(0)
    time.sleep(0.06)
    assert progress.problem() == "work makes no progress"  # begun, and not ended
    progress.ended()
    time.sleep(0.06)
    assert progress.problem() is None


async def test_a_check_that_hangs_is_a_problem_after_two_seconds() -> None:
    health = Health()

    async def hang() -> str | None:
        await asyncio.sleep(60)
        return None

    health.require("slow", hang)
    (problem,) = await health.ready_problems()
    assert problem.startswith("slow: TimeoutError")


async def test_the_watchdog_ends_a_process_whose_loop_is_stuck(stage: Stage) -> None:
    times = msgspec.json.encode(times_of(stuck_seconds=2)).decode()
    with stage.process("ledger", TOY_TIMES=times) as stuck:
        await stuck.ready()
        await stage.publish(order("one", "stuck:60"))
        assert await stuck.exit_code() == STUCK_EXIT_CODE
        assert (await stuck.logs("event loop stuck"))["level"] == "critical"
    async with stage.topology() as js:
        await js.purge_stream("EVENTS")


@pytest.mark.parametrize("draining", [True, False])
async def test_a_process_that_begins_or_ends_is_not_ready(draining: bool) -> None:
    health = Health()
    health.draining, health.starting = draining, not draining
    assert await health.ready_problems() == ["draining" if draining else "starting"]


async def test_a_loop_that_has_ended_is_not_alive(stage: Stage) -> None:
    async def end() -> None:
        raise RuntimeError("unforeseen")

    async with stage.running(Ledger().service) as ledger:
        ledger._spawn(end())
        (problem,) = await until(lambda: live(ledger), bool)
    assert problem.endswith("end has ended")


async def test_the_watchdog_ends_a_process_that_has_not_been_alive_for_long(stage: Stage) -> None:
    hasty = times_of(no_progress_seconds=1, dead_seconds=1)
    with stage.process("ledger", TOY_TIMES=msgspec.json.encode(hasty).decode()) as dead:
        await dead.ready()
        await stage.publish(order("one", "slow:60"))
        assert await dead.exit_code() == STUCK_EXIT_CODE
        line = await dead.logs("not alive")
    assert line["problems"] == [f"{DURABLE} makes no progress"]


async def test_what_moves_in_time_again_is_not_ended(stage: Stage) -> None:
    patient = times_of(no_progress_seconds=0.5, dead_seconds=3)
    with stage.process("ledger", TOY_TIMES=msgspec.json.encode(patient).decode()) as slow:
        await slow.ready()
        await stage.publish(order("one", "slow:2"))
        await slow.answers("/livez", 503)
        await slow.answers("/livez", 200)
        await stage.has_effects("ledger", "one")

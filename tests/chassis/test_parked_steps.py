"""What an operator sees of steps that were given up, and what resuming them does."""

import json
import logging
import re
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.parked_steps import main
from shared.answers import IN_FLIGHT
from shared.bus import Bus
from shared.contracts.operations import ListParkedSteps, ParkedSteps, ResumeParkedSteps
from shared.stepped_requests import PENDING
from tests.chassis.contracts.shop import ChargeCard, Charged
from tests.chassis.operator import Operator
from tests.chassis.stage import TIMES, Stage, ask_at_once
from tests.chassis.toys import ChargeStep, Charging, Shop
from tests.stack import until

KEY = "key-1"
CHARGE = ChargeCard(organization_id="acme", amount_cents=700)
MOST = TIMES.steps.max_attempts


class Moody(ChargeStep):
    """Charges at a system that is away until its mood is good."""

    def __init__(self) -> None:
        self.is_good = False

    async def call(self, step_id: str, state: Charging) -> str:
        if not self.is_good:
            raise ConnectionError("bad mood")
        return await super().call(step_id, state)


def moody_shop() -> tuple[Shop, Moody]:
    shop, mood = Shop(), Moody()
    shop.service.steps[:] = [mood]
    return shop, mood


@pytest.fixture
def operator(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(main, stage, capsys)


async def step(stage: Stage, status: str) -> asyncpg.Record:
    async def look() -> Any:
        (found,) = await stage.rows("shop", "SELECT * FROM steps")
        return found

    return await until(look, lambda found: found["status"] == status)


async def park_one(stage: Stage, bus: Bus) -> str:
    """The id of a step that has spent its attempts."""
    assert await bus.ask(CHARGE, idempotency_key=KEY) == PENDING
    return str((await step(stage, "parked"))["step_id"])


async def test_parked_steps_are_listed_and_shown(
    stage: Stage, bus: Bus, operator: Operator
) -> None:
    shop, _ = moody_shop()
    async with stage.running(shop.service):
        assert await operator("list", service="shop") == "No parked steps.\n"
        step_id = await park_one(stage, bus)
        head, line = (await operator("list", service="shop")).splitlines()
        assert head.split()[0] == "id"
        for told in (step_id, str(MOST), "charge", "acme", "ConnectionError", "bad mood"):
            assert told in line
        for other in (("--kind", "refund"), ("--organization", "globex")):
            assert await operator("list", *other, service="shop") == "No parked steps.\n"
        same = ("--kind", "charge", "--organization", "acme")
        assert step_id in await operator("list", *same, service="shop")
        whole = await operator("show", step_id, service="shop")
    assert json.loads(whole.splitlines()[-1]) == msgspec.to_builtins(Charging("acme", 700, ""))
    assert re.search(r"status +parked", whole)


async def test_a_step_that_is_resumed_concludes_and_answers_whoever_asked(
    stage: Stage, bus: Bus, operator: Operator
) -> None:
    shop, mood = moody_shop()
    async with stage.running(shop.service):
        step_id = await park_one(stage, bus)
        assert await bus.ask(CHARGE, idempotency_key=KEY) == IN_FLIGHT
        mood.is_good = True
        assert await operator("resume", step_id, service="shop") == "1 of 1 resumed.\n"
        await step(stage, "concluded")
        charged = Charged(charge_id=f"charge-of-{step_id}")
        assert await bus.ask(CHARGE, idempotency_key=KEY) == charged
        # What has concluded cannot be resumed, so nobody charges twice by asking twice.
        code, printed, _ = await operator.run("resume", step_id, service="shop")
        assert (code, printed) == (1, "0 of 1 resumed.\n")
        assert "concluded" in await operator("show", step_id, service="shop")
    assert stage.calls.read_text().split() == [step_id]
    assert await stage.effects("shop") == ["prepared", "charged 700"]


async def test_a_step_that_fails_again_has_had_all_its_attempts_anew(
    stage: Stage, bus: Bus, operator: Operator
) -> None:
    shop, _ = moody_shop()
    async with stage.running(shop.service):
        step_id = await park_one(stage, bus)
        before = (await step(stage, "parked"))["fence"]
        await operator("resume", step_id, service="shop")
        parked = await until(
            lambda: step(stage, "parked"), lambda found: found["fence"] == before + MOST
        )
    assert parked["attempts"] == MOST


async def test_resuming_twice_at_once_resumes_once_and_says_who_asked(
    stage: Stage, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    shop, _ = moody_shop()
    request = ResumeParkedSteps(step_ids=("no such step",), requested_by="operator:ada")
    async with stage.running(shop.service):
        step_id = await park_one(stage, bus)
        request = msgspec.structs.replace(request, step_ids=(step_id, "no such step"))
        with caplog.at_level(logging.INFO):
            answers = await ask_at_once(bus, request, request, owner="shop")
    assert sorted(answer.affected for answer in answers) == [0, 1]
    told: list[Any] = [vars(record).get("fields", {}) for record in caplog.records]
    assert {"steps": [step_id], "requested_by": "operator:ada"} in told


async def test_parked_steps_are_counted_and_bounded(stage: Stage, bus: Bus) -> None:
    shop, _ = moody_shop()
    await stage.rows("shop", MANY, 3)
    async with stage.running(shop.service) as runtime:

        async def gauge() -> str:
            return (await runtime.health.answer("/metrics"))[2].decode()

        await until(gauge, lambda text: "\nbilling_steps_parked 3.0\n" in text)
        found = await bus.ask(ListParkedSteps(limit=2), owner="shop")
    assert isinstance(found, ParkedSteps)
    assert [each.step_id for each in found.steps] == ["a/1", "a/2"]
    assert {each.organization_id for each in found.steps} == {"acme"}


MANY = """
INSERT INTO steps (step_id, kind, state, traceparent, status, due_at, created_at)
SELECT 'a/' || n, 'charge', '{"who": {"organization_id": "acme"}}', '', 'parked',
       current_date - n * interval '1 hour', current_date
FROM generate_series(1, $1) AS n
"""


async def test_what_cannot_be_done_is_one_sentence(stage: Stage, operator: Operator) -> None:
    async with stage.running(Shop().service):
        code, _, error = await operator.run("show", "charge:7", service="shop")
        assert (code, error) == (1, "No step charge:7.\n")
        code, _, error = await operator.run("resume", "", service="shop")
        assert code == 1
        assert error.count("\n") == 1

"""Rows that fail hold customers' data: neither logs nor letters nor steps repeat them."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.bus import AnswerFailed, Bus
from shared.database import Db
from shared.logs import JsonFormatter, describe
from shared.stepped_requests import PENDING
from tests.chassis.contracts.shop import ChargeCard, PlaceOrder
from tests.chassis.stage import Stage, order
from tests.chassis.toys import add_effect
from tests.stack import until

CANARY = "ada@example.com"
CHARGED = 4_242_424
REFUSING = f"""
ALTER TABLE effects ADD CONSTRAINT refusing
CHECK (what NOT LIKE '%{CANARY}%' AND what <> 'charged {CHARGED}')
"""


@pytest.fixture
async def refusing(stage: Stage) -> AsyncIterator[Stage]:
    """Tables that refuse the canary, so that PostgreSQL quotes the whole row."""
    for service in ("shop", "ledger"):
        await stage.rows(service, REFUSING)
    yield stage
    for service in ("shop", "ledger"):
        await stage.rows(service, "ALTER TABLE effects DROP CONSTRAINT refusing")


async def test_a_request_that_fails_logs_why_and_not_for_whom(refusing: Stage, bus: Bus) -> None:
    with refusing.process("shop") as shop:
        await shop.ready()
        with pytest.raises(AnswerFailed):
            await bus.ask(PlaceOrder(organization_id="acme", order_id=CANARY))
        line = await shop.logs("request failed")
        assert "CheckViolationError" in line["error"]
        assert "add_effect" in line["error"]
        assert CANARY not in shop.log.read_text()


async def test_a_letter_and_the_log_of_a_fact_that_fails_say_why_and_not_for_whom(
    refusing: Stage,
) -> None:
    with refusing.process("ledger") as ledger:
        await ledger.ready()
        await refusing.publish(order(CANARY), "id-1")
        (letter,) = await until(refusing.letters, bool)
        assert letter["detail"].startswith("CheckViolationError: ")
        assert CANARY not in letter["detail"]
        assert CANARY not in ledger.log.read_text()
    assert CANARY in letter["body"].decode(), "what is replayed is whole"


async def test_a_step_and_the_log_of_one_that_fails_say_why_and_not_for_whom(
    refusing: Stage, bus: Bus
) -> None:
    async def parked() -> list[Any]:
        return await refusing.rows("shop", "SELECT * FROM steps WHERE status = 'parked'")

    with refusing.process("shop") as shop:
        await shop.ready()
        charge = ChargeCard(organization_id="acme", amount_cents=CHARGED)
        assert await bus.ask(charge) == PENDING
        (step,) = await until(parked, bool)
        assert step["last_error"].startswith("CheckViolationError: ")
        for told in (step["last_error"], shop.log.read_text()):
            assert str(CHARGED) not in told


async def by_core(db: Db) -> None:
    await add_effect(db, "acme", CANARY)


async def by_the_driver(db: Db) -> None:
    await db.driver.execute("INSERT INTO effects VALUES (DEFAULT, 'acme', $1)", CANARY)


async def by_an_argument(db: Db) -> None:
    await db.driver.execute("SELECT $1::int", CANARY)


async def by_a_value(db: Db) -> None:
    await db.driver.execute("SELECT $1::text::int", CANARY)


async def by_a_part(db: Db) -> None:
    try:
        await by_core(db)
    except Exception as error:
        raise ExceptionGroup("several", [error]) from None


async def by_a_detour(db: Db) -> None:
    try:
        await by_core(db)
    except Exception as error:
        raise RuntimeError("could not go on") from error


@pytest.mark.parametrize(
    "fail", [by_core, by_the_driver, by_an_argument, by_a_value, by_a_part, by_a_detour]
)
async def test_an_error_is_told_without_what_it_quotes(refusing: Stage, fail: Any) -> None:
    async with refusing.database("shop") as database:
        with pytest.raises(Exception) as caught:
            async with database.transaction() as db:
                await fail(db)
    record = logging.makeLogRecord(
        {"exc_info": (caught.type, caught.value, caught.value.__traceback__)}
    )
    told = JsonFormatter("shop").format(record)
    assert CANARY not in told
    assert CANARY not in describe(caught.value)
    assert fail.__name__ in told, "where it happened"


def test_the_order_of_errors_is_told() -> None:
    error = RuntimeError("second")
    error.__cause__ = ValueError("first")
    told = JsonFormatter("shop").format(
        logging.makeLogRecord({"exc_info": (RuntimeError, error, None)})
    )
    assert told.index("ValueError: first") < told.index("RuntimeError: second")


def test_errors_that_came_of_ever_more_errors_are_told_in_part() -> None:
    error = RuntimeError("0")
    for number in range(1, 5000):
        later = RuntimeError(str(number))
        later.__cause__ = error
        error = later
    record = logging.makeLogRecord({"exc_info": (RuntimeError, error, None)})
    told = JsonFormatter("shop").format(record)
    assert "RuntimeError: 4999" in told
    assert len(told) < 1000

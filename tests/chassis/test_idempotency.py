"""The same key and body get the same answer with one effect, whatever happens in between."""

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from shared.answers import IN_FLIGHT, REUSED, UNUSABLE, key_of
from shared.bus import AnswerTimedOut, Bus
from shared.clock import FixedClock
from shared.contracts.base import Refusal, Request
from shared.database import Database
from shared.jobs import FORGET_ROWS, HEARD_FOR, forget_old_rows
from tests.chassis.contracts.shop import Placed, PlaceOrder
from tests.chassis.stage import Stage, ask_at_once
from tests.chassis.toys import Shop
from tests.stack import until

ONE = PlaceOrder(organization_id="acme", order_id="one")
KEY: dict[str, Any] = {"principal": "kim", "idempotency_key": "key-1"}


async def test_twenty_at_once_have_one_effect_and_one_answer(stage: Stage, bus: Bus) -> None:
    slow = msgspec.structs.replace(ONE, note="slow:0.1")
    async with stage.running(Shop().service), stage.running(Shop().service):
        answers = await ask_at_once(bus, *[slow] * 20, **KEY)
        later = await bus.ask(slow, **KEY)
    assert later == Placed(order_id="one", place=1)
    assert all(answer in (later, IN_FLIGHT) for answer in answers)
    assert later in answers
    assert IN_FLIGHT in answers
    assert await stage.effects("shop") == ["one"]


async def test_an_answer_is_the_same_after_a_restart(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        first = await bus.ask(ONE, **KEY)
        await bus.ask(PlaceOrder(organization_id="acme", order_id="two"))
    async with stage.running(Shop().service):
        assert await bus.ask(ONE, **KEY) == first == Placed(order_id="one", place=1)
    assert await stage.effects("shop") == ["one", "two"]


async def test_a_refusal_is_kept_like_any_answer(stage: Stage, bus: Bus) -> None:
    refused = msgspec.structs.replace(ONE, note="refuse")
    shop = Shop()
    async with stage.running(shop.service):
        assert await bus.ask(refused, **KEY) == await bus.ask(refused, **KEY)
    assert shop.answered == 1


async def test_a_failure_is_not_kept(stage: Stage, bus: Bus) -> None:
    with stage.process("shop", FAILPOINTS="answer.uncommitted:1") as killed:
        await killed.ready()
        with pytest.raises(AnswerTimedOut):
            await bus.ask(ONE, **KEY, timeout_seconds=1)
        assert await killed.exit_code() == -signal.SIGKILL
    async with stage.running(Shop().service):
        assert await bus.ask(ONE, **KEY) == Placed(order_id="one", place=1)
    assert await stage.effects("shop") == ["one"]


async def test_an_answer_lost_on_its_way_is_found_again(stage: Stage, bus: Bus) -> None:
    with stage.process("shop", FAILPOINTS="answer.committed:1") as killed:
        await killed.ready()
        with pytest.raises(AnswerTimedOut):
            await bus.ask(ONE, **KEY, timeout_seconds=1)
        assert await killed.exit_code() == -signal.SIGKILL
    async with stage.running(Shop().service):
        assert await bus.ask(ONE, **KEY) == Placed(order_id="one", place=1)
    assert await stage.effects("shop") == ["one"]


async def test_a_key_belongs_to_one_request(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        await bus.ask(ONE, **KEY)
        other = msgspec.structs.replace(ONE, order_id="two")
        assert await bus.ask(other, **KEY) == REUSED
    assert await stage.effects("shop") == ["one"]


async def test_a_key_belongs_to_one_caller_and_one_organization(stage: Stage, bus: Bus) -> None:
    elsewhere = msgspec.structs.replace(ONE, organization_id="other")
    async with stage.running(Shop().service):
        assert await bus.ask(ONE, **KEY) == Placed(order_id="one", place=1)
        answer = await bus.ask(ONE, principal="lee", idempotency_key="key-1")
        assert answer == Placed(order_id="one", place=2)
        assert await bus.ask(elsewhere, **KEY) == Placed(order_id="one", place=1)


@pytest.mark.parametrize("key", ["with space", "x" * 256, "ü"])
async def test_a_key_that_no_index_holds_is_refused(stage: Stage, bus: Bus, key: str) -> None:
    async with stage.running(Shop().service):
        assert await bus.ask(ONE, idempotency_key=key) == UNUSABLE
    assert await stage.effects("shop") == []


class Before(Request[Placed], frozen=True, kw_only=True):
    organization_id: str
    limit: int = 50


class After(Request[Placed], frozen=True, kw_only=True):
    """The same request once it has gained optional fields."""

    organization_id: str
    limit: int = 50
    note: str | None = None
    color: str | UnsetType = UNSET


def test_a_request_from_before_an_optional_field_is_the_same_request() -> None:
    def asked(request: Request[Placed]) -> bytes:
        key = key_of(request, {})
        assert not isinstance(key, Refusal)
        return key.asked

    assert asked(Before(organization_id="acme")) == asked(After(organization_id="acme", limit=50))
    assert asked(After(organization_id="acme")) != asked(After(organization_id="acme", note="x"))
    assert asked(After(organization_id="acme")) != asked(After(organization_id="acme", limit=5))


async def test_what_nobody_asks_for_any_more_is_let_go_in_pieces(stage: Stage) -> None:
    for table, columns in {
        "inbox": "SELECT 'ledger', n::text, $1",
        "answers": "SELECT '', '', 'op', n::text, '', 0, '', $1",
    }.items():
        for at, count in ((datetime(2026, 1, 1, tzinfo=UTC), FORGET_ROWS + 5), (now(), 3)):
            query = f"INSERT INTO {table} {columns} FROM generate_series(1, {count}) n"
            await stage.rows("ledger", query.replace("n::text", f"n::text || '{at}'"), at)

    async def kept() -> list[int]:
        query = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM answers)"
        return list((await stage.rows("ledger", query))[0])

    database = Database(stage.databases["ledger"].dsn, FixedClock(now() + HEARD_FOR / 2))
    for left in (8, 3):
        async with database.transaction() as db:
            assert await forget_old_rows(db) == ()
        assert await kept() == [left, left]
    await database.close()
    await until(kept, lambda counts: counts == [3, 3])


def now() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=1)

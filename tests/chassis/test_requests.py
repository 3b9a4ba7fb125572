"""Requests: one answerer, an answer or a reason quickly, and no work for callers who have gone."""

import asyncio
from unittest.mock import AsyncMock

import msgspec
import pytest
from nats.aio.msg import Msg

from shared.bus import REFUSAL_HEADER, AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.contracts.base import Refusal
from shared.database import POOL_SIZE, Db
from shared.requests import AT_ONCE, Answerer, ReadThen
from shared.service import Service
from tests.chassis.contracts.shop import ListOrders, Orders, Placed, PlaceOrder
from tests.chassis.stage import Stage, ask_at_once
from tests.chassis.toys import VERSIONS, Shop, metadata
from tests.stack import until


def place(order_id: str, note: str = "") -> PlaceOrder:
    return PlaceOrder(organization_id="acme", order_id=order_id, note=note)


# Whoever waited for it would be ended by the suite.
FOR_EVER = 3600.0
LIST = ListOrders(organization_id="acme")


async def test_a_request_is_answered_with_its_effect(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        assert await bus.ask(place("one")) == Placed(order_id="one", place=1)
        assert await bus.ask(LIST) == Orders(order_ids=("one",))


async def test_a_no_is_an_answer_with_its_status(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        refusal = await bus.ask(place("one", "refuse"))
    assert refusal == Refusal(code="closed", detail="The shop is closed.", status=403)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"organization_id":"a b"}'])
async def test_what_does_not_fit_its_contract_is_refused(
    stage: Stage, bus: Bus, body: bytes
) -> None:
    async with stage.running(Shop().service):
        answer = await bus.connection.request("ask.shop.list_orders", body, timeout=2)
    assert (answer.headers or {})[REFUSAL_HEADER] == "refused"
    refusal = msgspec.json.decode(answer.data, type=Refusal)
    assert (refusal.code, refusal.status) == ("invalid_request", 422)


async def test_a_handlers_bug_is_told_at_once_and_changes_nothing(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(AnswerFailed):
            await bus.ask(place("one", "poison"), timeout_seconds=FOR_EVER)
    assert await stage.effects("shop") == []


async def test_a_service_asks_others_over_its_own_connection_while_it_runs(stage: Stage) -> None:
    shop = Shop().service
    with pytest.raises(RuntimeError, match="shop is not running"):
        await shop.asks.settled(LIST, "key")
    async with stage.running(shop):
        async with stage.running(shop):
            assert await shop.asks.settled(place("one"), "key") == Placed(order_id="one", place=1)
        # One replica has gone; the other one's connection is still there.
        assert await shop.asks.settled(LIST, "key") == Orders(order_ids=("one",))
        passing = Refusal(code="pending", detail="Soon.")
        shop.asks.bus.ask = AsyncMock(return_value=passing)  # type: ignore[method-assign]
        with pytest.raises(AnswerFailed, match="pending"):
            await shop.asks.settled(LIST, "key")
    with pytest.raises(RuntimeError, match="shop is not running"):
        await shop.asks.settled(LIST, "key")


async def test_who_needs_somebody_that_is_away_is_not_answering_either(
    stage: Stage, bus: Bus
) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(NoAnswerer):
            await bus.ask(place("one", "alone:ledger"), timeout_seconds=FOR_EVER)
    assert await stage.effects("shop") == []


@pytest.mark.parametrize("note", ["large", "tells"])
async def test_an_answer_that_cannot_be_given_is_a_bug_too(
    stage: Stage, bus: Bus, note: str
) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(AnswerFailed):
            await bus.ask(ListOrders(organization_id="acme", note=note))
        assert await bus.ask(LIST) == Orders(order_ids=())


async def test_nobody_there_is_known_at_once(stage: Stage, bus: Bus) -> None:
    with pytest.raises(NoAnswerer):
        await bus.ask(LIST, timeout_seconds=FOR_EVER)


async def test_a_bus_that_is_away_is_known_at_once(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        stage.nats.kill()
        await until(lambda: _is_connected(bus), lambda connected: not connected)
        with pytest.raises(NoAnswerer):
            await bus.ask(LIST, timeout_seconds=FOR_EVER)
        stage.nats.start()
        await until(lambda: _is_connected(bus), bool)
        assert await until(lambda: _answer_or_none(bus), bool) == Orders(order_ids=())


async def _is_connected(bus: Bus) -> bool:
    return bool(bus.connection.is_connected)


async def _answer_or_none(bus: Bus) -> object:
    try:
        return await bus.ask(LIST, timeout_seconds=0.5)
    except (NoAnswerer, AnswerTimedOut):
        return None


async def test_without_a_database_there_is_no_answerer(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        assert await bus.ask(LIST) == Orders(order_ids=())
        stage.postgres.kill()
        answers = await ask_at_once(bus, LIST, place("one"))
        assert [type(answer) for answer in answers] == [NoAnswerer, NoAnswerer]
        stage.postgres.start()
        # At once: connections that died while idle are no reason to fail.
        assert await bus.ask(LIST) == Orders(order_ids=())
        assert await bus.ask(place("one")) == Placed(order_id="one", place=1)


async def test_many_requests_at_once_are_all_answered(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        placed = [place(f"order-{number}") for number in range(64)]
        answers = await ask_at_once(bus, *placed, *[LIST] * 64)
    assert all(isinstance(answer, Placed | Orders) for answer in answers)
    assert len(await stage.effects("shop")) == 64


async def test_replicas_share_the_requests(stage: Stage, bus: Bus) -> None:
    one, other = Shop(), Shop()
    async with stage.running(one.service), stage.running(other.service):
        await ask_at_once(bus, *[LIST] * 40)
    assert one.answered + other.answered == 40
    assert min(one.answered, other.answered) > 0


async def test_an_impatient_caller_is_not_worked_for(stage: Stage, bus: Bus) -> None:
    async with stage.running(Shop().service):
        with pytest.raises(AnswerTimedOut):
            await bus.ask(place("one", "slow:0.6"), timeout_seconds=0.2)
        # What took longer than its caller waited was rolled back, and holds nobody up.
        assert await bus.ask(place("two")) == Placed(order_id="two", place=1)
    assert await stage.effects("shop") == ["two"]


async def test_beyond_what_may_wait_callers_are_turned_away_at_once(stage: Stage, bus: Bus) -> None:
    shop = Shop()
    async with stage.database("shop") as database, stage.bus("shop") as own:
        answerer = Answerer(
            "shop",
            ListOrders,
            shop.list_orders,
            database,
            asyncio.Semaphore(AT_ONCE),
            writes=False,
            waiting=2,
        )
        await answerer.start(own.connection)
        await own.connection.flush()
        slow = ListOrders(organization_id="acme", note="slow:0.5")
        answers = await ask_at_once(bus, *[slow] * 5)
        await answerer.stop()
    assert sorted(type(answer).__name__ for answer in answers) == [
        *["NoAnswerer"] * 3,
        *["Orders"] * 2,
    ]


async def test_what_is_made_of_a_read_holds_no_connection(stage: Stage, bus: Bus) -> None:
    shop, begun, go_on = Shop(), asyncio.Semaphore(0), asyncio.Event()

    async def draw(request: ListOrders, orders: Orders) -> Orders:
        begun.release()
        await go_on.wait()
        return Orders(order_ids=(*orders.order_ids, request.note))

    drawn = ReadThen(shop.list_orders, draw)
    free = asyncio.Semaphore(AT_ONCE)
    async with stage.database("shop") as database, stage.bus("shop") as own:
        answerer = Answerer("shop", ListOrders, drawn, database, free, writes=False)
        await answerer.start(own.connection)
        await own.connection.flush()
        wanted = ListOrders(organization_id="acme", note="drawn")
        asked = asyncio.create_task(ask_at_once(bus, *[wanted] * (POOL_SIZE + 1)))
        for _ in range(POOL_SIZE + 1):
            await begun.acquire()
        async with database.read() as db:
            assert await drawn.read(wanted, db) == Orders(order_ids=())
        go_on.set()
        assert await asked == [Orders(order_ids=("drawn",))] * (POOL_SIZE + 1)
        await answerer.stop()


async def test_a_no_while_reading_is_the_answer(stage: Stage, bus: Bus) -> None:
    refusal = Refusal(code="closed", detail="The shop is closed.", status=403)

    async def refuse(_request: ListOrders, _db: Db) -> Refusal:
        return refusal

    async def draw(_request: ListOrders, _found: Orders) -> Orders:
        raise AssertionError("there is nothing to draw")

    drawn = ReadThen(refuse, draw)
    free = asyncio.Semaphore(AT_ONCE)
    async with stage.database("shop") as database, stage.bus("shop") as own:
        answerer = Answerer("shop", ListOrders, drawn, database, free, writes=False)
        await answerer.start(own.connection)
        await own.connection.flush()
        assert await bus.ask(LIST) == refusal
        await answerer.stop()


async def test_a_foreign_answer_is_not_taken_for_ours(stage: Stage, bus: Bus) -> None:
    async def answer_nonsense(message: Msg) -> None:
        await message.respond(b'{"order_ids":7}')

    async with stage.bus("shop") as own:
        await own.connection.subscribe("ask.shop.list_orders", cb=answer_nonsense)
        await own.connection.flush()
        with pytest.raises(AnswerFailed):
            await bus.ask(LIST)


def test_a_service_answers_its_own_requests_once() -> None:
    ledger = Service("ledger", metadata, VERSIONS)
    with pytest.raises(ValueError, match="shop's to answer"):
        ledger.answers(ListOrders)(Shop().list_orders)
    with pytest.raises(ValueError, match="answered twice"):
        Shop().service.answers(ListOrders)(Shop().list_orders)

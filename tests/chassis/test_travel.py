"""The time machine: everybody follows, whatever falls due happens in its own time, in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from deploy.time_machine import NotTravelled, Stop, TimeMachine, main
from shared.clock import TravelClock, clock_of, read_offset
from shared.contracts.base import Event
from shared.database import Db
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings, SettingsError
from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.stage import TIMES, Stage, order
from tests.chassis.toys import Ledger, Shop

DAY = timedelta(days=1)
BOTH = ("shop", "ledger")


class Calendar:
    """A job of the shop: what it has noted is due, and when it came to do it."""

    def __init__(self, service: Service, *dues: datetime) -> None:
        self.dues = sorted(dues)
        self.done: list[datetime] = []
        self.at_once = 100
        service.every(3600.0, "keep_calendar")(self.keep)
        service.due(self.next_due)

    async def next_due(self, _db: Db) -> datetime | None:
        return min(self.dues, default=None)

    async def keep(self, db: Db) -> Sequence[Event]:
        come = [due for due in self.dues if due <= db.now][: self.at_once]
        self.dues = [due for due in self.dues if due not in come]
        self.done += [db.now for _ in come]
        return [order(f"due {due:%d}") for due in come]


@asynccontextmanager
async def travelling(
    stage: Stage, file: Path, *services: Service, settle_seconds: float = 10.0
) -> AsyncIterator[tuple[TimeMachine, list[Runtime]]]:
    """Services with a clock that can be moved, and the machine that moves it."""
    async with AsyncExitStack() as running:
        runtimes = [await running.enter_async_context(_runs(stage, file, s)) for s in services]
        bus = await running.enter_async_context(stage.bus("operator"))
        names = {service.name for service in services}
        yield TimeMachine(bus, file, sorted(names), settle_seconds=settle_seconds), runtimes


@asynccontextmanager
async def _runs(stage: Stage, file: Path, service: Service) -> AsyncIterator[Runtime]:
    settings = msgspec.structs.replace(stage.settings(service.name), time_machine=str(file))
    runtime = Runtime(service, settings, times=TIMES)
    app = runtime.app()
    await app.start()
    try:
        yield runtime
    finally:
        await app.stop()


async def test_every_replica_follows_and_who_starts_later_is_there_already(
    stage: Stage, tmp_path: Path
) -> None:
    file = tmp_path / "time"
    services = (Shop().service, Ledger().service, Ledger().service)
    async with travelling(stage, file, *services) as (machine, runtimes):
        to = datetime.now(UTC) + 31 * DAY
        await machine.travel(to)
        for runtime in runtimes:
            assert to <= runtime.database.clock.now() <= to + timedelta(minutes=1)
        async with _runs(stage, file, Ledger().service) as late:
            assert to <= late.database.clock.now()
            await machine.travel(to + DAY)
            assert to + DAY <= late.database.clock.now()
        assert datetime.now(UTC) + read_offset(file) >= to + DAY


async def test_what_falls_due_happens_in_its_own_time_and_what_follows_before_the_next(
    stage: Stage, tmp_path: Path
) -> None:
    begin = datetime.now(UTC)
    shop, dues = Shop(), [begin + 10 * DAY, begin + 2 * DAY, begin + 2 * DAY + DAY / 2]
    calendar = Calendar(shop.service, *dues)
    heard: list[tuple[str, datetime]] = []

    async def slowly(event: OrderPlaced, db: Db) -> None:
        await asyncio.sleep(0.2)
        heard.append((event.order_id, db.now))

    ledger = Ledger(slowly)
    stops: list[Stop] = []
    async with travelling(stage, tmp_path / "time", shop.service, ledger.service) as (machine, _):
        assert await machine.travel(begin + 30 * DAY, stops.append) == 3
    assert [stop.at for stop in stops] == sorted(dues)
    assert {stop.due_with for stop in stops} == {"shop"}
    assert [order_id for order_id, _ in heard] == [f"due {due:%d}" for due in sorted(dues)]
    for due, done, (_, at) in zip(sorted(dues), calendar.done, heard, strict=True):
        assert due <= done <= due + timedelta(seconds=2)
        assert due <= at <= due + timedelta(seconds=2)


async def test_a_job_is_done_again_until_nothing_is_due_any_more(
    stage: Stage, tmp_path: Path
) -> None:
    shop, due = Shop(), datetime.now(UTC) + DAY
    calendar = Calendar(shop.service, *(due + timedelta(microseconds=n) for n in range(5)))
    calendar.at_once = 1
    services = (shop.service, Ledger().service)
    async with travelling(stage, tmp_path / "time", *services) as (machine, _):
        assert await machine.travel(due + DAY) == 1
        await stage.has_effects("ledger", *[f"due {due:%d}"] * 5)


async def test_it_says_what_it_waits_for_in_vain(stage: Stage, tmp_path: Path) -> None:
    shop, due = Shop(), datetime.now(UTC) + DAY
    calendar = Calendar(shop.service, due)
    calendar.at_once = 0
    async with travelling(stage, tmp_path / "time", shop.service, settle_seconds=0.5) as (
        machine,
        _,
    ):
        with pytest.raises(NotTravelled, match=f"'due since {due:%Y-%m-%d}"):
            await machine.travel(due + DAY)


async def test_a_message_that_is_tried_again_is_waited_for(stage: Stage, tmp_path: Path) -> None:
    attempts: list[str] = []

    async def fails_at_first(event: OrderPlaced, _db: Db) -> None:
        attempts.append(event.order_id)
        if len(attempts) < 3:
            raise RuntimeError("not yet")

    shop, begin = Shop(), datetime.now(UTC)
    Calendar(shop.service, begin + DAY)
    services = (shop.service, Ledger(fails_at_first).service)
    async with travelling(stage, tmp_path / "time", *services) as (machine, _):
        await machine.travel(begin + 2 * DAY)
        assert len(await stage.effects("ledger")) == 1


async def test_time_never_runs_back(stage: Stage, tmp_path: Path) -> None:
    async with travelling(stage, tmp_path / "time", Shop().service) as (machine, _):
        with pytest.raises(NotTravelled, match="never runs back"):
            await machine.travel(datetime.now(UTC) - DAY)


async def test_who_is_not_told_of_a_time_machine_stays_where_he_is(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.time_machine.ANSWER_SECONDS", 0.5)
    async with stage.running(Shop().service), stage.bus("operator") as bus:
        with pytest.raises(NotTravelled, match="No answer from shop"):
            await TimeMachine(bus, tmp_path / "time", ("shop",)).travel(datetime.now(UTC) + DAY)


def test_nobody_travels_in_production(tmp_path: Path) -> None:
    settings = Settings(time_machine=str(tmp_path / "time"))
    assert isinstance(clock_of(settings), TravelClock)
    with pytest.raises(SettingsError, match="TIME_MACHINE: nobody travels"):
        clock_of(msgspec.structs.replace(settings, environment="production"))


def test_without_an_installation_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--days", "31", "--home", str(tmp_path)]) == 1
    assert "is `make run` running?" in capsys.readouterr().err

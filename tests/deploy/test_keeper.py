"""Keeping parts running: again after a death, not for ever, and never while stopping."""

import asyncio
import threading
from pathlib import Path

import pytest

from deploy.embedded import ServerFailed
from deploy.local import keeper as keeping
from deploy.local.keeper import GivenUp, Keeper
from deploy.local.screen import Screen


class FakePart:
    """A part that dies as often as it is told; its start waits for `may_start`."""

    def __init__(self, deaths: int = 0, failures: int = 0) -> None:
        self.is_running = False
        self.starts = 0
        self.deaths = deaths
        self.failures = failures
        self.may_start = threading.Event()
        self.may_start.set()

    def start(self) -> None:
        self.starts += 1
        assert self.may_start.wait(10)
        if self.starts > 1 and self.failures > 0:
            self.failures -= 1
            raise ServerFailed("It does not start.")
        self.is_running = self.deaths == 0
        self.deaths = max(0, self.deaths - 1)

    def stop(self) -> None:
        self.is_running = False
        self.may_start.set()

    def kill(self) -> None:
        self.stop()


class Undead(FakePart):
    """A part that runs, and is alive again once it was started anew, or never."""

    def __init__(self, *, heals: bool) -> None:
        super().__init__()
        self.heals = heals
        self.probes = 0

    def is_alive(self) -> bool:
        self.probes += 1
        # A single failure is nobody's reason to start anew.
        return self.probes % 2 == 0 if self.heals else self.starts > 1


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    monkeypatch.setattr(keeping, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "PROBE_SECONDS", 0.01)
    (tmp_path / "part.log").write_text("".join(f"line {number}\n" for number in range(1000)))
    return Keeper(Screen(), tmp_path)


async def settled(part: FakePart) -> None:
    async with asyncio.timeout(10):
        while not part.is_running:
            await asyncio.sleep(0.01)


async def test_what_dies_is_started_again_and_the_end_of_its_log_is_shown(
    keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    part = FakePart(deaths=2, failures=1)
    await keeper.start({"part": part})
    watching = asyncio.create_task(keeper.watch())
    await settled(part)
    watching.cancel()
    assert part.starts == 4
    shown = capsys.readouterr().out
    assert "part has died." in shown
    assert "line 989\n" not in shown
    assert "line 990\n" in shown
    assert "It does not start." in shown
    await keeper.stop()


async def test_what_runs_and_is_not_alive_is_ended_and_started_again(
    keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Undead(heals=False)
    await keeper.start({"part": part})
    watching = asyncio.create_task(keeper.watch())
    async with asyncio.timeout(10):
        while part.starts == 1:
            await asyncio.sleep(0.01)
    await settled(part)
    watching.cancel()
    assert part.probes >= keeping.MOST_FAILURES
    assert "part runs, and is not alive." in capsys.readouterr().out
    await keeper.stop()


async def test_what_fails_a_probe_now_and_then_goes_on(keeper: Keeper) -> None:
    part = Undead(heals=True)
    await keeper.start({"part": part})
    watching = asyncio.create_task(keeper.watch())
    async with asyncio.timeout(10):
        while part.probes < 4 * keeping.MOST_FAILURES:
            await asyncio.sleep(0.01)
    watching.cancel()
    assert part.starts == 1
    await keeper.stop()


async def test_what_dies_again_and_again_is_given_up_in_a_sentence(keeper: Keeper) -> None:
    part = FakePart(deaths=1000)
    await keeper.start({"part": part})
    with pytest.raises(GivenUp, match=r"^part has failed 6 times in 5 minutes[^\n]*\.$"):
        await keeper.watch()
    assert part.starts == 1 + keeping.MAX_RESTARTS
    await keeper.stop()


async def test_what_is_just_being_started_is_stopped_as_well(keeper: Keeper) -> None:
    part = FakePart()
    part.may_start.clear()
    starting = asyncio.create_task(keeper.start({"part": part}))
    while part.starts == 0:
        await asyncio.sleep(0.01)
    starting.cancel()
    stopping = asyncio.create_task(keeper.stop())
    await asyncio.sleep(0.05)
    part.may_start.set()
    await stopping
    assert not part.is_running


async def test_nothing_is_started_while_everything_stops(keeper: Keeper) -> None:
    part = FakePart()
    await keeper.start({"part": part})
    await keeper.stop()
    with pytest.raises(ServerFailed):
        await keeper.start({"part": part})
    assert part.starts == 1

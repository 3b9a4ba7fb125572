"""Nothing is lost or doubled when the agent or the bus dies, wherever it happens to be."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.agent_client import publisher
from tests.agent_client.conftest import MakeClient
from tests.agent_client.usage_bus import UsageBus, assert_once_and_gapless, call, until

ROOT = Path(__file__).parents[2]
KILLS = 12


def run_agent(script: str, bus: UsageBus, credentials: Path, spool: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name(script), bus.url, credentials, spool],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
    )


def ids_until_killed(agent: subprocess.Popen[str], after_calls: int) -> list[str]:
    """Let an agent record so many calls, kill it, and return all that it had time to report."""
    assert agent.stdout is not None
    with agent, agent.stdout:
        lines = [agent.stdout.readline() for _ in range(after_calls)]
        assert lines[-1], "the agent died by itself"
        agent.kill()
        lines += agent.stdout.readlines()
    return [line.strip() for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_agent_killed_again_and_again_loses_and_doubles_nothing(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    credentials = tmp_path / "agent.creds"
    credentials.write_text(own_bus.credential(agent_id))
    ids: list[str] = []
    for kill in range(KILLS):
        if kill % 4 == 3:  # one agent in four lives and dies without a bus
            own_bus.server.kill()
        agent = run_agent("recording_agent.py", own_bus, credentials, tmp_path / "spool")
        ids += await asyncio.to_thread(ids_until_killed, agent, dice.randrange(1, 3000))
        if kill % 4 == 3:
            own_bus.server.start()

    meter = make_client(own_bus)
    assert await meter.flush_async(60)

    events = await own_bus.arrived(agent_id)
    assert_once_and_gapless(events, set(ids))
    assert len({event.producer for event in events}) == 1
    # Killed between the write and the report, at most one call of each is there unreported.
    assert len({event.event_id for event in events}) - len(ids) <= KILLS


async def test_a_bus_that_is_down_and_comes_back_gets_everything_once(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(own_bus)
    ids = [meter.record_llm(**call(number)) for number in range(100)]
    assert await meter.flush_async()
    own_bus.server.kill()
    ids += [meter.record_llm(**call(number)) for number in range(1000)]
    await until(lambda: meter.stats().last_error is not None)
    assert meter.stats().pending == 1000

    own_bus.server.start()

    assert await meter.flush_async(30)
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, ids)))


async def test_a_bus_killed_while_it_is_sent_to_gets_everything_once(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(own_bus)
    dice = random.Random(7)
    ids = []
    for _ in range(4):
        ids += [meter.record_llm(**call(number)) for number in range(dice.randrange(500, 3000))]
        await asyncio.to_thread(meter.flush, dice.uniform(0, 0.05))
        own_bus.server.kill()
        own_bus.server.start()

    assert await meter.flush_async(60)
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, ids)))


async def test_a_bus_that_hangs_never_holds_up_a_recording_agent(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(own_bus)
    first = meter.record_llm(**call())
    assert await meter.flush_async()
    os.kill(own_bus.server.pid, signal.SIGSTOP)
    try:
        ids = [meter.record_llm(**call(number)) for number in range(2000)]
        assert None not in ids  # every call has returned, and the bus has answered none
        assert (meter.stats().acknowledged, meter.stats().pending) == (1, 2000)
        assert not meter.flush(0.5)
    finally:
        os.kill(own_bus.server.pid, signal.SIGCONT)

    assert await meter.flush_async(30)
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, [first, *ids])))


async def test_an_agent_whose_own_event_loop_is_blocked_still_sends(
    shared_bus: UsageBus, make_client: MakeClient
) -> None:
    meter = make_client(shared_bus)
    meter.record_llm(**call())

    assert meter.flush()  # this blocks the test's event loop, the only one that it has


async def test_a_forked_child_becomes_a_producer_of_its_own(
    shared_bus: UsageBus, agent_id: str, tmp_path: Path
) -> None:
    credentials = tmp_path / "agent.creds"
    credentials.write_text(shared_bus.credential(agent_id))
    agent = run_agent("forking_agent.py", shared_bus, credentials, tmp_path / "spool")
    output, _ = await asyncio.to_thread(agent.communicate, None, 60)
    assert agent.returncode == 0

    said = [line.split() for line in output.splitlines()]
    events = await shared_bus.arrived(agent_id)
    assert_once_and_gapless(events, {event_id for _, event_id in said})
    producer_of = {event.event_id: event.producer for event in events}
    by_who = {who: {producer_of[i] for w, i in said if w == who} for who in ("parent", "child")}
    assert len(by_who["parent"]) == len(by_who["child"]) == 1
    assert by_who["parent"] != by_who["child"]
    assert len(said) == len(events) == 41


async def test_an_answer_that_does_not_come_is_not_taken_for_one(
    own_bus: UsageBus,
    agent_id: str,
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "ACK_SECONDS", 0.2)
    meter = make_client(own_bus)
    ids = [meter.record_llm(**call())]
    assert await meter.flush_async()
    os.kill(own_bus.server.pid, signal.SIGSTOP)
    try:
        ids += [meter.record_llm(**call(number)) for number in range(10)]
        await until(lambda: "Timeout" in str(meter.stats().last_error))
        assert (meter.stats().acknowledged, meter.stats().pending) == (1, 10)
    finally:
        os.kill(own_bus.server.pid, signal.SIGCONT)

    assert await meter.flush_async(30)
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, ids)))


async def test_a_bus_that_has_no_stream_yet_means_later(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    async with own_bus.streams() as js:
        await js.delete_stream("USAGE")
    meter = make_client(own_bus)
    event_id = meter.record_llm(**call())
    assert not await meter.flush_async(1)
    assert meter.stats().pending == 1

    await own_bus.declare()

    assert await meter.flush_async(20)
    assert [each.event_id for each in await own_bus.arrived(agent_id)] == [event_id]


ORPHANING_AGENT = """
import os, sys
from shared.agent_client import AgentClient
from tests.agent_client.usage_bus import call
meter = AgentClient(nats_url="nats://127.0.0.1:1", credentials=sys.argv[1], spool=sys.argv[2])
if os.fork() == 0:
    os.read(0, 1)
    os._exit(0)
os.write(1, meter.record_llm(**call()).encode())
os.kill(os.getpid(), 9)
"""


async def test_a_child_that_outlives_its_parent_does_not_hold_the_parents_events(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", ORPHANING_AGENT, shared_bus.credential(agent_id)]
    parent = subprocess.Popen(
        [*command, tmp_path / "spool"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
    )
    with parent:  # leaving this closes the pipe that the child waits on
        assert parent.stdout is not None
        event_id = parent.stdout.read(36).decode()
        assert parent.wait(20) == -signal.SIGKILL

        assert await make_client(shared_bus).flush_async()

    assert [each.event_id for each in await shared_bus.arrived(agent_id)] == [event_id]


async def test_a_full_stream_means_later(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    async with own_bus.streams() as js:
        config = (await js.stream_info("USAGE")).config
        config.max_msgs_per_subject = 2
        await js.update_stream(config)
        meter = make_client(own_bus)
        ids = []
        for number in range(4):
            ids.append(meter.record_llm(**call(number)))
            sent = await meter.flush_async(1 if number > 1 else 10)
            assert sent is (number < 2)
        assert "10077" in str(meter.stats().last_error)

        config.max_msgs_per_subject = 100
        await js.update_stream(config)

    assert await meter.flush_async(30)
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, ids)))


async def test_an_envelope_whose_answer_was_lost_is_sent_again_byte_for_byte(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    async with MuteProxy(shared_bus.server.port) as proxy:
        meter = make_client(shared_bus, nats_url=proxy.url)
        meter.record_llm(**call())
        assert await meter.flush_async()
        proxy.mute = True
        ids = [meter.record_llm(**call(number)) for number in range(300)]
        assert not await meter.flush_async(0.5)
        stored = await shared_bus.bodies(agent_id)
        assert len(stored) > 1  # the bus has them, and the agent does not know

        proxy.mute = False
        proxy.cut()

        assert await meter.flush_async(20)
    bodies = await shared_bus.bodies(agent_id)
    again = bodies[len(stored) :]
    assert again == stored[1:] + again[len(stored) - 1 :]
    assert_once_and_gapless(await shared_bus.arrived(agent_id), set(filter(None, ids)))


class MuteProxy:
    """Stands before a server and, while `mute`, passes on what is said but no answer."""

    def __init__(self, port: int) -> None:
        self.mute = False
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "MuteProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()
        await asyncio.gather(*self._tasks)

    async def _serve(self, agent: asyncio.StreamReader, to_agent: asyncio.StreamWriter) -> None:
        bus, to_bus = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [to_agent, to_bus]
        for pair in ((agent, to_bus, False), (bus, to_agent, True)):
            self._tasks.add(asyncio.create_task(self._pass_on(*pair)))

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                if not (answers and self.mute):
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

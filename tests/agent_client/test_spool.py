"""The disk spool: gapless over torn lines, damage, full disks, interruptions and restarts."""

import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import msgspec
import pytest

from shared.agent_client import producers, spool
from shared.agent_client.lane import Lane
from shared.agent_client.losses import Losses
from shared.agent_client.segments import segment_path, segments_in
from shared.agent_client.spool import Owner, Spool, SpoolBusy, SpoolFull
from shared.contracts.usage import MAX_ENVELOPE_BYTES, MAX_ENVELOPE_EVENTS, UsageEnvelope
from tests.agent_client.conftest import MakeClient
from tests.agent_client.usage_bus import UsageBus, assert_once_and_gapless, call, until

OWNER = Owner("llm", "acme", "agent-1")
ROOMY = 1024 * 1024


def opened(root: Path, max_bytes: int = ROOMY) -> Spool:
    held = producers.take(root, OWNER, max_bytes)
    assert held.adopted == []
    return held.own


def event(number: int) -> bytes:
    return b'{"number":%d}' % number


def all_of(spool: Spool) -> dict[int, bytes]:
    """Every event that can be read, by its sequence number."""
    spool.sync()
    found: dict[int, bytes] = {}
    while batch := spool.read(3, 100):
        assert 0 < len(batch.events) <= 3
        assert len(b",".join(batch.events)) <= 100
        found |= dict(enumerate(batch.events, batch.first_sequence))
    return found


def test_sequence_numbers_begin_at_one_and_go_on_after_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert [first.append(event(n)) for n in (1, 2, 3)] == [1, 2, 3]
    first.sync()
    first.acknowledge(2)
    first.close()

    second = opened(tmp_path)

    assert second.producer == first.producer
    assert second.append(event(4)) == 4
    assert all_of(second) == {3: event(3), 4: event(4)}
    second.close()


def test_an_end_torn_at_any_byte_is_cut_off_and_the_sequence_goes_on(tmp_path: Path) -> None:
    whole = opened(tmp_path / "whole")
    for number in range(1, 4):
        whole.append(event(number))
    whole.close()
    segment = segment_path(whole.folder, 1)
    length = len(segment.read_bytes())
    last_line = len(segment.read_bytes().splitlines(keepends=True)[-1])
    for torn in range(1, last_line + 1):
        copy = tmp_path / f"torn-{torn}"
        shutil.copytree(tmp_path / "whole", copy)
        os.truncate(segment_path(copy / whole.producer, 1), length - torn)

        mended = opened(copy)

        assert mended.append(event(30)) == 3
        assert all_of(mended) == {1: event(1), 2: event(2), 3: event(30)}
        mended.close()


def test_rubbish_after_the_last_line_is_cut_off(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.append(event(1))
    first.close()
    with segment_path(first.folder, 1).open("ab") as file:
        file.write(b"\x00" * 500 + b"\n2 13 00000000 {}\n7")

    second = opened(tmp_path)

    assert second.append(event(2)) == 2
    assert all_of(second) == {1: event(1), 2: event(2)}
    second.close()


def test_a_damaged_line_costs_its_own_event_and_no_other(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(1, 6):
        first.append(event(number))
    first.close()
    segment = segment_path(first.folder, 1)
    segment.write_bytes(segment.read_bytes().replace(event(3), event(8)))

    second = opened(tmp_path)

    assert all_of(second) == {n: event(n) for n in (1, 2, 4, 5)}
    assert len(second.take_damaged()) == 1
    second.close()


def test_a_missing_line_leaves_a_hole_and_shifts_no_number(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(1, 6):
        first.append(event(number))
    first.close()
    segment = segment_path(first.folder, 1)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:1] + lines[2:]))

    second = opened(tmp_path)

    assert all_of(second) == {n: event(n) for n in (1, 3, 4, 5)}
    second.close()


def test_only_what_a_power_cut_would_spare_is_read_for_sending(tmp_path: Path) -> None:
    held = opened(tmp_path)
    held.append(event(1))
    assert held.read(10, 1000) is None
    held.sync()
    held.append(event(2))
    assert held.read(10, 1000) == (1, [event(1)])
    held.close()


def test_segments_roll_and_go_when_they_are_acknowledged(tmp_path: Path) -> None:
    held = opened(tmp_path, max_bytes=2000)
    for number in range(1, 31):
        held.append(event(number))
    assert len(segments_in(held.folder)) > 1
    assert all_of(held) == {number: event(number) for number in range(1, 31)}

    held.acknowledge(30)

    assert len(segments_in(held.folder)) == 1
    held.close()
    again = opened(tmp_path, max_bytes=2000)
    assert (again.pending, again.append(event(31))) == (0, 31)
    again.close()


def test_a_lost_cursor_sends_again_and_never_reuses_a_number(tmp_path: Path) -> None:
    first = opened(tmp_path, max_bytes=2000)
    for number in range(1, 31):
        first.append(event(number))
    all_of(first)
    first.acknowledge(29)
    first.close()
    (first.folder / "cursor").write_bytes(b"{")

    second = opened(tmp_path, max_bytes=2000)

    assert second.append(event(31)) == 31
    read = all_of(second)
    assert sorted(read) == list(range(min(read), 32))
    assert read[30] == event(30)
    second.close()


def test_a_number_that_the_bus_has_seen_is_not_reused_when_the_disk_lost_its_event(
    tmp_path: Path,
) -> None:
    first = opened(tmp_path)
    for number in range(1, 4):
        first.append(event(number))
    first.sync()
    first.acknowledge(3)
    first.close()
    os.truncate(segment_path(first.folder, 1), 0)

    second = opened(tmp_path)

    assert second.append(event(4)) == 4
    assert all_of(second) == {4: event(4)}
    second.close()


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    held = opened(tmp_path, max_bytes=2000)

    def fill() -> None:
        while True:
            held.append(event(held.last_sequence + 1))

    with pytest.raises(SpoolFull):
        fill()
    count = held.last_sequence
    assert sum(path.stat().st_size for path in held.folder.glob("*.events")) <= 2000
    all_of(held)
    held.acknowledge(count)

    assert held.append(event(count + 1)) == count + 1
    held.close()


def test_a_write_that_a_full_disk_cuts_short_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = opened(tmp_path)
    held.append(event(1))
    real = vars(os)
    short = SimpleNamespace(**real | {"write": lambda fd, data: os.write(fd, data[:5])})
    monkeypatch.setattr(spool, "os", short)
    with pytest.raises(SpoolFull):
        held.append(event(2))
    monkeypatch.undo()

    assert held.append(event(20)) == 2
    assert all_of(held) == {1: event(1), 2: event(20)}
    held.close()


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("rolls", [True, False])
def test_an_append_that_is_interrupted_leaves_the_sequence_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool, rolls: bool
) -> None:
    held = opened(tmp_path, max_bytes=2200 if rolls else ROOMY)
    for number in range(1, 21 if rolls else 4):  # 20 events fill the first segment
        held.append(event(number))
    last = held.last_sequence
    write = held._write

    def interrupted(line: bytes) -> NoReturn:
        if written:
            write(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(held, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        held.append(event(last + 1))
    monkeypatch.undo()

    following = held.append(event(last + 2))

    assert following == last + 1 + written
    assert sorted(all_of(held)) == list(range(1, following + 1))
    held.acknowledge(following)
    held.close()


def test_a_closed_spool_refuses(tmp_path: Path) -> None:
    held = opened(tmp_path)
    held.close()
    held.close()
    with pytest.raises(SpoolBusy):
        held.append(event(1))


def test_two_processes_on_one_directory_are_two_producers(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert first.producer != second.producer
    assert (first.append(event(1)), second.append(event(1))) == (1, 1)
    first.close()
    second.close()
    # What the dead left is taken, sent, and its folder used again.
    held = producers.take(tmp_path, OWNER, ROOMY)
    assert {held.own.producer, held.adopted[0].producer} == {first.producer, second.producer}
    for each in (held.own, *held.adopted):
        each.close()


@pytest.mark.parametrize("spoilt", ["owner", "segment"])
def test_a_folder_that_cannot_be_read_is_left_alone(tmp_path: Path, spoilt: str) -> None:
    first = opened(tmp_path)
    first.close()
    if spoilt == "owner":
        (first.folder / "owner.json").write_bytes(b"{}")
    else:
        segment_path(first.folder, 1).unlink()
        segment_path(first.folder, 1).mkdir()

    second = opened(tmp_path)

    assert second.producer != first.producer
    second.close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    held = opened(tmp_path / "spool")
    held.append(event(1))
    Losses(held.folder).reject("a reason", {})
    held.close()
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert held.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in held.folder.glob("*.events"))


def test_the_cursor_waits_for_the_oldest_envelope(tmp_path: Path) -> None:
    held = opened(tmp_path)
    for number in range(1, 1201):
        held.append(event(number))
    held.sync()
    lane = Lane(held)
    lane.release()
    first, second, third = (lane.next_envelope() for _ in range(3))
    assert first is not None and second is not None and third is not None  # noqa: PT018

    lane.settle(second)
    assert held.acknowledged == 0
    lane.settle(first)
    assert held.acknowledged == second.last_sequence == 1000
    lane.settle(third)
    assert held.acknowledged == 1200
    held.close()


async def test_envelopes_keep_to_the_contracts_limits(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(shared_bus)
    dice = random.Random(3)
    for _ in range(1500):
        usage = {"input_tokens": 1, "output_tokens": 1}
        note = {"note": "x" * dice.choice([0, 0, 0, 0, 15_000])}
        assert meter.record_llm(**(call() | {"usage": usage | note}))
    assert await meter.flush_async(30)

    bodies = await shared_bus.bodies(agent_id)
    counts = [len(msgspec.json.decode(body, type=UsageEnvelope).events) for body in bodies]
    assert sum(counts) == 1500
    assert max(counts) <= MAX_ENVELOPE_EVENTS
    assert MAX_ENVELOPE_BYTES * 0.7 < max(len(body) for body in bodies) <= MAX_ENVELOPE_BYTES


async def test_a_full_spool_counts_the_calls_that_found_no_room(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient, tmp_path: Path
) -> None:
    own_bus.server.kill()
    meter = make_client(own_bus, max_spool_bytes=20_000)
    ids = [meter.record_llm(**call(number)) for number in range(200)]
    lost = ids.count(None)
    assert 0 < lost < 200
    assert (meter.stats().recorded, meter.stats().overflowed) == (200 - lost, lost)
    (folder,) = producers.producers_in(tmp_path / "spool")
    assert Losses(folder).overflow().lost_calls == lost

    own_bus.server.start()
    assert await meter.flush_async(30)

    ids.append(meter.record_llm(**call()))
    assert ids[-1] is not None
    assert await meter.flush_async()
    assert_once_and_gapless(await own_bus.arrived(agent_id), set(filter(None, ids)))


async def test_what_dead_siblings_left_is_sent_by_the_next_start(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    own_bus.server.kill()
    siblings = [make_client(own_bus) for _ in range(3)]
    ids = {sibling.record_llm(**call(n)) for n, sibling in enumerate(siblings)}
    for sibling in siblings:
        assert not sibling.close(0)
    own_bus.server.start()

    meter = make_client(own_bus)

    await until(lambda: meter.stats().pending == 0)
    assert_once_and_gapless(await own_bus.arrived(agent_id), {each for each in ids if each})


async def test_an_agents_events_are_never_sent_as_another_agents(
    own_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    own_bus.server.kill()
    first = make_client(own_bus)
    mine = first.record_llm(**call())
    first.close(0)
    own_bus.server.start()

    other = make_client(own_bus, agent="other-agent")
    theirs = other.record_llm(**call())
    assert await other.flush_async()
    assert other.stats().pending == 0

    assert await own_bus.arrived(agent_id) == []
    assert [each.event_id for each in await own_bus.arrived("other-agent")] == [theirs]
    assert await make_client(own_bus).flush_async()
    assert [each.event_id for each in await own_bus.arrived(agent_id)] == [mine]

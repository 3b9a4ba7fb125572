"""Time and ids: one source, never backwards, sorted by when they were made."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import FixedClock, SystemClock, new_id, new_ids


def test_ids_are_version_7_of_the_standard_variant() -> None:
    parsed = [uuid.UUID(each) for each in new_ids(1000)]
    assert {(each.version, each.variant) for each in parsed} == {(7, uuid.RFC_4122)}
    assert [str(each) for each in parsed] == [str(uuid.UUID(str(each))) for each in parsed]


def test_ids_are_unique() -> None:
    assert len({*new_ids(100_000), new_id()}) == 100_001
    assert new_ids(0) == []


def test_ids_sort_by_the_millisecond_they_were_made_in() -> None:
    made = []
    for _ in range(20):
        made.append(new_id())
        time.sleep(0.002)
    assert made == sorted(made)


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)
    milliseconds = int(new_id().replace("-", "")[:12], 16)
    made_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    assert abs(made_at - before) < timedelta(seconds=5)


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_fixed_clock_stands_still_until_it_is_moved_and_never_runs_back() -> None:
    begin = datetime(2026, 1, 31, tzinfo=UTC)
    clock = FixedClock(begin)
    assert clock.now() == clock.now() == begin
    clock.advance(timedelta(days=1))
    assert clock.now() == datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))

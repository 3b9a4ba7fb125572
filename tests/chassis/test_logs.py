"""Logs: one JSON object a line, each with the trace it belongs to."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest

from shared.logs import JsonFormatter, begin_trace, traceparent

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def line_of(**record: object) -> dict[str, object]:
    made = logging.makeLogRecord({"msg": "it %s", "args": ("happened",), **record})
    text = JsonFormatter("shop").format(made)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_line_says_when_who_what_and_in_which_trace() -> None:
    begin_trace(PARENT)
    line = line_of(
        levelname="WARNING", fields={"order": 7, "at_rest": datetime(2026, 1, 1, tzinfo=UTC)}
    )
    assert line["service"] == "shop"
    assert line["level"] == "warning"
    assert line["message"] == "it happened"
    assert line["trace_id"] == "a" * 32
    assert line["order"] == 7
    assert datetime.fromisoformat(str(line["at"])).tzinfo is not None


def test_a_traceback_stays_inside_its_line() -> None:
    error = RuntimeError("two\nlines")
    line = line_of(exc_info=(type(error), error, None))
    assert "RuntimeError: two\nlines" in str(line["error"])


def test_what_json_cannot_hold_is_written_as_text() -> None:
    assert "object" in str(line_of(fields={"odd": object()})["odd"])


def test_a_trace_goes_on_with_a_span_of_its_own() -> None:
    begin_trace(PARENT)
    assert traceparent()[:36] == PARENT[:36]
    assert traceparent() != traceparent() != PARENT


@pytest.mark.parametrize(
    "given", [None, "", "nonsense", f"01-{'a' * 32}-{'b' * 16}-01", PARENT + "\n"]
)
def test_without_a_trace_one_begins(given: str | None) -> None:
    assert begin_trace(given) not in {begin_trace(given), "a" * 32}


async def test_tasks_keep_their_traces_apart() -> None:
    async def work(letter: str) -> str:
        begin_trace(f"00-{letter * 32}-{'b' * 16}-01")
        await asyncio.sleep(0.01)
        return traceparent()[3]

    assert await asyncio.gather(*(work(letter) for letter in "cdef")) == list("cdef")

"""Structured logs: one JSON object a line, each with the trace it belongs to."""

import logging
import os
import re
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeAlias

import msgspec

TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")

# Where the driver quotes a row, and where it quotes one value after what is wrong with it.
DETAIL = "\nDETAIL:"
WITH_VALUE = ("invalid input for query argument",)
DATA_EXCEPTION = "22"
# Of errors that came of each other, so many are told.
LONGEST_CHAIN = 8

ExceptionInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")


class JsonFormatter(logging.Formatter):
    """Writes `extra={"fields": {...}}` beside the message; a traceback stays inside its line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
            "trace_id": _trace_id.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 -- logging's name
        """What was raised and where, what it came of first; without rows and values."""
        return "\n".join(_told(ei[1])) if ei[1] is not None else ""


def describe(error: BaseException) -> str:
    """What an error is and says, without the row or value of a customer's that a database quotes
    in it: what is logged or shown to operators is no place for personal data.
    """
    while type(error).__module__.startswith("sqlalchemy.") and error.__cause__ is not None:
        error = error.__cause__  # it repeats the driver's error, and the row with it
    text = str(error).partition(DETAIL)[0]
    quotes = str(getattr(error, "sqlstate", None) or "").startswith(DATA_EXCEPTION)
    if quotes or text.startswith(WITH_VALUE):
        text = text.partition(":")[0]
    return f"{type(error).__name__}: {text}"


def _told(error: BaseException, depth: int = LONGEST_CHAIN) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and depth > 1:
        yield from _told(earlier, depth - 1)
        yield "\nOf that came:\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield describe(error)
    if isinstance(error, BaseExceptionGroup) and depth > 1:
        for part in error.exceptions:
            yield "\nPart of it:\n"
            yield from _told(part, depth - 1)


def configure(service: str, level: str) -> None:
    """Send everything logged in this process to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access", "faststream", "nats"):
        logger = logging.getLogger(noisy)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def begin_trace(traceparent: str | None = None) -> str:
    """Join the trace a message came with, or begin one; returns its id (32 hex digits)."""
    match = TRACEPARENT.match(traceparent or "")
    trace_id = match[1] if match else os.urandom(16).hex()
    _trace_id.set(trace_id)
    return trace_id


def traceparent() -> str:
    """The header that carries the present trace on (W3C Trace Context)."""
    trace_id = _trace_id.get() or begin_trace()
    return f"00-{trace_id}-{os.urandom(8).hex()}-01"

"""Structured logs: one JSON object a line, each with the trace it belongs to."""

import logging
import os
import re
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec

TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")

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

"""The meter that an agent holds: it takes calls, keeps them on disk, and has them published."""

import asyncio
import atexit
import errno
import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, Unpack

import msgspec

from shared.agent_client import calls, producers
from shared.agent_client.calls import CallDetails, UnusableCall
from shared.agent_client.credentials import CredentialsSource, read_credentials
from shared.agent_client.losses import Losses
from shared.agent_client.publisher import Publisher
from shared.agent_client.spool import Owner, Spool, SpoolBusy, SpoolFull
from shared.contracts.usage import MAX_EVENT_BYTES

logger = logging.getLogger(__name__)

GIBIBYTE = 1024**3
DRAIN_SECONDS = 5.0
AT_EXIT_SECONDS = 2.0
STOP_SECONDS = 3.0
# Complaints quote a call's fields, so there may be many kinds.
MAX_LOGGED_KINDS = 100
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class Stats(msgspec.Struct, frozen=True):
    """Calls counted since this client started; `pending` includes what earlier ones left."""

    recorded: int
    acknowledged: int
    pending: int
    rejected: int
    overflowed: int
    doubtful: int
    last_error: str | None


class _Work(NamedTuple):
    """What a client works with; a forked child gets its own."""

    spool: Spool
    losses: Losses
    publisher: Publisher
    spools: list[Spool]
    began_at: int
    acknowledged_before: int


class AgentClient:
    """Reports an agent's LLM calls; `record_*` may be called from any thread and from coroutines.

    A call is on disk when `record_*` returns, and is published in the background until the bus
    has it. `record_*` never raises and never waits for the bus: a call that cannot be read goes
    to a file of rejected calls, one that finds the spool full is counted, and both are logged.
    """

    def __init__(
        self,
        *,
        nats_url: str,
        credentials: CredentialsSource,
        spool: str | Path,
        max_spool_bytes: int = GIBIBYTE,
    ) -> None:
        """Open the spool directory, send what it holds, and be ready to record.

        `credentials` is a path, the text itself, or a function that returns fresh text; it is read
        again at every connection. `max_spool_bytes` bounds what waits for the bus, per process.
        Raises CredentialsError or OSError: a wrong setting shows at the start, not on the bill.
        """
        found = read_credentials(credentials)
        self._owner = Owner("llm", found.organization_id, found.agent_id)
        self._nats_url = nats_url
        self._credentials = credentials
        self._root = Path(spool).expanduser()
        self._max_bytes = max_spool_bytes
        self._closed = False
        self._lock = threading.Lock()
        self._logged: set[str] = set()
        self._counts = {"rejected": 0, "overflowed": 0, "doubtful": 0}
        self._work: _Work | None = self._open()
        _clients.add(self)
        atexit.register(self.close, AT_EXIT_SECONDS)

    def _open(self) -> _Work:
        own, adopted = producers.take(self._root, self._owner, self._max_bytes)
        spools = [own, *adopted]
        publisher = Publisher(self._nats_url, self._credentials, spools)
        before = sum(each.acknowledged for each in spools)
        work = _Work(own, Losses(own.folder), publisher, spools, own.last_sequence, before)
        publisher.start()
        return work

    def record_llm(
        self,
        *,
        task_id: str,
        provider: str,
        model: str,
        usage: object,
        **details: Unpack[CallDetails],
    ) -> str | None:
        """Record one response of a provider; `usage` is the provider's own object, or a dict.

        `model` is what the response names. None as `usage` means that none arrived (a stream that
        was cut). Returns the event's id, which a later call may name in `corrects`; None when the
        call could not be recorded.
        """
        call = {"task_id": task_id, "provider": provider, "model": model, "usage": usage}
        return self._record(calls.from_usage, {**call, **details})

    def record_response(
        self,
        response: object,
        *,
        task_id: str,
        provider: str | None = None,
        model: str | None = None,
        **details: Unpack[CallDetails],
    ) -> str | None:
        """Record a whole response of Anthropic, OpenAI (chat or responses) or Gemini.

        Name `provider` when someone else serves the model (`bedrock`, `azure`, `openrouter`).
        Returns the event's id, or None when the call could not be recorded.
        """
        call = {"response": response, "task_id": task_id, "provider": provider, "model": model}
        return self._record(calls.from_response, {**call, **details})

    def _record(
        self,
        event_from: Callable[[str, Mapping[str, Any]], dict[str, Any]],
        given: dict[str, Any],
    ) -> str | None:
        event_id = calls.new_id()
        try:
            event = event_from(event_id, given)
            encoded = calls.encode(event)
            if len(encoded) > MAX_EVENT_BYTES:
                raise UnusableCall(f"{len(encoded)} bytes are more than {MAX_EVENT_BYTES}.")  # noqa: TRY301
            work = self._work or self._reopen()
            work.spool.append(encoded)
            if work.publisher.asleep:
                work.publisher.wake()
            if complaint := calls.complaint_about(event, encoded):
                self._doubt(complaint)
        except Exception as error:  # noqa: BLE001  metering never disturbs the agent
            self._lose(given, error)
            return None
        return event_id

    def _reopen(self) -> _Work:
        """In a forked child: a producer and a thread of its own."""
        with self._lock:
            if self._closed:
                raise SpoolBusy("The client is closed.")
            if self._work is None:
                self._work = self._open()
            return self._work

    def _doubt(self, complaint: str) -> None:
        """It was sent all the same: the meter parks it where the platform's operators see it."""
        self._count("doubtful", complaint, f"The meter will not bill a call: {complaint}")

    def _lose(self, given: dict[str, Any], error: Exception) -> None:
        full = isinstance(error, SpoolFull) or getattr(error, "errno", None) in _DISK_FULL
        kind, reason = type(error).__name__, f"{type(error).__name__}: {error}"
        losses = self._work.losses if self._work else None
        try:
            if full and losses:
                losses.count_overflow(1)
            elif losses:
                losses.reject(reason, calls.without_content(given))
        except Exception as second:  # noqa: BLE001  then the counters and the log must do
            kind, reason = f"{kind} unkept", f"{reason}; it could not be kept: {second!r}"
        self._count("overflowed" if full else "rejected", kind, f"A call is not metered: {reason}")

    def _count(self, counter: str, kind: str, message: str) -> None:
        with self._lock:
            self._counts[counter] += 1
            is_new = kind not in self._logged and len(self._logged) < MAX_LOGGED_KINDS
            if is_new:
                self._logged.add(kind)
        if is_new:
            logger.error(message)

    def stats(self) -> Stats:
        """Where this client's calls are."""
        work = self._work
        if work is None:
            return Stats(0, 0, 0, **self._counts, last_error=None)
        acknowledged = sum(spool.acknowledged for spool in work.spools)
        return Stats(
            recorded=work.spool.last_sequence - work.began_at,
            acknowledged=acknowledged - work.acknowledged_before,
            pending=sum(spool.pending for spool in work.spools),
            last_error=work.publisher.last_error,
            **self._counts,
        )

    def flush(self, timeout_seconds: float = DRAIN_SECONDS) -> bool:
        """Send at once what is recorded; whether the bus had it all in time. Blocks."""
        work = self._work
        return work is None or work.publisher.wait_until_sent(timeout_seconds)

    async def flush_async(self, timeout_seconds: float = DRAIN_SECONDS) -> bool:
        """Like `flush`, without blocking the event loop."""
        return await asyncio.to_thread(self.flush, timeout_seconds)

    def close(self, timeout_seconds: float = DRAIN_SECONDS) -> bool:
        """Send what can be sent in time; the rest stays in the spool for the next start.

        Returns whether everything was sent. Later calls of `record_*` are rejected. Blocks.
        """
        with self._lock:
            work, closed, self._closed = self._work, self._closed, True
        if closed or work is None:
            return True
        atexit.unregister(self.close)
        sent = work.publisher.wait_until_sent(timeout_seconds)
        if work.publisher.stop(STOP_SECONDS):
            for spool in work.spools:
                spool.close()
        return sent

    async def close_async(self, timeout_seconds: float = DRAIN_SECONDS) -> bool:
        """Like `close`, without blocking the event loop."""
        return await asyncio.to_thread(self.close, timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def begin_again(self) -> None:
        """In a forked child: leave spool and thread to the parent, have others when needed."""
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(self._counts, 0)
        if self._work and not self._closed:
            for spool in self._work.spools:
                spool.forget()
            _parents.append(self._work)
            self._work = None


_clients: weakref.WeakSet[AgentClient] = weakref.WeakSet()
# A child keeps what it inherited: collecting it would close what the parent works with.
_parents: list[_Work] = []


def _after_fork() -> None:
    for client in list(_clients):
        client.begin_again()


os.register_at_fork(after_in_child=_after_fork)

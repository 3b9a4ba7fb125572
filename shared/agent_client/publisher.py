"""The background thread: makes spools durable, sends them in envelopes, moves their cursors.

It has an event loop of its own: a blocked agent does not stop it, and it never blocks an agent.
It makes its connections anew rather than repairing them, with the credential as it is then.
"""

import asyncio
import logging
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from nats.aio.client import Client, RawCredentials

from shared.agent_client.credentials import (
    Credentials,
    CredentialsError,
    CredentialsSource,
    read_credentials,
)
from shared.agent_client.lane import Envelope, Lane, Refused, check_stored
from shared.agent_client.spool import Spool

logger = logging.getLogger(__name__)

# What a power cut may cost, and how long an event waits for company in its envelope.
SYNC_SECONDS = 0.05
LINGER_SECONDS = 0.2
CONNECT_SECONDS = 5.0
ACK_SECONDS = 10.0
CLOSE_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
LOG_SECONDS = 60.0


class BusLost(Exception):
    """The connection to the bus ended."""


class Publisher:
    """Sends what the spools hold until it is stopped; what is unsent then stays in them."""

    def __init__(self, nats_url: str, credentials: CredentialsSource, spools: list[Spool]) -> None:
        self.last_error: str | None = None
        # Whether an append has to wake the thread; read without a lock, so set before looking.
        self.asleep = False
        self._nats_url = nats_url
        self._credentials = credentials
        self._lanes = [Lane(spool) for spool in spools]
        self._failures = 0
        self._logged_at: dict[str, float] = {}
        self._progress = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agent-client", daemon=True)

    def start(self) -> None:
        """Start the thread; returns when it can be woken."""
        self._thread.start()
        self._started.wait()

    def wake(self) -> None:
        """Tell the thread that there is something to send."""
        self._call(self._news.set)

    def wait_until_sent(self, timeout_seconds: float) -> bool:
        """Send at once what the spools hold now; whether the bus had it all in time."""
        targets = [(lane.spool, lane.spool.last_sequence) for lane in self._lanes]
        self._call(self._make_haste)
        with self._progress:
            return self._progress.wait_for(
                lambda: all(spool.acknowledged >= last for spool, last in targets), timeout_seconds
            )

    def stop(self, timeout_seconds: float) -> bool:
        """End the thread; whether it ended in time."""
        self._call(self._finish)
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _call(self, action: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the thread has ended
            self._loop.call_soon_threadsafe(action)

    def _make_haste(self) -> None:
        self._haste.set()
        self._retry.set()
        self._news.set()

    def _finish(self) -> None:
        # A cancellation that meets a connection in the making gets lost in it, so all are told.
        self._end.set()
        self._lost.set()
        self._retry.set()

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news, self._haste = asyncio.Event(), asyncio.Event()
        self._retry, self._end, self._lost = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._started.set()
        work = [asyncio.create_task(self._keep_durable()), asyncio.create_task(self._serve())]
        ending = asyncio.create_task(self._end.wait())
        done, running = await asyncio.wait([*work, ending], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CLOSE_SECONDS)
        for task in done:
            task.result()  # a fault of ours: it ends the thread, loudly, and the spool keeps all

    async def _keep_durable(self) -> None:
        """Sync what is appended, and release what has waited for company long enough."""
        held_since: float | None = None
        while True:
            for lane in self._lanes:
                self._sync(lane.spool)
            if not any(lane.holds_back for lane in self._lanes):
                held_since = None
                await self._sleep()
                continue
            held_since = held_since or self._loop.time()
            if self._haste.is_set() or self._loop.time() - held_since >= LINGER_SECONDS:
                for lane in self._lanes:
                    lane.release()
                held_since = None
            self._haste.clear()
            await _wait(self._haste, SYNC_SECONDS)

    def _sync(self, spool: Spool) -> None:
        try:
            spool.sync()
        except OSError as error:
            self._note(error)

    async def _sleep(self) -> None:
        self._haste.clear()
        self.asleep = True
        if all(lane.spool.synced == lane.spool.last_sequence for lane in self._lanes):
            await self._news.wait()
        self.asleep = False
        self._news.clear()

    async def _serve(self) -> None:
        """One session after another, with a growing pause after those that achieved nothing."""
        while not self._end.is_set():
            began_at = self._loop.time()
            try:
                await self._session()
            except ExceptionGroup as failures:
                self._note(failures.exceptions[0])
            except Exception as error:  # noqa: BLE001  whatever ended it, the next one tries again
                self._note(error)
            lasted = self._loop.time() - began_at > LONGEST_PAUSE_SECONDS
            self._failures = 0 if lasted else self._failures + 1
            await _wait(self._retry, _pause_seconds(self._failures))
            self._retry.clear()

    async def _session(self) -> None:
        self._lost = lost = asyncio.Event()
        async with self._connection(lost) as client, asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(self._send(lane, client, tasks))
            await lost.wait()
            raise BusLost("The connection to the bus ended.")

    @asynccontextmanager
    async def _connection(self, lost: asyncio.Event) -> AsyncIterator[Client]:
        credentials = self._fresh_credentials()
        client = Client()

        async def failed(error: Exception) -> None:
            self._note(error)

        async def closed() -> None:
            lost.set()

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect(
                    self._nats_url,
                    user_credentials=RawCredentials(credentials.text),
                    inbox_prefix=f"_INBOX.{credentials.user_key}",
                    name=f"agent-client {credentials.agent_id}",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    error_cb=failed,
                    closed_cb=closed,
                )
            yield client
        finally:
            # A server that is stopped would have us wait for ever to flush what it will not read.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()

    def _fresh_credentials(self) -> Credentials:
        found = read_credentials(self._credentials)
        for lane in self._lanes:
            owner = lane.spool.owner
            if (owner.organization_id, owner.agent_id) != (found.organization_id, found.agent_id):
                raise CredentialsError("The credential has become another agent's.")
        return found

    async def _send(self, lane: Lane, client: Client, tasks: asyncio.TaskGroup) -> None:
        """Keep a lane's window full; what an earlier session left in it goes first, unchanged."""
        for unanswered in [each for each in lane.window if not each.acknowledged]:
            tasks.create_task(self._deliver(lane, unanswered, client))
        while True:
            lane.changed.clear()
            while (envelope := lane.next_envelope()) is not None:
                tasks.create_task(self._deliver(lane, envelope, client))
            await lane.changed.wait()

    async def _deliver(self, lane: Lane, envelope: Envelope, client: Client) -> None:
        """Send an envelope until it is stored; a refusal (the stream is full) means later."""
        refusals = 0
        while not envelope.acknowledged:
            answer = await client.request(lane.subject, envelope.body, timeout=ACK_SECONDS)
            try:
                check_stored(answer.data)
            except Refused as refusal:
                self._note(refusal)
                await asyncio.sleep(_pause_seconds(refusals))
                refusals += 1
            else:
                self._settle(lane, envelope)

    def _settle(self, lane: Lane, envelope: Envelope) -> None:
        try:
            lane.settle(envelope)
        except OSError as error:
            self._note(error)
        self._failures = 0
        with self._progress:
            self._progress.notify_all()

    def _note(self, error: Exception) -> None:
        """Remember an error; log each kind once in a while, for an outage may be long."""
        if self._end.is_set():
            return  # the end that was asked for
        kind = type(error).__name__
        self.last_error = f"{kind}: {error}"
        if self._loop.time() - self._logged_at.get(kind, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged_at[kind] = self._loop.time()
            logger.warning("Usage stays in the spool for now: %s", self.last_error)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _pause_seconds(failures: int) -> float:
    longest = min(LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS * 2.0 ** min(failures, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311

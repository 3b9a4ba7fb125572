"""The time machine, as a process takes part in it: it moves when it is told, does what fell due,
and says what it still has to do. Tokens, leases, acks and signatures stay on the machine's clock.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus import Bus
from shared.clock import TravelClock, new_id
from shared.contracts.base import request_subject
from shared.contracts.operations import Travel, Whereabouts
from shared.logs import describe

logger = logging.getLogger(__name__)


class Errand(NamedTuple):
    """What a process still has to do, see Whereabouts."""

    due_at: datetime | None
    waiting: dict[str, int]
    moved: int


Arrive = Callable[[bool], Awaitable[Errand]]


async def stay(_moved: bool) -> Errand:
    """Of a process in which nothing falls due by itself."""
    return Errand(None, {}, 0)


class Passenger:
    """Listens to whoever travels, beside all other replicas, and takes its process along."""

    def __init__(self, name: str, clock: TravelClock, arrive: Arrive = stay) -> None:
        self._name = name
        self._clock = clock
        self._arrive = arrive
        self._process_id = new_id()
        self._one_by_one = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def board(self, bus: Bus) -> None:
        """Take part from now on."""
        self._connection: Client = bus.connection
        # In no queue group: every replica hears it and answers for itself.
        self._subscription = await bus.connection.subscribe(
            request_subject(Travel, self._name), cb=self._receive
        )

    async def leave(self) -> None:
        """Take part no more."""
        if self._subscription is not None and self._connection.is_connected:
            await self._subscription.unsubscribe()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _receive(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, message: Msg) -> None:
        async with self._one_by_one:
            try:
                where = await self._travel(msgspec.json.decode(message.data, type=Travel))
                await self._connection.publish(message.reply, msgspec.json.encode(where))
            except (msgspec.MsgspecError, ValueError, nats.errors.Error) as error:
                logger.warning("not travelled", extra={"fields": {"error": describe(error)[:200]}})

    async def _travel(self, request: Travel) -> Whereabouts:
        before = self._clock.offset
        if request.offset_microseconds is not None:
            self._clock.travel(timedelta(microseconds=request.offset_microseconds))
        try:
            errand = await self._arrive(self._clock.offset > before)
        except Exception as error:
            logger.exception("cannot arrive")
            errand = Errand(None, {f"failing: {error!r}"[:200]: 1}, 0)
        return Whereabouts(
            service=self._name,
            process_id=self._process_id,
            at=self._clock.now(),
            due_at=errand.due_at,
            waiting=errand.waiting,
            moved=errand.moved,
        )

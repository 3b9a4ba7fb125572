"""The live stream of one organization, as server-sent events."""

import asyncio
import logging
from typing import Annotated

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from services.gateway.asks import Caller
from services.gateway.edge import live_streams
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.live import Listener, LiveEvents
from services.gateway.parameters import Given, OrganizationId
from services.gateway.permissions import Principal
from services.gateway.responses import LiveEventResponse
from services.gateway.slots import Slots
from shared.clock import Clock

logger = logging.getLogger(__name__)

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]
HEARTBEAT = b": still here\n\n"


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: between heartbeats (proxies close what is silent), to take a frame, in all."""

    heartbeat: float = 15.0
    send: float = 10.0
    longest: float = 3600.0


class EventStream(ASGIResponse):
    """Writes what a listener hears until one of four things ends it.

    The client leaves or takes nothing; its token ends; it is too slow; the gateway stops.
    """

    def __init__(
        self,
        live: LiveEvents,
        slots: Slots,
        principal: Principal,
        organization_id: str,
        last_position: str | None,
        *,
        lasts_seconds: float,
        limits: StreamLimits,
    ) -> None:
        super().__init__()
        self._live = live
        self._slots = slots
        self._principal = principal
        self._organization_id = organization_id
        self._last_position = last_position
        self._lasts_seconds = lasts_seconds
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer; raises a 429 when too many streams are open."""
        with self._slots.taken(self._principal.name), live_streams.track_inprogress():
            listener = self._live.open(self._organization_id, self._last_position)
            gone = asyncio.create_task(_close_when_gone(listener, receive))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                await self._write(listener, send)
            except TimeoutError:
                logger.info("client of a live stream takes nothing, giving it up")
            finally:
                gone.cancel()
                self._live.leave(self._organization_id, listener)

    async def _write(self, listener: Listener, send: Send) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._lasts_seconds
        more = True
        while more:
            left = ends_at - loop.time()
            text = await listener.next(min(left, self._limits.heartbeat))
            self._live.notice_gaps()
            more = not listener.closed and loop.time() < ends_at
            body = text or (HEARTBEAT if more else b"")
            async with asyncio.timeout(self._limits.send):
                await send({"type": "http.response.body", "body": body, "more_body": more})


async def _close_when_gone(listener: Listener, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.close()


@get(
    "/account/{organization_id:str}/events",
    operation_id="stream_events",
    opt={"permission": "read", "no_compression": True},
    responses={
        200: ResponseSpec(
            LiveEventResponse,
            media_type="text/event-stream",
            generate_examples=False,
            description="Events of this form, and comments as heartbeats.",
        ),
        **declared(*ASKING_STATUSES),
    },
    tags=["live"],
)
async def stream_events(
    organization_id: OrganizationId,
    caller: Given[Caller],
    live: Given[LiveEvents],
    stream_slots: Given[Slots],
    stream_limits: Given[StreamLimits],
    wall_clock: Given[Clock],
    last_event_id: Annotated[
        str | None,
        HeaderParameter(name="Last-Event-ID", max_length=64, description="Where to go on."),
    ] = None,
) -> EventStream:
    """Stream what happens, from `Last-Event-ID` on while that is known.

    Otherwise it begins with `resync`: fetch everything again. A heartbeat comment comes every
    15 seconds. The stream ends with the token's life, after an hour at the latest.
    """
    principal, lasts = caller.principal, stream_limits.longest
    if principal.expires_at is not None:
        lasts = min(lasts, (principal.expires_at - wall_clock.now()).total_seconds())
    return EventStream(
        live,
        stream_slots,
        principal,
        organization_id,
        last_event_id,
        lasts_seconds=lasts,
        limits=stream_limits,
    )

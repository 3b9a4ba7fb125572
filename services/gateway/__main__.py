"""The gateway's process: `python -m services.gateway`."""

import asyncio
import signal
import sys
from collections.abc import Callable
from socket import socket

import uvicorn
import uvloop

from services.gateway.app import create_app
from services.gateway.live import LiveEvents
from services.gateway.live_facts import live_subjects
from services.gateway.settings import GatewaySettings, check
from shared.bus import Bus, watch
from shared.clock import SystemClock, TravelClock, clock_of
from shared.health import Health
from shared.logs import configure
from shared.settings import SettingsError, load
from shared.travel import Passenger

# What is under way when we are told to stop may take this long to finish.
GRACE_SECONDS = 30
MAX_CONNECTIONS = 2000


class DrainingServer(uvicorn.Server):
    """Ends live streams first, because they would otherwise outlast every grace."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Take no more connections, finish what is under way."""
        self._drain()
        await super().shutdown(sockets)


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    clock = clock_of(settings)
    bus = await Bus.connect(settings, "gateway")
    if isinstance(clock, TravelClock):
        await Passenger("gateway", clock).board(bus)
    live = LiveEvents(count_gaps=lambda: bus.connection.stats["reconnects"])
    for subject, kind in live_subjects().items():
        await watch(bus, subject, live.receiver(kind))
    health = Health()

    async def bus_problem() -> str | None:
        return None if bus.connection.is_connected else "not connected"

    def drain() -> None:
        health.draining = True
        live.stop()

    health.require("bus", bus_problem)
    config = uvicorn.Config(
        create_app(settings, bus, clock, wall_clock=SystemClock(), live=live, health=health),
        host=settings.http_host,
        port=settings.http_port,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn repeats the signal that stopped it, once it has drained; by then we are ending.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    health.guard_process()
    beat = asyncio.create_task(health.beat())
    try:
        await DrainingServer(config, drain).serve()
    finally:
        beat.cancel()
        await bus.close()


def main() -> None:
    """Read the settings and serve; a wrong setting is one sentence."""
    try:
        settings = load(GatewaySettings)
        check(settings)
        configure("gateway", settings.log_level)
        uvloop.run(serve(settings))
    except SettingsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()

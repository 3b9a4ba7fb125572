"""The gateway's process: `python -m services.gateway`."""

import argparse
import asyncio
import signal
import sys
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

# How long a gateway that was told to stop goes on as before, but for its /readyz: so long, and
# longer than between two probes, it takes until everybody sends requests elsewhere.
LEAVING_SECONDS = 3
LOOKS_A_SECOND = 20
# What is under way when we are told to stop may take this long to finish.
GRACE_SECONDS = 30
MAX_CONNECTIONS = 2000


class DrainingServer(uvicorn.Server):
    """Says first that it leaves, then ends live streams, which would outlast every grace."""

    def __init__(self, config: uvicorn.Config, health: Health, live: LiveEvents) -> None:
        super().__init__(config)
        self._health = health
        self._live = live

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Serve who has not heard yet, take no more connections, finish what is under way."""
        self._health.draining = True
        for _ in range(LEAVING_SECONDS * LOOKS_A_SECOND):
            if self.force_exit:  # a second signal: nobody is waited for
                break
            await asyncio.sleep(1 / LOOKS_A_SECOND)
        self._live.stop()
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
        await DrainingServer(config, health, live).serve()
    finally:
        beat.cancel()
        await bus.close()


def main(arguments: list[str] | None = None) -> None:
    """Read the settings and serve; a wrong setting is one sentence."""
    argparse.ArgumentParser(
        prog="python -m services.gateway",
        description="The HTTP edge: API and web page. Settings come from the environment.",
    ).parse_args(arguments)
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

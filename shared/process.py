"""The command line of a service: `python -m services.<name> [run|migrate]`."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from typing import Any

import uvicorn

from shared.logs import configure
from shared.migrations import migrate_now
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import SettingsError, load

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5


def main(service: Service, arguments: list[str] | None = None) -> None:
    """Run a service, or bring its database up to date."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service.name}",
        description=f"The {service.name} service. Settings come from the environment.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=("run", "migrate"),
        help="run the service (default), or migrate its database as OWNER_DATABASE_URL",
    )
    command = parser.parse_args(arguments).command
    try:
        if command == "migrate":
            _migrate(service)
        else:
            settings = load(service.settings)
            configure(service.name, settings.log_level)
            sys.exit(serve(Runtime(service, settings)))
    except SettingsError as error:
        sys.exit(str(error))


def _migrate(service: Service) -> None:
    owner_url = os.environ.get("OWNER_DATABASE_URL")
    if not owner_url:
        raise SettingsError("Setting OWNER_DATABASE_URL: the owner role's address is required.")
    migrate_now(owner_url, service.versions, service.metadata)


class _Hosted:
    """A service under an HTTP server: health is answered from the first moment, and work begins
    when database and bus are there.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._app = runtime.app()
        self.server: uvicorn.Server
        self.has_failed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        starting = asyncio.create_task(self._app.start())
        starting.add_done_callback(self._started)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        starting.cancel()
        await asyncio.wait({starting})
        await self._app.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _started(self, starting: asyncio.Task[None]) -> None:
        if not starting.cancelled() and (error := starting.exception()):
            logger.critical("service cannot start", exc_info=error)
            self.has_failed = True
            self.server.should_exit = True


def settle_memory() -> None:
    """Leave what was loaded at the start to itself: collecting it again only costs time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def serve(runtime: Runtime) -> int:
    """Serve until SIGTERM or SIGINT, then drain; returns the exit code."""
    hosted = _Hosted(runtime)
    config = uvicorn.Config(
        hosted,
        host=runtime.settings.http_host,
        port=runtime.settings.http_port,
        log_config=None,
        access_log=False,
        loop="uvloop",
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    hosted.server = uvicorn.Server(config)
    # The server raises the signal again once it has drained, and that is a success.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    runtime.health.guard_process()
    settle_memory()
    hosted.server.run()
    return int(hosted.has_failed)

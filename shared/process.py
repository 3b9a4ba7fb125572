"""The command line of a service: `python -m services.<name> [run|migrate|check]`."""

import argparse
import gc
import os
import sys

import uvicorn

from shared.logs import configure
from shared.migrations import migrate_now
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings, SettingsError, load

GRACE_SECONDS = 30


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
            serve(service, settings)
    except SettingsError as error:
        sys.exit(str(error))


def _migrate(service: Service) -> None:
    owner_url = os.environ.get("OWNER_DATABASE_URL")
    if not owner_url:
        raise SettingsError("Setting OWNER_DATABASE_URL: the owner role's address is required.")
    migrate_now(owner_url, service.versions, service.metadata)


def settle_memory() -> None:
    """Leave what was loaded at the start to itself: collecting it again only costs time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def serve(service: Service, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    config = uvicorn.Config(
        Runtime(service, settings).app(),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        loop="uvloop",
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    settle_memory()
    uvicorn.Server(config).run()

"""`python -m services.stripe_sandbox`."""

import argparse
import asyncio
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.stripe_sandbox.app import create_app
from services.stripe_sandbox.settings import SandboxSettings
from shared.logs import configure
from shared.settings import SettingsError, load

GRACE_SECONDS = 5
MAX_CONNECTIONS = 500


class AbortableProtocol(HttpToolsProtocol):
    """Lets the application cut a connection, for the faults that tests order."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {"sandbox": {"abort": self.transport.abort}}


async def serve(settings: SandboxSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.http_host,
        port=settings.http_port,
        http=AbortableProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    await uvicorn.Server(config).serve()


def main(arguments: list[str] | None = None) -> None:
    """Read the settings and serve; a wrong setting is one sentence."""
    argparse.ArgumentParser(
        prog="python -m services.stripe_sandbox",
        description="A Stripe where no card is real. Settings come from the environment.",
    ).parse_args(arguments)
    try:
        settings = load(SandboxSettings)
        configure("stripe_sandbox", settings.log_level)
        asyncio.run(serve(settings))
    except SettingsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()

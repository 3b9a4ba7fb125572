"""Declare streams and consumers on the bus: `python -m deploy.topology --help`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import nats.errors
from nats.js.errors import APIError

from deploy.files import default_home, default_nats_url
from deploy.services import load_services
from shared.bus import Bus
from shared.service import Service
from shared.settings import Settings
from shared.topology import declare

USER = "topology"
CONNECT_TIMEOUT_SECONDS = 10


class NotDeclared(Exception):
    """The bus is not as it should be; the message is a sentence for the user."""


async def connect(nats_url: str, keys: Path) -> Bus:
    """Connect as the one user who may declare; raises NotDeclared."""
    credentials = keys / f"{USER}.creds"
    if not credentials.is_file():
        raise NotDeclared(f"There are no keys in {keys}; make them with `python -m deploy.setup`.")
    settings = Settings(nats_url=nats_url, nats_credentials=str(credentials))
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            return await Bus.connect(settings, USER)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise NotDeclared(
            f"The bus at {nats_url} does not let us in: is it running, with the keys in {keys}?"
        ) from error


async def declare_topology(nats_url: str, keys: Path, services: Sequence[Service]) -> None:
    """Make every stream and consumer as its owner wrote it down; harmless to repeat.

    `keys` is the folder with the credentials. Raises NotDeclared.
    """
    bus = await connect(nats_url, keys)
    durables = tuple(durable for service in services for durable in service.durables)
    try:
        await declare(bus.connection.jetstream(), durables)
    except (APIError, nats.errors.Error) as error:
        raise NotDeclared(f"The bus refuses a stream or consumer: {error}.") from error
    finally:
        await bus.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    services = load_services()
    try:
        asyncio.run(declare_topology(options.nats_url, options.home / "keys", services))
    except NotDeclared as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for service in services:
        for durable in service.durables:
            print(f"{durable.stream}: {durable.name} takes {durable.subject}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.topology",
        description="Declare all streams, and the consumers of all services. Repeat it at will.",
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the folder with the keys (default: $BILLING_HOME or var)",
    )
    parser.add_argument(
        "--nats-url",
        default=default_nats_url(),
        help="the bus (default: $NATS_URL, or that of make run: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

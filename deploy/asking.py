"""What commands of operators share: a connection as the user `operator`, and tables to print."""

import argparse
import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import nats.errors

from deploy.files import default_home, default_nats_url
from shared.bus import AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.contracts.base import Refusal, Reply, Request
from shared.settings import Settings

USER = "operator"
CONNECT_TIMEOUT_SECONDS = 5

R = TypeVar("R", bound=Reply)


class NotDone(Exception):
    """Nothing was changed; the message is a sentence for the user."""


def requested_by() -> str:
    """Who sits at this machine, as what is changed is logged under."""
    try:
        return f"{USER}:{getpass.getuser()}"
    except (KeyError, OSError):
        return USER  # a container need not have a name for whoever runs in it


def where_options() -> argparse.ArgumentParser:
    """Options of every command: which installation it is about."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the data folder of `make run`, with its keys (default: $BILLING_HOME or var)",
    )
    shared.add_argument(
        "--nats-url", default=default_nats_url(), help="the bus (default: %(default)s)"
    )
    return shared


def settings_of(options: argparse.Namespace) -> Settings:
    """How to connect; raises NotDone without credentials."""
    given = os.environ.get("NATS_CREDENTIALS")
    credentials = Path(given) if given else options.home / "keys" / f"{USER}.creds"
    if not credentials.is_file():
        raise NotDone(f"There are no credentials in {credentials}.")
    return Settings(nats_url=options.nats_url, nats_credentials=str(credentials))


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Bus]:
    """The bus; raises NotDone when it does not let us in."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            bus = await Bus.connect(settings, USER)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise NotDone(f"{settings.nats_url} does not let us in; is `make run` running?") from error
    try:
        yield bus
    finally:
        await bus.close()


async def ask(bus: Bus, owner: str, request: Request[R]) -> R:
    """Ask one service; raises NotDone for no answer and for a "no"."""
    try:
        answer = await bus.ask(request, owner=owner, principal=requested_by(), timeout_seconds=30)
    except (NoAnswerer, AnswerTimedOut, AnswerFailed) as error:
        raise NotDone(f"{owner} gave no answer: {error}.") from error
    if isinstance(answer, Refusal):
        raise NotDone(answer.detail)
    return answer


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads, each column as wide as it must be."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return "\n".join(lines)

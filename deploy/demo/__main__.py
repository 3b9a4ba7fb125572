"""`make demo`: a customer's page is filled, and agents report the calls of real traces."""

import argparse
import asyncio
import math
import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console

from deploy.asking import USER, NotDone
from deploy.demo.api import Api, connect
from deploy.demo.furnish import furnish
from deploy.demo.place import DemoFailed, Place
from deploy.demo.replay import replay
from deploy.demo.verdict import judge, summary_table
from deploy.files import default_home, default_nats_url
from deploy.traces import ORGANIZATIONS, find_traces, load_calls, past_calls
from shared.bus import Bus
from shared.settings import Settings

DEFAULT_SPEED = 120.0
PAST_DAYS = 30


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.traces and find_traces(options.traces) is None:
        parser.error(f"there are no trace files in {options.traces}")
    place = Place(
        options.home,
        f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
        default_nats_url(),
    )
    console = Console()
    with ExitStack() as ending:
        try:
            if not place.answers():
                place.start(console, ending)
            return asyncio.run(show(place, options, console))
        except (DemoFailed, NotDone) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except httpx.HTTPError as error:
            sys.stderr.write(f"The gateway does not answer: {error!r}\n")
            return 1


async def show(place: Place, options: argparse.Namespace, console: Console) -> int:
    """Fill the page of the first organization, then replay the calls of all."""
    folder: Path | None = options.traces
    now = datetime.now(UTC)
    calls = load_calls(folder, now)[: options.calls]
    calls.sort(key=lambda call: call.occurred_at)
    settings = Settings(
        nats_url=place.nats_url, nats_credentials=str(place.home / "keys" / f"{USER}.creds")
    )
    bus = await Bus.connect(settings, USER)
    try:
        async with connect(place, place.token()) as http:
            await furnish(http, ORGANIZATIONS[0], console)
            await remember(place, bus, http, now, console)
            source = f" of the traces in {folder}" if folder else ", generated in the traces' shape"
            console.print(
                f"{len(calls):,} calls{source}, {options.speed:g} × as fast as they came."
            )
            outcome = await replay(place, bus, http, calls, options.speed, console)
    finally:
        await bus.close()
    console.print(summary_table([seen.api for seen in outcome.after.values()]))
    return judge(console, outcome.before, outcome.after, outcome.expected, outcome.acknowledged)


async def remember(
    place: Place, bus: Bus, http: httpx.AsyncClient, now: datetime, console: Console
) -> None:
    """Report calls of the days before today, unless these have some."""
    days = await Api(http, ORGANIZATIONS[0]).get("/costs/daily", days=PAST_DAYS)
    if all(day["date"] >= f"{now:%Y-%m-%d}" for day in days):
        calls = past_calls(ORGANIZATIONS[0], now, PAST_DAYS - 1)
        console.print(f"{len(calls):,} calls of the {PAST_DAYS - 1} days before today, at once.")
        await replay(place, bus, http, calls, math.inf, console)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--traces",
        type=Path,
        default=None,
        help="folder of trace files (default: none; calls are generated in their shape)",
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=DEFAULT_SPEED,
        help="how many times faster than they came (default: %(default)g; an hour in 30 s)",
    )
    parser.add_argument("--calls", type=int, default=None, help="only so many (default: all)")
    parser.add_argument("--home", type=Path, default=default_home(), help="data folder of make run")
    return parser


if __name__ == "__main__":
    sys.exit(main())

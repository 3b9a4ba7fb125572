"""`make demo`: agents report the calls of real traces, and everybody must agree on the cost."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.credentials import OPERATOR, NotIssued, issue
from deploy.files import default_home
from deploy.traces import ORGANIZATIONS, TracedCall, find_traces, load_calls
from shared.agent_client import AgentClient
from shared.bus import Bus
from shared.clock import new_id
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import ControlTotals, GetControlTotals
from shared.money import PICOUSD_PER_USD
from shared.settings import Settings

DEFAULT_SPEED = 120.0
START_SECONDS = 120
SETTLE_SECONDS = 60
CREDENTIAL_LIFETIME = timedelta(hours=12)


class DemoFailed(Exception):
    """The demo cannot go on; the message is a sentence for the user."""


@dataclass(frozen=True)
class Place:
    """Where the installation is that the demo talks to."""

    home: Path
    address: str
    nats_url: str


class Seen(NamedTuple):
    """One organization's sums, by its API and by its service's control totals."""

    api: Mapping[str, Any]
    control: ControlTotals


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    place = Place(
        options.home,
        f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
        os.environ.get("NATS_URL") or f"nats://127.0.0.1:{os.environ.get('NATS_PORT', '4222')}",
    )
    console = Console()
    with ExitStack() as ending:
        try:
            if not _answers(place.address):
                _start(place, console, ending)
            return asyncio.run(replay(place, options, console))
        except (DemoFailed, NotIssued) as error:
            sys.stderr.write(f"{error}\n")
            return 1


async def replay(place: Place, options: argparse.Namespace, console: Console) -> int:
    """Report all calls, wait until they are counted, and show what they cost."""
    folder = find_traces(options.traces)
    calls = load_calls(folder, datetime.now(UTC))[: options.calls]
    calls.sort(key=lambda call: call.occurred_at)
    source = f"the traces in {folder}" if folder else "calls generated in the traces' shape"
    console.print(f"{len(calls):,} calls from {source}, {options.speed:g} × as fast as they came.")
    token = _token(place.home)
    settings = Settings(
        nats_url=place.nats_url, nats_credentials=str(place.home / "keys" / f"{OPERATOR}.creds")
    )
    bus = await Bus.connect(settings, OPERATOR)
    try:
        before = {name: await look(place, bus, token, name) for name in ORGANIZATIONS}
        acknowledged = await report(place, calls, options.speed, console)
        expected = {name: _count(calls, name) for name in ORGANIZATIONS}
        after = {
            name: await settled(place, bus, token, name, before[name], expected[name])
            for name in ORGANIZATIONS
        }
    finally:
        await bus.close()
    console.print(summary_table([seen.api for seen in after.values()]))
    return _judge(console, before, after, expected, acknowledged)


async def report(
    place: Place, calls: Sequence[TracedCall], speed: float, console: Console
) -> Mapping[str, int]:
    """Have every agent report its calls at their time; answers what the bus acknowledged."""
    run = new_id()[-8:]
    agents: dict[tuple[str, str], AgentClient] = {}
    for organization, agent in sorted({(call.organization_id, call.agent_id) for call in calls}):
        credential = await issue(
            place.home, place.nats_url, organization, agent, lifetime=CREDENTIAL_LIFETIME
        )
        agents[organization, agent] = AgentClient(
            nats_url=place.nats_url,
            credentials=credential.text,
            spool=place.home / "demo" / organization / agent,
        )
    with Progress(
        TextColumn("agents report"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
    ) as progress:  # fmt: skip
        bar = progress.add_task("", total=len(calls))
        began, first = time.monotonic(), calls[0].occurred_at
        for number, call in enumerate(calls, start=1):
            due = began + (call.occurred_at - first).total_seconds() / speed
            if (wait := due - time.monotonic()) > 0.01:
                progress.update(bar, completed=number - 1)
                await asyncio.sleep(wait)
            agents[call.organization_id, call.agent_id].record_llm(
                task_id=call.task_id,
                provider=call.provider,
                model=call.model,
                usage=call.usage,
                usage_format="disjoint",
                occurred_at=call.occurred_at,
                provider_request_id=f"req-{run}-{call.event_id}",
            )
        progress.update(bar, completed=len(calls))
    acknowledged: dict[str, int] = dict.fromkeys(ORGANIZATIONS, 0)
    for (organization, _), agent_client in agents.items():
        if not await agent_client.close_async(SETTLE_SECONDS):
            raise DemoFailed("The bus did not take every call; `make run` again and they follow.")
        acknowledged[organization] += agent_client.stats().acknowledged
    return acknowledged


async def look(place: Place, bus: Bus, token: str, organization: str) -> Seen:
    """An organization's sums as they stand."""
    control = await bus.ask(GetControlTotals(organization_id=organization), timeout_seconds=30)
    if isinstance(control, Refusal):
        raise DemoFailed(control.detail)
    path = f"/api/billing/account/{organization}/costs/summary"
    return Seen(await asyncio.to_thread(_get, place.address + path, token), control)


async def settled(
    place: Place, bus: Bus, token: str, organization: str, before: Seen, expected: int
) -> Seen:
    """The sums once every call is counted."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        seen = await look(place, bus, token, organization)
        if seen.control.announced_records - before.control.announced_records >= expected:
            return seen
        if time.monotonic() > deadline:
            raise DemoFailed(f"The calls of {organization} were not all counted in a minute.")
        await asyncio.sleep(0.3)


def summary_table(answers: Sequence[Mapping[str, Any]]) -> Table:
    """What the API says per provider and model, over all organizations of the demo."""
    rows: dict[tuple[str, str], list[float]] = {}
    for answer in answers:
        for item in answer["breakdown"]:
            row = rows.setdefault((item["provider"], item["model"]), [0, 0, 0])
            row[0] += item["records"]
            row[1] += item["tokens"]
            row[2] += item["cost"]
    table = Table(title="What the calls cost", caption="GET …/costs/summary of each organization")
    for name in ("provider", "model"):
        table.add_column(name)
    for name in ("calls", "tokens", "cost in USD"):
        table.add_column(name, justify="right")
    for (provider, model), (records, tokens, cost) in sorted(rows.items(), key=lambda r: -r[1][2]):
        table.add_row(provider, model, f"{records:,}", f"{tokens:,}", f"{cost:,.6f}")
    return table


def _judge(
    console: Console,
    before: Mapping[str, Seen],
    after: Mapping[str, Seen],
    expected: Mapping[str, int],
    acknowledged: Mapping[str, int],
) -> int:
    """Say whether bus, records, roll-ups, announcements and API agree to the pico-dollar."""
    table = Table(title="Who counted what of this replay, and what it came to so far")
    table.add_column("organization", no_wrap=True)
    for name in ("calls", "bus", "records", "roll-ups", "told", "API"):
        table.add_column(name, justify="right")
    table.add_column("USD by all", justify="right", no_wrap=True)
    agree = True
    for name in ORGANIZATIONS:
        counts = [expected[name], acknowledged[name], *_grown(before[name], after[name])]
        costs = {_dollars(cost) for cost in _costs(after[name])}
        agree &= len(set(counts)) == 1 and len(costs) == 1 and after[name].control.holes == 0
        table.add_row(name, *(f"{count:,}" for count in counts), " ≠ ".join(sorted(costs)))
    console.print(table)
    console.print("All agree to the pico-dollar." if agree else "[red]They do not agree.[/red]")
    return 0 if agree else 1


def _dollars(picousd: int) -> str:
    whole, fraction = divmod(picousd, PICOUSD_PER_USD)
    return f"{whole:,}.{fraction:012d}"


def _grown(before: Seen, after: Seen) -> list[int]:
    names = ("records", "rollups_records", "announced_records")
    grown = [getattr(after.control, name) - getattr(before.control, name) for name in names]
    return [*grown, after.api["record_count"] - before.api["record_count"]]


def _costs(seen: Seen) -> list[int]:
    names = ("records_cost_picousd", "rollups_cost_picousd", "announced_cost_picousd")
    # A float holds a whole number of pico-dollars exactly up to $9,007.
    api = round(seen.api["total_cost"] * PICOUSD_PER_USD)
    return [*(getattr(seen.control, name) for name in names), api]


def _count(calls: Sequence[TracedCall], organization: str) -> int:
    return sum(call.organization_id == organization for call in calls)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _start(place: Place, console: Console, ending: ExitStack) -> None:
    """Start an installation for the length of the demo."""
    console.print("Nothing runs yet, so everything is started for the demo.")
    command = [sys.executable, "-m", "deploy.local", "--home", str(place.home)]
    command.append("--stop-with-parent")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ending.callback(process.wait)
    ending.callback(process.terminate)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(place.address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoFailed("It did not start; `make run` says why.")
        time.sleep(0.2)


def _token(home: Path) -> str:
    command = [sys.executable, "-m", "services.gateway.tokens", "--home", str(home)]
    for name in ORGANIZATIONS:
        command += ["--organization", name]
    made = subprocess.run([*command, "--role", "owner"], capture_output=True, text=True, check=True)
    return made.stdout.strip()


def _get(url: str, token: str) -> Mapping[str, Any]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--traces",
        type=Path,
        default=Path("../shared/data"),
        help="folder of the trace files; without them calls are generated (default: %(default)s)",
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

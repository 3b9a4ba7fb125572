"""Agents report calls, and everybody counts them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.credentials import issue
from deploy.demo.api import Api
from deploy.demo.place import DemoFailed, Place
from deploy.demo.verdict import Seen
from deploy.traces import ORGANIZATIONS, TracedCall
from shared.agent_client import AgentClient
from shared.bus import Bus
from shared.clock import new_id
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import GetControlTotals

SETTLE_SECONDS = 60
CREDENTIAL_LIFETIME = timedelta(hours=12)


class Outcome(NamedTuple):
    """What everybody counted of some calls, by organization."""

    before: Mapping[str, Seen]
    after: Mapping[str, Seen]
    expected: Mapping[str, int]
    acknowledged: Mapping[str, int]


async def replay(
    place: Place,
    bus: Bus,
    http: httpx.AsyncClient,
    calls: Sequence[TracedCall],
    speed: float,
    console: Console,
) -> Outcome:
    """Report calls, `speed` times as fast as they came, and wait until they are counted."""
    before = {name: await look(bus, http, name) for name in ORGANIZATIONS}
    acknowledged = await report(place, calls, speed, console)
    expected = {name: sum(call.organization_id == name for call in calls) for name in ORGANIZATIONS}
    after = {
        name: await settled(bus, http, name, before[name], expected[name]) for name in ORGANIZATIONS
    }
    return Outcome(before, after, expected, acknowledged)


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


async def look(bus: Bus, http: httpx.AsyncClient, organization: str) -> Seen:
    """An organization's sums as they stand."""
    control = await bus.ask(GetControlTotals(organization_id=organization), timeout_seconds=30)
    if isinstance(control, Refusal):
        raise DemoFailed(control.detail)
    return Seen(await Api(http, organization).get("/costs/summary"), control)


async def settled(
    bus: Bus, http: httpx.AsyncClient, organization: str, before: Seen, expected: int
) -> Seen:
    """The sums once every call is counted."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        seen = await look(bus, http, organization)
        if seen.control.announced_records - before.control.announced_records >= expected:
            return seen
        if time.monotonic() > deadline:
            raise DemoFailed(f"The calls of {organization} were not all counted in a minute.")
        await asyncio.sleep(0.3)

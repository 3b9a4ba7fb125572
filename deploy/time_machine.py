"""The time machine: moves an installation forward, `python -m deploy.time_machine --help`.

Every process, and the Stripe sandbox, follows and says when it has nothing left to do; then comes
the next moment at which something falls due anywhere, so that each thing happens in its own time.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import nats.errors
from nats.aio.msg import Msg

from deploy.files import default_home, default_nats_url
from deploy.services import GATEWAY
from shared.bus import Bus
from shared.clock import read_offset, write_offset
from shared.contracts.base import request_subject
from shared.contracts.operations import Travel, Whereabouts
from shared.settings import Settings
from shared.topology import OWNERS

USER = "operator"
FILE = "time_machine"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
# Replicas that answer the roll call this much later than the first are met at the next stop.
QUIET_SECONDS = 0.3
LOOK_SECONDS = 0.02
SETTLE_SECONDS = 60.0
MICROSECOND = timedelta(microseconds=1)


class NotTravelled(Exception):
    """The journey ends here; the message is a sentence for the user."""


class Stop(NamedTuple):
    """A moment at which something fell due, and with whom."""

    at: datetime
    due_with: str


class SandboxClock:
    """The Stripe sandbox's own clock, over its control routes."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """`http` has the sandbox's address and its secret key."""
        self._http = http

    async def travel(self, request: Travel) -> Whereabouts:
        """Take it along, or look where it is."""
        try:
            if request.offset_microseconds is None:
                answer = await self._http.get("/sandbox/clock")
            else:
                body = {"offset_microseconds": request.offset_microseconds}
                answer = await self._http.post("/sandbox/clock", json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise NotTravelled(f"The Stripe sandbox does not travel: {error!r}.") from error
        return msgspec.json.decode(answer.content, type=Whereabouts)


class TimeMachine:
    """Everybody who travels: the processes of `services`, and perhaps a sandbox."""

    def __init__(
        self,
        bus: Bus,
        file: Path,
        services: Sequence[str],
        sandbox: SandboxClock | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        """`file` is what the processes' setting TIME_MACHINE names."""
        self._connection = bus.connection
        self._file = file
        self._services = services
        self._sandbox = sandbox
        self._settle_seconds = settle_seconds
        self._process_ids: set[str] = set()

    def now(self) -> datetime:
        """What time it is for everybody."""
        return datetime.now(UTC) + read_offset(self._file)

    async def travel(self, to: datetime, tell: Callable[[Stop], None] = lambda _: None) -> int:
        """Go there, stopping wherever something falls due; how many stops there were.

        Raises NotTravelled, also for a moment that has passed.
        """
        if to < self.now():
            raise NotTravelled("Time never runs back.")
        # Also takes along who was started while the others were on their way.
        await self._move(self.now())
        stops = 0
        while True:
            due = await self.settle()
            if due is None or due.at > to:
                break
            stops += 1
            tell(due)
            await self._move(min(_whole_second(due.at), to))
        await self._move(to)
        await self.settle()
        return stops

    async def settle(self) -> Stop | None:
        """Wait until nobody has anything left to do; returns what falls due next."""
        deadline = time.monotonic() + self._settle_seconds
        before: list[tuple[str, int]] | None = None
        while True:
            found = await self._ask(Travel())
            busy = {each.service: each.waiting for each in found if each.waiting}
            moved = sorted((each.process_id, each.moved) for each in found)
            # Twice in a row with nothing done in between: else work may have passed from one who
            # was asked later to one who was asked sooner.
            if not busy and moved == before:
                dues = [Stop(each.due_at, each.service) for each in found if each.due_at]
                return min(dues, default=None)
            before = None if busy else moved
            if time.monotonic() > deadline:
                raise NotTravelled(f"After {self._settle_seconds:.0f} s there still waits: {busy}.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _move(self, to: datetime) -> None:
        offset = max(to - datetime.now(UTC), read_offset(self._file))
        # Before it is announced, so that a process that starts just now does not stay behind.
        write_offset(self._file, offset)
        found = await self._ask(Travel(offset_microseconds=offset // MICROSECOND))
        left = [each.service for each in found if each.at < to]
        if left:
            raise NotTravelled(f"Stayed behind: {', '.join(left)}.")

    async def _ask(self, request: Travel) -> list[Whereabouts]:
        answers = await self._ask_processes(request)
        if self._sandbox is not None:
            answers.append(await self._sandbox.travel(request))
        return answers

    async def _ask_processes(self, request: Travel) -> list[Whereabouts]:
        """Ask every process of every service; without a doubt all that answered before."""
        found: dict[str, Whereabouts] = {}
        arrived = asyncio.Event()

        async def receive(message: Msg) -> None:
            if message.data:  # else the server says that nobody listens there
                where = msgspec.json.decode(message.data, type=Whereabouts)
                found[where.process_id] = where
                arrived.set()

        def everybody() -> bool:
            services = {each.service for each in found.values()}
            return services >= {*self._services} and found.keys() >= self._process_ids

        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, cb=receive)
        body = msgspec.json.encode(request)
        for service in self._services:
            await self._connection.publish(request_subject(Travel, service), body, reply=inbox)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not everybody():
                    arrived.clear()
                    await arrived.wait()
        except TimeoutError:
            there = {each.service for each in found.values()}
            missing = sorted({*self._services} - there) or ["a process that was there before"]
            raise NotTravelled(
                f"No answer from {', '.join(missing)}: are all started, with TIME_MACHINE?"
            ) from None
        if not self._process_ids:
            await asyncio.sleep(QUIET_SECONDS)
        await subscription.unsubscribe()
        self._process_ids |= found.keys()
        return list(found.values())


def _whole_second(at: datetime) -> datetime:
    """The second by which a moment has come: Stripe counts in these, and so do stops."""
    return at.replace(microsecond=0) + timedelta(seconds=bool(at.microsecond))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_travel(options))
    except NotTravelled as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _travel(options: argparse.Namespace) -> None:
    keys: Path = options.home / "keys"
    credentials, secret = keys / f"{USER}.creds", keys / "stripe_secret_key"
    if not credentials.is_file() or not secret.is_file():
        raise NotTravelled(f"There are no keys of a sandbox in {keys}; is `make run` running?")
    settings = Settings(nats_url=options.nats_url, nats_credentials=str(credentials))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            bus = await Bus.connect(settings, USER)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise NotTravelled(f"{options.nats_url} does not let us in: {error!r}.") from error
    headers = {"Authorization": f"Bearer {secret.read_text()}"}
    async with httpx.AsyncClient(
        base_url=options.sandbox_url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
    ) as http:
        try:
            machine = TimeMachine(
                bus, options.home / FILE, (*OWNERS, GATEWAY), SandboxClock(http), options.patience
            )
            await _go(machine, options)
        finally:
            await bus.close()


async def _go(machine: TimeMachine, options: argparse.Namespace) -> None:
    began, now = time.monotonic(), machine.now()
    to = options.to or now + timedelta(days=options.days)
    print(f"It is {now:%Y-%m-%d %H:%M:%S}; travelling to {to:%Y-%m-%d %H:%M:%S} UTC.")
    stops = await machine.travel(
        to, lambda stop: print(f"{stop.at:%Y-%m-%d %H:%M:%S}  {stop.due_with}", flush=True)
    )
    print(f"Arrived after {time.monotonic() - began:.1f} s and {stops} stops.")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.time_machine",
        description="Move all that `make run` has started forward in time, the Stripe sandbox too. "
        "Tokens and leases stay on the machine's clock, and so do agents, whose reports then come "
        "late; how far it went is kept in the data folder, and there is no way back.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=_moment, help="a date or time, such as 2027-01-31T12:00 (UTC)")
    where.add_argument("--days", type=float, help="so many days from now")
    parser.add_argument(
        "--patience",
        type=float,
        default=SETTLE_SECONDS,
        help="seconds that the work of one moment may take (default: %(default)s)",
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the data folder of `make run` (default: $BILLING_HOME or var)",
    )
    parser.add_argument(
        "--nats-url", default=default_nats_url(), help="the bus (default: %(default)s)"
    )
    port = os.environ.get("SANDBOX_PORT") or "12111"
    parser.add_argument(
        "--sandbox-url",
        default=f"http://127.0.0.1:{port}",
        help="the Stripe sandbox (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

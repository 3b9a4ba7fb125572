"""From nothing to a running installation, and back to nothing."""

import asyncio
import signal
import time
from datetime import UTC, datetime

from deploy.bus_config import closed_accounts
from deploy.embedded import ServerFailed
from deploy.local.environments import Environments, environments
from deploy.local.keeper import GivenUp, Keeper
from deploy.local.options import Options
from deploy.local.page import build_page
from deploy.local.parts import (
    Part,
    embedded_nats,
    embedded_postgres,
    gateway_process,
    sandbox_process,
    service_processes,
)
from deploy.local.screen import Screen
from deploy.local.welcome import welcome
from deploy.services import GATEWAY, load_services
from deploy.setup import NotPrepared, make_keys, prepare_databases
from deploy.stripe import SANDBOX, make_sandbox_keys
from deploy.topology import NotDeclared, declare_topology
from shared.settings import SettingsError

# A log that has grown beyond this is put aside at the next start, in place of the one before.
MAX_LOG_BYTES = 20 * 1024 * 1024
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Each of them is a sentence for the user.
FAILURES = (GivenUp, NotDeclared, NotPrepared, ServerFailed, SettingsError)


async def run(options: Options, screen: Screen) -> int:
    """Start everything, keep it running until a signal comes, stop everything; the exit code."""
    keeper = Keeper(screen, options.logs)
    stopped = _stop_on_signals(keeper, screen)
    work = asyncio.create_task(_start_and_watch(options, keeper, screen))
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return 0
        await work  # It only ends by failing.
        return 1
    except FAILURES as error:
        screen.settle()
        screen.say(str(error), style="red")
        return 1
    finally:
        work.cancel()
        await asyncio.wait({work})
        with screen:
            await keeper.stop()


def _stop_on_signals(keeper: Keeper, screen: Screen) -> asyncio.Future[None]:
    """The first signal asks for the end, a second one cannot wait for it."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def receive() -> None:
        if stopped.done():
            keeper.kill()
        else:
            stopped.set_result(None)
            screen.settle()
            screen.say("Stopping; once more, and nothing is waited for.")

    for each in SIGNALS:
        loop.add_signal_handler(each, receive)
    return stopped


async def _start_and_watch(options: Options, keeper: Keeper, screen: Screen) -> None:
    began = time.monotonic()
    with screen:
        told = await _start(options, keeper, screen)
    screen.say(f"\nReady after {time.monotonic() - began:.1f} s.", style="bold green")
    screen.say(welcome(options, told[GATEWAY]))
    page = asyncio.create_task(build_page(screen, options))
    try:
        await keeper.watch()
    finally:
        page.cancel()
        await asyncio.wait({page})


async def _start(options: Options, keeper: Keeper, screen: Screen) -> Environments:
    """Start servers, prepare them, start processes; returns what each of those was told."""
    _put_long_logs_aside(options)
    now, services = datetime.now(UTC), load_services()
    keys = make_keys(options.keys, services, now)
    if options.has_sandbox:
        make_sandbox_keys(options.keys)
    postgres = None if options.database_url else embedded_postgres(options)
    nats = None if options.nats_url else embedded_nats(options, closed_accounts(keys, now))
    nats_url = nats.url if nats else options.nats_url or ""
    told = environments(options, services, nats_url)
    sandbox = sandbox_process(options, told[SANDBOX]) if options.has_sandbox else None
    servers: dict[str, Part | None] = {"postgres": postgres, "nats": nats, SANDBOX: sandbox}
    await keeper.start({name: server for name, server in servers.items() if server})
    screen.begin("databases, streams", "being prepared")
    databases = await prepare_databases(
        postgres.dsn if postgres else options.database_url or "",
        services,
        options.keys / "database_passwords.json",
    )
    await declare_topology(nats_url, options.keys, services)
    screen.done("databases, streams", "prepared")
    # The gateway stops first: it asks the others for what it still has to answer.
    await asyncio.gather(
        keeper.start(service_processes(options, told, databases)),
        keeper.start({GATEWAY: gateway_process(options, told[GATEWAY])}),
    )
    return told


def _put_long_logs_aside(options: Options) -> None:
    for log in options.logs.glob("*.log"):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))

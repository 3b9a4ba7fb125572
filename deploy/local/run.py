"""From nothing to a running installation, and back to nothing."""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta

from deploy.bus_config import closed_accounts
from deploy.embedded import ServerFailed
from deploy.local.keeper import GivenUp, Keeper
from deploy.local.options import Options
from deploy.local.parts import (
    Part,
    embedded_nats,
    embedded_postgres,
    gateway_environment,
    gateway_process,
    service_processes,
)
from deploy.local.screen import Screen
from deploy.services import GATEWAY, load_services
from deploy.setup import NotPrepared, make_keys, prepare_databases
from deploy.topology import NotDeclared, declare_topology
from services.gateway.settings import GatewaySettings, check
from services.gateway.tokens import mint
from shared.settings import SettingsError, load

DEMO_ORGANIZATION = "acme"
TOKEN_LIFETIME = timedelta(hours=12)
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
        environment = await _start(options, keeper, screen)
    screen.say(f"\nReady after {time.monotonic() - began:.1f} s.", style="bold green")
    screen.say(_welcome(options, environment))
    await keeper.watch()


async def _start(options: Options, keeper: Keeper, screen: Screen) -> dict[str, str]:
    """Start servers, prepare them, start processes; returns the gateway's environment."""
    _put_long_logs_aside(options)
    now, services = datetime.now(UTC), load_services()
    keys = make_keys(options.keys, services, now)
    postgres = None if options.database_url else embedded_postgres(options)
    nats = None if options.nats_url else embedded_nats(options, closed_accounts(keys, now))
    nats_url = nats.url if nats else options.nats_url or ""
    environment = gateway_environment(options, nats_url)
    check(load(GatewaySettings, environment))
    servers: dict[str, Part | None] = {"postgres": postgres, "nats": nats}
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
    processes = service_processes(options, nats_url, databases)
    await asyncio.gather(
        keeper.start(processes),
        keeper.start({GATEWAY: gateway_process(options, environment)}),
    )
    return environment


def _put_long_logs_aside(options: Options) -> None:
    for log in options.logs.glob("*.log"):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))


def _welcome(options: Options, environment: dict[str, str]) -> str:
    """The address, a token, a call that works, and what to do next."""
    summary = f"{options.address}/api/billing/account/{DEMO_ORGANIZATION}/costs/summary"
    lines = [
        f"Address   {options.address}",
        f"Document  {options.address}/schema",
        f"Logs      {options.logs}",
    ]
    settings = load(GatewaySettings, environment)
    if settings.auth_mode == "jwks":
        lines.append(f"Tokens    from the issuer of {settings.auth_jwks_url}")
        return "\n".join(lines)
    token = mint(
        settings,
        subject="developer",
        roles={DEMO_ORGANIZATION: "owner"},
        is_operator=True,
        now=datetime.now(UTC),
        lifetime=TOKEN_LIFETIME,
    )
    return "\n".join(
        [
            *lines,
            f"Token     owner of {DEMO_ORGANIZATION} and operator, for 12 hours:",
            "",
            token,
            "",
            "Try it:",
            "",
            f'curl -H "Authorization: Bearer {token}" {summary}',
            "",
            "More tokens:         make token ORG=acme ROLE=viewer",
            "An agent's own key:  make credentials ORG=acme AGENT=agent-1",
            "Ctrl-C stops everything and keeps the data.",
        ]
    )

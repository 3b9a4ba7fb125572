"""Refuse what is not safe in production: `python -m deploy.doctor --help`.

Every check answers with sentences about what is wrong. What cannot be looked at is wrong as well.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import asyncpg
import msgspec
import nats.errors
from nats.js import JetStreamContext
from nats.js.api import Base
from nats.js.errors import Error as JetStreamError

from deploy.embedded.postgres import DURABILITY
from deploy.files import default_home, default_nats_url
from deploy.services import load_services
from deploy.stripe import stripe_problems
from deploy.topology import NotDeclared, connect
from services.gateway.service_keys import ServiceKeys
from services.gateway.settings import GatewaySettings, check
from shared.settings import SettingsError, load
from shared.topology import STREAMS

TIMEOUT_SECONDS = 10
MIN_PASSWORD_CHARACTERS = 16
# A random secret of our length has far more; one that a person typed seldom has.
MIN_DISTINCT_CHARACTERS = 12
GUESSABLE = ("secret", "password", "changeme", "change-me", "example", "default", "development")

Environment = Mapping[str, str]


async def check_settings(environment: Environment) -> list[str]:
    """Settings of the gateway and of every process."""
    problems = []
    if "FAILPOINTS" in environment:
        problems.append("Setting FAILPOINTS: is for tests, it kills processes on purpose.")
    if environment.get("TIME_MACHINE"):
        problems.append("Setting TIME_MACHINE: is for demonstrations, nobody travels in time here.")
    try:
        settings = load(GatewaySettings, environment)
        if settings.environment != "production":
            problems.append(
                "Setting ENVIRONMENT: is development, so the schema page is open to everybody and "
                "cookies also travel without TLS."
            )
        if settings.auth_mode == "development":
            problems.append("Setting AUTH_MODE: is development; use hs256 or jwks.")
        check(msgspec.structs.replace(settings, auth_mode=_real_mode(settings)))
        ServiceKeys(settings.service_keys)
        if settings.auth_mode != "jwks":
            problems += guessable("AUTH_SECRET", settings.auth_secret or "")
    except SettingsError as error:
        problems.append(str(error))
    return problems


async def check_stripe(environment: Environment) -> list[str]:
    """Settings of stripe_gateway: keys that move real money, and nothing of the sandbox."""
    return stripe_problems(environment)


def _real_mode(settings: GatewaySettings) -> Any:
    """Development is complained about already; the rest is checked as if it were production."""
    return "hs256" if settings.auth_mode == "development" else settings.auth_mode


def guessable(name: str, secret: str) -> list[str]:
    """Whether a secret looks like one that came with a manual, or from a keyboard."""
    few = len(set(secret)) < MIN_DISTINCT_CHARACTERS
    if few or any(word in secret.lower() for word in GUESSABLE):
        return [f"{name} can be guessed; make one with `openssl rand -base64 36`."]
    return []


async def check_postgres(environment: Environment) -> list[str]:
    """A server that loses nothing and lets nobody in without a password."""
    dsn = environment.get("DATABASE_URL")
    if not dsn:
        return ["Setting DATABASE_URL: the administrator's address is needed to look at it."]
    problems = _password_problems(dsn)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            admin = await asyncpg.connect(dsn)
        try:
            problems += await _unsafe_settings(admin) + await _open_doors(admin)
        finally:
            await admin.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        problems.append(f"PostgreSQL could not be looked at: {type(error).__name__}, {error}.")
    return problems


def _password_problems(dsn: str) -> list[str]:
    password = unquote(urlsplit(dsn).password or "")
    # Without one in the address it is in a file of passwords, where no person types it.
    if not password or len(password) >= MIN_PASSWORD_CHARACTERS:
        return guessable("The password in DATABASE_URL", password) if password else []
    return [f"The password in DATABASE_URL has fewer than {MIN_PASSWORD_CHARACTERS} characters."]


async def _unsafe_settings(admin: asyncpg.Connection) -> list[str]:
    """Also where they are set for one role or database only."""
    problems = [
        f"PostgreSQL runs with {name}=off: a power cut loses what was committed."
        for name in DURABILITY
        if await admin.fetchval("SELECT current_setting($1)", name) == "off"
    ]
    rows = await admin.fetch(
        "SELECT coalesce(rolname, datname, 'everybody') AS whom, setting"
        " FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS setting"
        " LEFT JOIN pg_roles ON pg_roles.oid = setrole"
        " LEFT JOIN pg_database ON pg_database.oid = setdatabase"
    )
    return problems + [
        f"PostgreSQL has {row['setting']} for {row['whom']}: a power cut loses what was committed."
        for row in rows
        if row["setting"].partition("=")[0] in DURABILITY and row["setting"].endswith("=off")
    ]


async def _open_doors(admin: asyncpg.Connection) -> list[str]:
    rows = await admin.fetch(
        "SELECT type, auth_method FROM pg_hba_file_rules"
        " WHERE auth_method IN ('trust', 'password', 'md5') GROUP BY 1, 2 ORDER BY 1, 2"
    )
    meaning = {
        "trust": "without a password",
        "password": "with passwords in clear",
        "md5": "with hashes that are easily broken",
    }
    return [
        f"PostgreSQL lets {row['type']} connections in {meaning[row['auth_method']]}; "
        "use scram-sha-256 in pg_hba.conf."
        for row in rows
    ]


async def check_bus(environment: Environment) -> list[str]:
    """A server that syncs before it acknowledges, and that knows whom it lets in."""
    url = environment.get("NATS_MONITOR_URL") or _monitor_of(environment)
    try:
        answer = await asyncio.to_thread(_get, f"{url}/varz")
        found = msgspec.json.decode(answer, type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        return [f"NATS could not be looked at, set NATS_MONITOR_URL: {error}."]
    problems = []
    kept = found.get("jetstream", {}).get("config", {})
    if not kept.get("sync_always"):
        problems.append(
            "NATS does not run with sync_interval: always; a power cut loses what it acknowledged."
        )
    if not found.get("auth_required"):
        problems.append("NATS lets everybody in; run it with the configuration of our accounts.")
    return problems


def _monitor_of(environment: Environment) -> str:
    host = urlsplit(environment.get("NATS_URL") or default_nats_url()).hostname
    return f"http://{host}:{environment.get('NATS_MONITOR_PORT') or 8222}"


def _get(url: str) -> bytes:
    with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  (an operator's own address)
        return bytes(answer.read())


async def check_streams(environment: Environment, home: Path) -> list[str]:
    """Streams and consumers exactly as they are declared."""
    try:
        bus = await connect(environment.get("NATS_URL") or default_nats_url(), home / "keys")
    except NotDeclared as error:
        return [str(error)]
    js = bus.connection.jetstream()
    durables = [durable for service in load_services() for durable in service.durables]
    try:
        problems = [
            await _differences(f"Stream {stream.name}", stream, _stream(js, stream.name or ""))
            for stream in STREAMS
        ]
        problems += [
            await _differences(
                f"Consumer {durable.name}", durable.config(), _consumer(js, *durable[:2])
            )
            for durable in durables
        ]
    finally:
        await bus.close()
    return [problem for found in problems for problem in found]


async def _stream(js: JetStreamContext, name: str) -> Base:
    config: Base = (await js.stream_info(name)).config
    return config


async def _consumer(js: JetStreamContext, stream: str, name: str) -> Base:
    config: Base = (await js.consumer_info(stream, name)).config
    return config


async def _differences(what: str, wanted: Base, found: Coroutine[Any, Any, Base]) -> list[str]:
    try:
        actual = (await found).as_dict()
    except (JetStreamError, nats.errors.Error) as error:
        return [f"{what} could not be looked at: {error}."]
    return [
        f"{what} has {name}={actual.get(name)!r}, declared is {value!r}; "
        "run `python -m deploy.topology`."
        for name, value in wanted.as_dict().items()
        if value is not None and actual.get(name) != value
    ]


async def check_gateway(url: str) -> list[str]:
    """What a stranger gets from a gateway that runs."""
    problems = []
    for path in ("/schema", "/api/billing/session", "/api/billing/account/acme/costs/summary"):
        try:
            await asyncio.to_thread(_get, f"{url}{path}")
        except HTTPError as error:
            if error.code != 401:
                problems.append(f"The gateway answers {error.code} to a stranger at {path}.")
        except OSError as error:
            return [f"The gateway could not be asked: {error}."]
        else:
            problems.append(f"The gateway shows {path} to strangers.")
    return problems


async def examine(only: Sequence[str], home: Path, gateway_url: str | None) -> list[str]:
    """Everything that is wrong, a sentence each."""
    environment = dict(os.environ)
    checks: dict[str, Callable[[], Coroutine[Any, Any, list[str]]]] = {
        "settings": lambda: check_settings(environment),
        "stripe": lambda: check_stripe(environment),
        "postgres": lambda: check_postgres(environment),
        "bus": lambda: check_bus(environment),
        "streams": lambda: check_streams(environment, home),
    }
    if gateway_url is not None:
        checks["gateway"] = lambda: check_gateway(gateway_url.rstrip("/"))
    return [
        problem
        for name, find in checks.items()
        if not only or name in only
        for problem in await find()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 when anything is wrong."""
    options = _parser().parse_args(arguments)
    problems = asyncio.run(examine(options.only, options.home, options.gateway_url))
    for problem in problems:
        print(problem)
    if not problems:
        print("Nothing unsafe was found.")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.doctor",
        description="Look for what is not safe in production: settings, Stripe, PostgreSQL, the "
        "bus, its streams, the gateway. Run it with the environment of the deployment: settings of "
        "gateway and stripe_gateway, DATABASE_URL of an administrator, NATS_URL, NATS_MONITOR_URL.",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=("settings", "stripe", "postgres", "bus", "streams", "gateway"),
        help="look at this only; may be repeated",
    )
    parser.add_argument("--gateway-url", help="also ask a gateway that runs, as a stranger would")
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the folder with the keys (default: $BILLING_HOME or var)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

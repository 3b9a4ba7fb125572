"""What a deployment does before its processes start: `python -m deploy.setup --help`.

Everything here may be repeated: keys and passwords are kept, the rest is made anew.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.bus_config import closed_accounts, server_configuration
from deploy.bus_keys import BusKeys
from deploy.files import default_home, default_nats_url, write_private
from deploy.provisioning import (
    ServiceDatabase,
    UnsafeDatabase,
    load_or_create_passwords,
    provision_databases,
)
from deploy.services import (
    AUDITOR,
    AUDITOR_ASKS,
    GATEWAY,
    GATEWAY_HEARS,
    load_services,
)
from deploy.stripe import PREFIXES, SANDBOX, make_sandbox_keys
from deploy.topology import NotDeclared, declare_topology
from shared.migrations import migrate
from shared.service import Service
from shared.topology import OWNERS

# Where the server of a container keeps its streams.
CONTAINER_STORE = Path("/var/lib/nats")
SECRET_BYTES = 48


class NotPrepared(Exception):
    """The database cannot be used; the message is a sentence for the user."""


def make_keys(folder: Path, services: Sequence[Service], now: datetime) -> BusKeys:
    """Keys, fresh credentials of every process, and the secret that signs the gateway's tokens."""
    keys = BusKeys.load_or_create(folder)
    for service in services:
        pairs = [(durable.stream, durable.name) for durable in service.durables]
        asks = AUDITOR_ASKS if service.name == AUDITOR else ()
        keys.issue_service(service.name, pairs, now, asks=asks)
    keys.issue_service(GATEWAY, [], now, hears=GATEWAY_HEARS)
    keys.issue_topology(now)
    keys.issue_operator(now)
    secret = auth_secret(folder)
    if not secret.exists():
        write_private(secret, secrets.token_urlsafe(SECRET_BYTES))
    return keys


def auth_secret(folder: Path) -> Path:
    """The file, among the keys, whose secret signs the gateway's tokens."""
    return folder / "auth_secret"


async def prepare_databases(
    admin_dsn: str, services: Sequence[Service], passwords: Path, *, durable: bool = True
) -> dict[str, ServiceDatabase]:
    """Databases, roles and migrations of all services; `passwords` is the file that keeps them.

    Raises NotPrepared; `durable=False` is for tests.
    """
    names = [service.name for service in services]
    known = load_or_create_passwords(passwords, names)
    try:
        databases = await provision_databases(admin_dsn, names, known, durable=durable)
    except UnsafeDatabase as error:
        raise NotPrepared(str(error)) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        place = urlsplit(admin_dsn).netloc.rpartition("@")[2] or "its socket"
        raise NotPrepared(f"PostgreSQL at {place} cannot be prepared: {error}.") from error
    # One after the other: Alembic keeps its present environment in a global.
    for service in services:
        await migrate(databases[service.name].owner_dsn, service.versions, service.metadata)
    return databases


def hand_out_keys(keys: BusKeys, folder: Path, now: datetime) -> None:
    """Give every container its own files, and nobody else's: `folder` has a folder for each."""
    configuration = server_configuration(
        closed_accounts(keys, now),
        CONTAINER_STORE,
        host="0.0.0.0",  # noqa: S104
    )
    write_private(folder / "nats" / "nats.conf", configuration)
    for name in (*OWNERS, GATEWAY):
        write_private(folder / name / "bus.creds", keys.credentials_file(name).read_text())
    secret = auth_secret(keys.folder).read_text()
    write_private(folder / GATEWAY / "auth_secret", secret)
    write_private(folder / GATEWAY / "agents_signing.seed", keys.agent_signing_seed.read_text())
    write_private(folder / GATEWAY / "agents.account", keys.agents)
    _hand_out_admin_password(keys.folder, folder / "postgres" / "password")


def hand_out_sandbox_keys(keys: Path, folder: Path) -> None:
    """Give the sandbox and those who speak to it its keys, each no more than it needs."""
    make_sandbox_keys(keys)
    for process in (SANDBOX, "stripe_gateway", GATEWAY):
        for name in PREFIXES:
            if process != GATEWAY or name != "stripe_webhook_secret":
                write_private(folder / process / name, (keys / name).read_text())


def _hand_out_admin_password(keys: Path, path: Path) -> None:
    """PostgreSQL's container reads it as a user of its own, so only its volume is private."""
    passfile = keys / "pgpass"
    if not passfile.exists():
        write_private(passfile, f"*:*:*:postgres:{secrets.token_urlsafe(SECRET_BYTES)}")
    write_private(path, passfile.read_text().rpartition(":")[2])
    path.parent.chmod(0o755)
    path.chmod(0o444)


async def prepare(admin_dsn: str, nats_url: str, home: Path, hand_out: Path | None) -> None:
    """Databases, migrations, streams and consumers, on servers that run.

    Raises NotPrepared or NotDeclared.
    """
    services, keys = load_services(), home / "keys"
    databases = await prepare_databases(admin_dsn, services, keys / "database_passwords.json")
    await declare_topology(nats_url, keys, services)
    if hand_out is not None:
        for name, database in databases.items():
            write_private(hand_out / name / "database_url", database.dsn)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    now = datetime.now(UTC)
    if options.command == "keys":
        keys = make_keys(options.home / "keys", load_services(), now)
        if options.hand_out is not None:
            hand_out_keys(keys, options.hand_out, now)
            if os.environ.get("ENVIRONMENT") == "development":
                hand_out_sandbox_keys(keys.folder, options.hand_out)
        print(f"The keys are in {keys.folder}.")
        return 0
    try:
        admin_dsn = os.environ["DATABASE_URL"]
        asyncio.run(prepare(admin_dsn, default_nats_url(), options.home, options.hand_out))
    except KeyError:
        sys.stderr.write("Setting DATABASE_URL: the administrator's address is required.\n")
        return 1
    except (NotPrepared, NotDeclared) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"Databases and bus are ready for {', '.join(OWNERS)}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.setup",
        description="Prepare servers for our processes. `make run` does all of this by itself.",
    )
    parser.add_argument(
        "command",
        choices=("keys", "servers"),
        help="keys: make keys, credentials and the bus's configuration, before any server runs; "
        "servers: databases, migrations, streams and consumers, as DATABASE_URL (the "
        "administrator's address; PGPASSFILE may hold the password) and on NATS_URL",
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the folder that keeps keys and passwords (default: $BILLING_HOME or var)",
    )
    parser.add_argument(
        "--hand-out",
        type=Path,
        help="write each process's own secrets into a folder of its name in here, for containers",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

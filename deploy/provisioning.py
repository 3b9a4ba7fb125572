"""A database and two roles for each service, which can reach nothing else."""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.embedded.postgres import DURABILITY
from deploy.files import write_private

# One word of SQL, so that it needs no quoting anywhere.
SERVICE_PATTERN = r"^[a-z][a-z0-9_]{0,48}\Z"


class UnsafeDatabase(RuntimeError):
    """The server would lose acknowledged data in a power cut."""


@dataclass(frozen=True)
class ServiceDatabase:
    """The two addresses of a service's database, passwords included: migrations use the owner's."""

    owner_dsn: str = field(repr=False)
    dsn: str = field(repr=False)


def owner_role(service: str) -> str:
    """The role that owns a service's tables and runs its migrations."""
    return f"{service}_owner"


def load_or_create_passwords(path: Path, services: Iterable[str]) -> dict[str, str]:
    """Passwords by role, kept in a file of mode 0600; roles that are new get new ones."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    roles = [role for service in services for role in (owner_role(service), service)]
    passwords = {**{role: secrets.token_urlsafe(24) for role in roles}, **known}
    if passwords != known:
        write_private(path, json.dumps(passwords, indent=2))
    return passwords


async def provision_databases(
    admin_dsn: str,
    services: Iterable[str],
    passwords: Mapping[str, str],
    *,
    durable: bool = True,
) -> dict[str, ServiceDatabase]:
    """Make what is missing and set what is not as it should be; harmless to repeat.

    `passwords` are by role. The running role reads and writes rows and owns nothing; migrations
    take UPDATE and DELETE from it where a table is append-only. Raises UnsafeDatabase, unless
    `durable` is False (tests), when the server does not sync what it commits.
    """
    databases = {}
    admin = await asyncpg.connect(admin_dsn)
    try:
        if durable:
            await refuse_unsafe(admin)
        await _close_shared_databases(admin)
        for service in services:
            await _provision(admin, service, passwords)
            databases[service] = ServiceDatabase(
                owner_dsn=_dsn(admin_dsn, owner_role(service), passwords, service),
                dsn=_dsn(admin_dsn, service, passwords, service),
            )
    finally:
        await admin.close()
    for service in databases:
        await _grant_tables(_with_path(admin_dsn, service), service)
    return databases


async def refuse_unsafe(connection: asyncpg.Connection) -> None:
    """Raise UnsafeDatabase, in one sentence, when a power cut would lose commits."""
    for name in DURABILITY:
        value = await connection.fetchval("SELECT current_setting($1)", name)
        if value == "off":
            raise UnsafeDatabase(
                f"PostgreSQL runs with {name}=off and would lose money; turn it on."
            )


async def _close_shared_databases(admin: asyncpg.Connection) -> None:
    # A managed server may keep these two for itself; they are empty then.
    shared = await admin.fetch(
        "SELECT datname FROM pg_database"
        " WHERE datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE')"
    )
    for row in shared:
        await admin.execute(f"REVOKE ALL ON DATABASE {row['datname']} FROM PUBLIC")


async def _provision(admin: asyncpg.Connection, service: str, passwords: Mapping[str, str]) -> None:
    if not re.match(SERVICE_PATTERN, service):
        raise ValueError(f"{service!r} is not the name of a service.")
    owner = owner_role(service)
    for role in (owner, service):
        if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await admin.execute(f"CREATE ROLE {role} LOGIN")
        statement = await admin.fetchval(
            "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, passwords[role]
        )
        await admin.execute(statement)
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", service):
        await admin.execute(f"CREATE DATABASE {service} OWNER {owner}")
    await admin.execute(f"REVOKE ALL ON DATABASE {service} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT ON DATABASE {service} TO {service}")


async def _grant_tables(dsn: str, service: str) -> None:
    """What the running role may do with tables that the owner will create."""
    connection = await asyncpg.connect(dsn)
    defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner_role(service)} IN SCHEMA public GRANT"
    try:
        await connection.execute(
            f"""
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO {service};
            {defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service};
            {defaults} USAGE ON SEQUENCES TO {service};
            """
        )
    finally:
        await connection.close()


def _dsn(admin_dsn: str, role: str, passwords: Mapping[str, str], database: str) -> str:
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    login = f"{role}:{quote(passwords[role], safe='')}"
    return _with_path(urlunsplit(parts._replace(netloc=f"{login}@{host}")), database)


def _with_path(dsn: str, database: str) -> str:
    # Not by `urlunsplit` alone: it drops the slashes of an address without a host.
    parts = urlsplit(dsn)
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql://{parts.netloc}/{database}{query}"

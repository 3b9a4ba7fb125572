"""Each service has its own database and roles, and its role can reach nothing else."""

import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded import Postgres
from deploy.provisioning import (
    ServiceDatabase,
    UnsafeDatabase,
    load_or_create_passwords,
    owner_role,
    provision_databases,
)
from tests.servers import start_postgres

SERVICES = ("cost_metering", "account")
Databases = dict[str, ServiceDatabase]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    postgres = start_postgres(tmp_path_factory.mktemp("postgres"), durable=True)
    yield postgres
    postgres.stop()


@pytest.fixture(scope="module")
async def databases(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    passwords = load_or_create_passwords(
        tmp_path_factory.mktemp("passwords") / "database.json", SERVICES
    )
    await provision_databases(server.dsn, SERVICES, passwords)
    # Harmless to repeat, also when tables are there already.
    again = await provision_databases(server.dsn, SERVICES, passwords)
    for service in SERVICES:
        await run(again[service].owner_dsn, "CREATE TABLE facts (id bigserial PRIMARY KEY)")
    return await provision_databases(server.dsn, SERVICES, passwords)


async def run(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO facts DEFAULT VALUES",
        "SELECT id FROM facts",
        "UPDATE facts SET id = id",
        "DELETE FROM facts",
    ],
)
async def test_a_service_reads_and_writes_its_own_tables(
    databases: Databases, statement: str
) -> None:
    await run(databases["cost_metering"].dsn, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE facts",
        "TRUNCATE facts",
        "ALTER TABLE facts ADD COLUMN more int",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "SET ROLE cost_metering_owner",
        "SET fsync = off",
        "COPY facts TO PROGRAM 'true'",
    ],
)
async def test_a_service_changes_no_table_and_gains_no_right(
    databases: Databases, statement: str
) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CantChangeRuntimeParamError)):
        await run(databases["cost_metering"].dsn, statement)


async def test_append_only_tables_stay_so_when_migrations_revoke(databases: Databases) -> None:
    await run(
        databases["cost_metering"].owner_dsn,
        "CREATE TABLE kept (id int); REVOKE UPDATE, DELETE ON kept FROM cost_metering",
    )
    await run(databases["cost_metering"].dsn, "INSERT INTO kept VALUES (1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(databases["cost_metering"].dsn, "DELETE FROM kept")


@pytest.mark.parametrize("database", ["account", "postgres", "template1"])
@pytest.mark.parametrize("role", ["dsn", "owner_dsn"])
async def test_no_role_of_a_service_reaches_another_database(
    databases: Databases, role: str, database: str
) -> None:
    own: str = getattr(databases["cost_metering"], role)
    other = own.removesuffix("cost_metering") + database
    assert own != other
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        await run(other, "SELECT 1")


async def test_a_server_that_does_not_sync_is_refused(tmp_path: Path) -> None:
    unsafe = start_postgres(tmp_path, durable=False)
    with pytest.raises(UnsafeDatabase, match="fsync=off"):
        await provision_databases(unsafe.dsn, (), {})
    await provision_databases(unsafe.dsn, (), {}, durable=False)
    unsafe.stop()


@pytest.mark.parametrize("name", ["Account", "a-b", "a; DROP TABLE x", "", 'a"b'])
async def test_a_name_that_is_not_a_word_is_refused(server: Postgres, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a service"):
        await provision_databases(server.dsn, [name], {})


def test_passwords_are_made_once_and_kept_private(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "database.json"
    first = load_or_create_passwords(file, ["account"])
    more = load_or_create_passwords(file, SERVICES)
    assert set(first) == {"account", owner_role("account")}
    assert first.items() <= more.items()
    assert len(set(more.values())) == 4
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

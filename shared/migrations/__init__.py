"""One Alembic environment for all services; each keeps its own versions beside its tables."""

import asyncio
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

# Replicas that start together migrate one after the other.
MIGRATION_LOCK = 727_001


def _config(versions: Path, connection: Connection, metadata: MetaData) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, metadata=metadata)
    return config


async def migrate(owner_url: str, versions: Path, metadata: MetaData, to: str = "head") -> None:
    """Bring a service's database to the newest version, as the role that owns its tables."""

    def upgrade(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        command.upgrade(_config(versions, connection, metadata), to)

    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


async def differences(owner_url: str, metadata: MetaData) -> list[Any]:
    """What the tables as described have, and the migrated database has not, or the reverse."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


def migrate_now(owner_url: str, versions: Path, metadata: MetaData) -> None:
    """The same from a command line."""
    asyncio.run(migrate(owner_url, versions, metadata))

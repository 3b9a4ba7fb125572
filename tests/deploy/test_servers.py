"""The servers of the suite itself: given ones are used, others are started and cleaned up."""

from pathlib import Path

import asyncpg
import pytest

from deploy.bus_keys import BusKeys
from tests.servers import start_servers


async def test_servers_that_are_given_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = BusKeys.load_or_create(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://given/admin")
    monkeypatch.setenv("NATS_URL", "nats://given:4222")
    monkeypatch.setenv("NATS_KEYS", str(tmp_path))
    servers = start_servers()
    assert (servers.admin_dsn, servers.nats_url) == (
        "postgresql://given/admin",
        "nats://given:4222",
    )
    assert servers.keys.agents == keys.agents
    assert (servers.postgres, servers.nats) == (None, None)
    servers.stop()


def test_a_bus_without_its_keys_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://given:4222")
    monkeypatch.delenv("NATS_KEYS", raising=False)
    with pytest.raises(ValueError, match=r"^NATS_URL needs NATS_KEYS"):
        start_servers()


async def test_servers_that_are_not_given_are_started_and_leave_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("NATS_URL", raising=False)
    servers = start_servers()
    connection = await asyncpg.connect(servers.admin_dsn)
    await connection.close()
    servers.stop()
    assert not servers.keys.folder.parent.exists()
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(servers.admin_dsn, timeout=5)

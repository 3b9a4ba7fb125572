"""The embedded PostgreSQL: closed to other users, safe in a crash, clear when it cannot start."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded import PortTaken, Postgres, ServerFailed, home
from tests.servers import start_postgres

# The last is asyncpg's own, when the server dies while it answers.
LOST_CONNECTION = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    asyncpg.InternalClientError,
)
SENTENCE = r"^[^\n]+[.]$"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    postgres = start_postgres(tmp_path_factory.mktemp("postgres"), durable=True)
    yield postgres
    postgres.stop()


async def fetch(server: Postgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("password", [None, "", "postgres", "wrong"])
async def test_every_local_user_needs_the_password(
    server: Postgres, password: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    for host in ("127.0.0.1", str(server.socket_folder)):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=host, port=server.port, user="postgres", password=password, ssl=False
            )


async def test_its_socket_works_with_the_password(server: Postgres) -> None:
    password = (server.directory / "password").read_text()
    connection = await asyncpg.connect(
        host=str(server.socket_folder), port=server.port, user="postgres", password=password
    )
    assert await connection.fetchval("SHOW server_version") == "18.4"
    await connection.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("listen_addresses", "127.0.0.1"),
        ("max_connections", "200"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("lock_timeout", "10s"),
    ],
)
async def test_its_settings_are_safe(server: Postgres, setting: str, value: str) -> None:
    assert await fetch(server, f"SHOW {setting}") == value


async def test_nobody_can_turn_syncing_off_while_it_runs(server: Postgres) -> None:
    await fetch(server, "ALTER SYSTEM SET fsync = off")
    await fetch(server, "SELECT pg_reload_conf()")
    assert await fetch(server, "SHOW fsync") == "on"


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_unsafe_settings_are_refused(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ServerFailed, match=f"will not start with {setting}=off"):
        Postgres(tmp_path, 1, settings={setting: "off"})


def test_its_files_are_its_owners_alone(server: Postgres) -> None:
    for private in (server.directory / "password", server.directory / "postgres.log"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    for folder in (server.directory / "data", server.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_taken_port_is_one_sentence(server: Postgres, tmp_path: Path) -> None:
    with pytest.raises(PortTaken, match=SENTENCE) as refused:
        Postgres(tmp_path / "other", server.port).start()
    assert f"Port {server.port} is taken" in str(refused.value)


def test_the_same_data_are_not_served_twice(server: Postgres) -> None:
    with pytest.raises(ServerFailed, match=r"^PostgreSQL runs on .+ already, as process \d+\.$"):
        start_postgres(server.directory, durable=True)
    assert server.is_running


async def test_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS value")
    server.stop()
    server.start()
    assert await fetch(server, "SELECT value FROM kept") == 7
    server.stop()


async def write_until_killed(server: Postgres, acknowledged: list[int]) -> None:
    connection = await asyncpg.connect(server.dsn)
    try:
        for number in range(1_000_000):
            await connection.execute("INSERT INTO written VALUES ($1)", number)
            acknowledged.append(number)
    except LOST_CONNECTION:
        connection.terminate()


async def test_a_kill_in_the_middle_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    server = start_postgres(tmp_path, durable=True)
    await fetch(server, "CREATE TABLE written (number int)")
    for _ in range(3):
        acknowledged: list[int] = []
        await fetch(server, "TRUNCATE written")
        writer = asyncio.create_task(write_until_killed(server, acknowledged))
        while len(acknowledged) < 200:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(server.kill)
        await writer
        server.start()
        kept = await fetch(server, "SELECT array_agg(number) FROM written")
        assert isinstance(kept, list)
        assert set(acknowledged) <= set(kept)
    server.stop()


async def test_it_starts_at_once_after_only_its_first_process_was_killed(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)
    busy = await asyncpg.connect(server.dsn)
    sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0)
    os.kill(server.pid, signal.SIGKILL)
    while server.is_running:
        await asyncio.sleep(0.001)
    server.start()
    assert await fetch(server, "SELECT 1") == 1
    with pytest.raises(LOST_CONNECTION):
        await sleeping
    busy.terminate()
    server.stop()


async def test_a_process_id_that_now_belongs_to_another_does_not_stop_it(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)
    lock = tmp_path / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    server.kill()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server.start()
    assert await fetch(server, "SELECT 1") == 1
    server.stop()


def test_a_first_start_cut_short_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "half").touch()
    server = start_postgres(tmp_path)
    assert server.is_running
    server.stop()


def test_a_deep_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    server = start_postgres(deep)
    assert len(str(server.socket_folder)) < 80
    server.stop()
    server.socket_folder.rmdir()


def test_a_lost_password_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"password is missing\.$"):
        _ = Postgres(tmp_path, 1).dsn


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = start_postgres(tmp_path)
    server.stop()
    broken = Postgres(tmp_path, server.port, settings={"shared_buffers": "many"})
    with pytest.raises(ServerFailed, match="invalid value for parameter"):
        broken.start()


if os.geteuid() == 0:

    def test_root_runs_it_without_roots_privileges(server: Postgres) -> None:
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert server.run_as == home.NAMESPACE
        assert "CapEff:\t0000000000000000" in status

    async def test_root_without_namespaces_runs_it_as_another_user(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(home, "_namespace_works", lambda *_: False)
        shared_root = Path(tempfile.mkdtemp(dir="/var/tmp"))
        # Made private by mkdtemp; /var/lib, which it stands for, is not.
        shared_root.chmod(0o755)
        try:
            await keeps_data_as_another_user(tmp_path, shared_root)
        finally:
            shutil.rmtree(shared_root)

    async def keeps_data_as_another_user(directory: Path, shared_root: Path) -> None:
        before = stat.S_IMODE(directory.stat().st_mode)
        server = start_postgres(directory, shared_root=shared_root)
        await fetch(server, "CREATE TABLE kept AS SELECT 7 AS value")
        server.kill()
        server.start()
        assert await fetch(server, "SELECT value FROM kept") == 7
        owner = pwd.getpwuid((directory / "data").stat().st_uid).pw_name
        assert owner in {"postgres", "nobody"}
        assert (directory / "data").is_symlink()
        assert stat.S_IMODE(directory.stat().st_mode) == before
        server.stop()

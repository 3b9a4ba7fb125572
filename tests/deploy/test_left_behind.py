"""Servers end with the process that started them, however it ends, and with nothing less."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import asyncpg
import psutil
import pytest

from deploy.bus_keys import BusKeys
from tests.deploy.bus import happens
from tests.servers import start_nats

ROOT = Path(__file__).parents[2]
ORDINARY_USER = "nobody"
# As another user, yet able to read an installation that only root can reach.
AS_ORDINARY_USER = [
    "setpriv",
    f"--reuid={ORDINARY_USER}",
    "--regid=nogroup",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]
USERS = [None, ORDINARY_USER] if os.geteuid() == 0 else [None]


@pytest.fixture(params=USERS, ids=str)
def user(request: pytest.FixtureRequest) -> str | None:
    """Whom the parent runs as; None is whoever runs the tests."""
    name: str | None = request.param
    return name


@pytest.fixture
def folder(user: str | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="billing-"))
    if user is not None:
        account = pwd.getpwnam(user)
        os.chown(path, account.pw_uid, account.pw_gid)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def parent(user: str | None, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.deploy.run_servers", str(folder)]
    prefix = [] if user is None else AS_ORDINARY_USER
    process = subprocess.Popen([*prefix, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


async def test_nothing_stays_behind_when_the_parent_is_killed(
    parent: subprocess.Popen[str], user: str | None
) -> None:
    started = json.loads(first_line(parent.stdout))
    connection = await asyncpg.connect(started["dsn"])
    family = [psutil.Process(pid) for pid in started["pids"]]
    family += [child for process in family for child in process.children(recursive=True)]
    assert len(family) > len(started["pids"])
    if user is not None:
        assert started["run_as"] == "myself"
        assert {process.username() for process in family} == {user}
    parent.send_signal(signal.SIGKILL)
    assert await happens(lambda: not any(map(is_alive, family)), within_seconds=10)
    connection.terminate()


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    servers = []
    keys = BusKeys.load_or_create(tmp_path / "keys")
    starter = threading.Thread(target=lambda: servers.append(start_nats(tmp_path / "nats", keys)))
    starter.start()
    starter.join()
    (server,) = servers
    assert not await happens(lambda: not server.is_running, within_seconds=0.3)
    server.stop()


def test_a_servers_terminal_signals_are_its_owners_business(tmp_path: Path) -> None:
    server = start_nats(tmp_path / "nats", BusKeys.load_or_create(tmp_path / "keys"))
    assert os.getsid(server.pid) == server.pid
    assert os.getsid(server.pid) != os.getsid(0)
    server.stop()

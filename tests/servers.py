"""A PostgreSQL and a NATS server for the suite: given, in containers, or embedded."""

import os
import secrets
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from deploy.bus_config import closed_accounts, server_configuration
from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, PortTaken, Postgres
from deploy.embedded.home import SHARED_ROOT

POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15.1"
PORT_ATTEMPTS = 5
# Below those that the kernel gives to connections: what is free stays free until it is used, and
# at random, because several suites may look for ports at the same time.
PORTS = range(10_000, 32_000)
PORT_CHOICES = 100

Server = TypeVar("Server", Postgres, NatsServer)


@dataclass
class Servers:
    """Addresses for tests; `postgres` and `nats` are there when embedded, to be killed."""

    admin_dsn: str
    nats_url: str
    keys: BusKeys
    postgres: Postgres | None = None
    nats: NatsServer | None = None
    _cleanup: ExitStack = field(default_factory=ExitStack)

    def stop(self) -> None:
        """Stop what was started and delete its files."""
        self._cleanup.close()


def start_servers(*, durable_postgres: bool = False, durable_nats: bool = True) -> Servers:
    """Start both, or use `DATABASE_URL` and `NATS_URL` (with the folder `NATS_KEYS`).

    PostgreSQL does not fsync unless asked: tests kill processes and never cut the power.
    """
    cleanup = ExitStack()
    try:
        folder = Path(tempfile.mkdtemp(prefix="billing-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        given_dsn, given_url = os.environ.get("DATABASE_URL"), os.environ.get("NATS_URL")
        keys = BusKeys.load_or_create(folder / "keys" if given_url is None else _given_keys())
        containers = (given_dsn is None or given_url is None) and docker_answers()
        postgres = nats = None
        if given_dsn is None and containers:
            given_dsn = _postgres_container(cleanup)
        if given_dsn is None:
            postgres = start_postgres(folder / "postgres", durable=durable_postgres)
            cleanup.callback(postgres.kill)
        if given_url is None and containers:
            given_url = _nats_container(folder, keys, cleanup)
        if given_url is None:
            nats = start_nats(folder / "nats", keys, durable=durable_nats)
            cleanup.callback(nats.kill)
    except BaseException:
        cleanup.close()
        raise
    return Servers(
        admin_dsn=given_dsn or (postgres.dsn if postgres else ""),
        nats_url=given_url or (nats.url if nats else ""),
        keys=keys,
        postgres=postgres,
        nats=nats,
        _cleanup=cleanup,
    )


def _given_keys() -> Path:
    if "NATS_KEYS" not in os.environ:
        raise ValueError("NATS_URL needs NATS_KEYS: the folder with the keys of that server.")
    return Path(os.environ["NATS_KEYS"])


def start_postgres(
    directory: Path, *, durable: bool = False, shared_root: Path = SHARED_ROOT
) -> Postgres:
    """An embedded PostgreSQL on a free port."""
    return _start(
        lambda: Postgres(directory, free_port(), durable=durable, shared_root=shared_root)
    )


def start_nats(directory: Path, keys: BusKeys, *, durable: bool = True) -> NatsServer:
    """An embedded NATS server with our accounts on free ports."""
    accounts = closed_accounts(keys, datetime.now(UTC))
    return _start(
        lambda: NatsServer(directory, free_port(), free_port(), accounts, durable=durable)
    )


def free_port(in_a_row: int = 1) -> int:
    """A loopback port that nobody listens on right now, or the first of so many in a row."""
    for _ in range(PORT_CHOICES):
        first = secrets.choice(PORTS)
        if all(_is_free(first + more) for more in range(in_a_row)):
            return first
    raise RuntimeError("No free port was found.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def docker_answers() -> bool:
    """Whether a Docker engine answers a ping."""
    # Without a socket there is nobody to ask, and the client would leave its own half-open.
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    import docker  # type: ignore[import-untyped]
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        with closing(docker.from_env(timeout=2)) as client:
            return bool(client.ping())
    except DockerException:
        return False


def _start(make: Callable[[], Server]) -> Server:
    """Another process may take a free port before the server does, so try a few."""
    for _ in range(PORT_ATTEMPTS - 1):
        server = make()
        try:
            server.start()
        except PortTaken:
            continue
        return server
    server = make()
    server.start()
    return server


def _postgres_container(cleanup: ExitStack) -> str:
    from testcontainers.core.container import DockerContainer

    container = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_PASSWORD", "test")
        .with_command("postgres -c fsync=off -c max_connections=200")
        .with_exposed_ports(5432)
    )
    cleanup.enter_context(container)
    host, port = container.get_container_host_ip(), container.get_exposed_port(5432)
    # The image starts the server twice; over TCP it only answers the second time.
    ready = "pg_isready --host=127.0.0.1"
    _wait(lambda: bool(container.exec(ready).exit_code == 0))
    return f"postgresql://postgres:test@{host}:{port}/postgres"


def _nats_container(folder: Path, keys: BusKeys, cleanup: ExitStack) -> str:
    from testcontainers.core.container import DockerContainer

    accounts = closed_accounts(keys, datetime.now(UTC))
    config = folder / "nats.conf"
    config.write_text(server_configuration(accounts, Path("/data"), host="0.0.0.0"))
    container = (
        DockerContainer(NATS_IMAGE)
        .with_volume_mapping(str(config), "/etc/billing.conf", "ro")
        .with_command("--config /etc/billing.conf")
        .with_exposed_ports(4222, 8222)
    )
    cleanup.enter_context(container)
    host = container.get_container_host_ip()
    health = f"http://{host}:{container.get_exposed_port(8222)}/healthz"
    _wait(lambda: _answers_ok(health))
    return f"nats://{host}:{container.get_exposed_port(4222)}"


def _answers_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _wait(is_ready: Callable[[], bool], timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not is_ready():
        if time.monotonic() > deadline:
            raise TimeoutError("A container did not become ready.")
        time.sleep(0.1)

"""The doctor: each thing that is not safe is found, each in a sentence, and nothing else is."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncpg
import pytest

from deploy import doctor
from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, Postgres
from deploy.services import load_services
from deploy.setup import make_keys
from deploy.topology import connect, declare_topology
from shared.topology import USAGE
from tests.deploy.bus import NAIVE_ACCOUNTS
from tests.servers import free_port, start_nats, start_postgres

SENTENCE = re.compile(r"^[A-Z][^\n]*[.]$")
SAFE = {"ENVIRONMENT": "production", "AUTH_MODE": "hs256", "AUTH_SECRET": os.urandom(24).hex()}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"ENVIRONMENT": "development"}, ["Setting ENVIRONMENT"]),
        ({"ENVIRONMENT": ""}, ["Setting ENVIRONMENT"]),
        ({"AUTH_MODE": "development"}, ["Setting AUTH_MODE"]),
        ({"AUTH_MODE": ""}, ["Setting AUTH_MODE"]),
        ({"AUTH_MODE": "none"}, ["Setting AUTH_MODE"]),
        ({"AUTH_SECRET": ""}, ["Setting AUTH_SECRET"]),
        ({"AUTH_SECRET": "tooshort"}, ["Setting AUTH_SECRET"]),
        ({"AUTH_SECRET": "changeme-changeme-changeme-changeme"}, ["AUTH_SECRET can be guessed"]),
        ({"AUTH_SECRET": "0123" * 12}, ["AUTH_SECRET can be guessed"]),
        ({"AUTH_MODE": "jwks", "AUTH_JWKS_URL": "http://keys.example"}, ["Setting AUTH_JWKS_URL"]),
        ({"FAILPOINTS": "outbox.published:1"}, ["Setting FAILPOINTS"]),
        ({"FAILPOINTS": ""}, ["Setting FAILPOINTS"]),
        ({"SERVICE_KEYS": "platform=plain"}, ["Setting SERVICE_KEYS"]),
        ({"AUTH_SECRET_FILE": "/nowhere", "AUTH_SECRET": ""}, ["Setting AUTH_SECRET_FILE"]),
        (
            {"ENVIRONMENT": "", "AUTH_MODE": "", "FAILPOINTS": "x"},
            ["Setting FAILPOINTS", "Setting ENVIRONMENT", "Setting AUTH_MODE"],
        ),
        ({}, []),
        ({"AUTH_MODE": "jwks", "AUTH_SECRET": "", "AUTH_JWKS_URL": "https://keys.example"}, []),
    ],
)
async def test_unsafe_settings_are_found(changes: dict[str, str], found: list[str]) -> None:
    problems = await doctor.check_settings(SAFE | changes)
    for problem, start in zip(problems, found, strict=True):
        assert problem.startswith(start)
        assert SENTENCE.match(problem)
        assert SAFE["AUTH_SECRET"] not in problem


LIVE = {
    "ENVIRONMENT": "production",
    "STRIPE_SECRET_KEY": f"sk_live_{os.urandom(24).hex()}",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
}
SANDBOX_KEYS = {"STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_PUBLISHABLE_KEY": "pk_test_x"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"STRIPE_SECRET_KEY": "rk_live_x"}, []),
        ({"STRIPE_SECRET_KEY": ""}, ["Setting STRIPE_SECRET_KEY"]),
        ({"STRIPE_WEBHOOK_SECRET": ""}, ["Setting STRIPE_WEBHOOK_SECRET"]),
        (SANDBOX_KEYS, ["Setting STRIPE_SECRET_KEY: is for tests"]),
        ({"STRIPE_PUBLISHABLE_KEY": "pk_test_x"}, ["Setting STRIPE_PUBLISHABLE_KEY"]),
        ({"STRIPE_API_BASE": "http://127.0.0.1:12111"}, ["Setting STRIPE_API_BASE"]),
        ({"STRIPE_API_BASE_FILE": "/nowhere"}, ["Setting STRIPE_API_BASE"]),
        ({"STRIPE_JS_URL": "http://127.0.0.1:12111/stripe.js"}, ["Setting STRIPE_JS_URL"]),
        (
            {**SANDBOX_KEYS, "STRIPE_API_BASE": "http://127.0.0.1:12111"},
            ["Setting STRIPE_API_BASE", "Setting STRIPE_SECRET_KEY"],
        ),
    ],
)
async def test_a_stripe_that_charges_nobody_is_found(
    changes: dict[str, str], found: list[str]
) -> None:
    problems = await doctor.check_stripe(LIVE | changes)
    for problem, start in zip(problems, found, strict=True):
        assert problem.startswith(start)
        assert SENTENCE.match(problem)
        assert LIVE["STRIPE_SECRET_KEY"] not in problem


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = start_postgres(tmp_path_factory.mktemp("doctor") / "postgres", durable=True)
    yield server
    server.stop()


async def postgres_problems(dsn: str) -> list[str]:
    problems = await doctor.check_postgres({"DATABASE_URL": dsn})
    for problem in problems:
        assert SENTENCE.match(problem)
    return problems


async def test_our_postgres_is_safe(postgres: Postgres) -> None:
    assert await postgres_problems(postgres.dsn) == []


@pytest.mark.parametrize(
    "change",
    [
        "ROLE postgres SET synchronous_commit = off",
        "DATABASE postgres SET synchronous_commit = off",
        "ROLE ALL SET synchronous_commit = off",
    ],
)
async def test_commits_that_one_role_or_database_loses_are_found(
    postgres: Postgres, change: str
) -> None:
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"ALTER {change}")
    try:
        problems = await postgres_problems(postgres.dsn)
    finally:
        await admin.execute(f"ALTER {change.replace('SET', 'RESET').removesuffix(' = off')}")
        await admin.close()
    assert any("synchronous_commit=off" in problem for problem in problems)


async def test_a_postgres_that_does_not_sync_is_found(tmp_path: Path) -> None:
    settings = {"synchronous_commit": "off", "full_page_writes": "off"}
    server = Postgres(tmp_path, free_port(), durable=False, settings=settings)
    server.start()
    try:
        (server.socket_folder.parent / "data" / "pg_hba.conf").write_text(
            "host all postgres 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 trust\n"
            "local all all md5\nhostssl all all all password\n"
        )
        problems = await postgres_problems(server.dsn)
    finally:
        server.stop()
    assert [problem for problem in problems if problem.startswith("PostgreSQL runs with")] == [
        f"PostgreSQL runs with {name}=off: a power cut loses what was committed."
        for name in ("fsync", "synchronous_commit", "full_page_writes")
    ]
    doors = [problem for problem in problems if problem.startswith("PostgreSQL lets")]
    assert len(doors) == 3
    for way in ("without a password", "in clear", "easily broken"):
        assert sum(way in door for door in doors) == 1


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("", "Setting DATABASE_URL"),
        ("postgresql://postgres:short@127.0.0.1:1/postgres", "fewer than 16 characters"),
        ("postgresql://postgres:postgres-password-1@127.0.0.1:1/postgres", "can be guessed"),
        ("postgresql://postgres@127.0.0.1:1/postgres", "could not be looked at"),
    ],
)
async def test_a_bad_address_of_postgres_is_found(dsn: str, found: str) -> None:
    problems = await postgres_problems(dsn)
    assert any(found in problem for problem in problems)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("doctor")
    make_keys(folder / "keys", load_services(), datetime.now(UTC))
    return folder


@asynccontextmanager
async def bus_of(home: Path, folder: Path, *, durable: bool = True) -> AsyncIterator[NatsServer]:
    server = start_nats(folder / "nats", BusKeys.load_or_create(home / "keys"), durable=durable)
    try:
        await declare_topology(server.url, home / "keys", load_services())
        yield server
    finally:
        server.stop()


def monitor(server: NatsServer) -> dict[str, str]:
    return {"NATS_MONITOR_URL": f"http://127.0.0.1:{server.monitor_port}", "NATS_URL": server.url}


async def test_our_bus_and_its_streams_are_safe(home: Path, tmp_path: Path) -> None:
    async with bus_of(home, tmp_path) as server:
        assert await doctor.check_bus(monitor(server)) == []
        # As `make run` was told it.
        port = {"NATS_URL": server.url, "NATS_MONITOR_PORT": str(server.monitor_port)}
        assert await doctor.check_bus(port) == []
        assert await doctor.check_streams(monitor(server), home) == []


async def test_streams_and_consumers_that_are_not_as_declared_are_found(
    home: Path, tmp_path: Path
) -> None:
    durable = load_services()[0].durables[0]
    async with bus_of(home, tmp_path) as server:
        bus = await connect(server.url, home / "keys")
        js = bus.connection.jetstream()
        await js.update_stream(USAGE, max_msgs_per_subject=5)
        await js.delete_consumer(durable.stream, durable.name)
        problems = await doctor.check_streams(monitor(server), home)
        await js.delete_stream("EVENTS")
        missing = await doctor.check_streams(monitor(server), home)
        await bus.close()
    assert problems[0].startswith("Stream USAGE has max_msgs_per_subject=5, declared is 2000;")
    assert problems[1].startswith(f"Consumer {durable.name} could not be looked at")
    assert any(problem.startswith("Stream EVENTS could not be") for problem in missing)
    for problem in (*problems, *missing):
        assert SENTENCE.match(problem)


async def test_a_bus_that_does_not_sync_is_found(home: Path, tmp_path: Path) -> None:
    async with bus_of(home, tmp_path, durable=False) as server:
        (problem,) = await doctor.check_bus(monitor(server))
    assert "sync_interval: always" in problem
    assert SENTENCE.match(problem)


async def test_a_bus_that_lets_everybody_in_is_found(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, free_port(), free_port(), NAIVE_ACCOUNTS.partition("accounts")[0])
    server.start()
    try:
        (problem,) = await doctor.check_bus(monitor(server))
    finally:
        server.stop()
    assert problem.startswith("NATS lets everybody in")


async def test_a_bus_that_cannot_be_seen_is_not_called_safe(tmp_path: Path) -> None:
    nowhere = {"NATS_URL": "nats://127.0.0.1:1", "NATS_MONITOR_URL": "http://127.0.0.1:1"}
    for problem in (
        *await doctor.check_bus(nowhere),
        *await doctor.check_streams(nowhere, tmp_path),
    ):
        assert SENTENCE.match(problem)
    assert len(await doctor.check_bus(nowhere)) == 1
    assert len(await doctor.check_streams(nowhere, tmp_path)) == 1


@contextmanager
def gateway_that_answers(status: int) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "problems"), [(401, 0), (200, 3), (403, 3), (500, 3)])
async def test_a_gateway_that_is_open_to_strangers_is_found(status: int, problems: int) -> None:
    with gateway_that_answers(status) as url:
        found = await doctor.check_gateway(url)
    assert len(found) == problems
    for problem in found:
        assert SENTENCE.match(problem)


async def test_a_gateway_that_is_away_is_not_called_safe() -> None:
    (problem,) = await doctor.check_gateway("http://127.0.0.1:1")
    assert SENTENCE.match(problem)


@pytest.mark.parametrize(
    ("environment", "exit_code", "said"),
    [(SAFE, 0, "Nothing unsafe was found.\n"), ({}, 1, "Setting ENVIRONMENT")],
)
def test_its_exit_code_says_whether_to_go_on(
    environment: dict[str, str], exit_code: int, said: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.doctor", "--only", "settings"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == exit_code, ran.stderr
    assert ran.stdout.startswith(said)

"""`make run`: ready with one command, nothing left behind, nothing lost, every "no" a sentence."""

import asyncio
import re
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import nats
import psutil
import pytest

from deploy.bus_keys import BusKeys
from deploy.credentials import issue
from deploy.local.options import PORTS
from deploy.services import GATEWAY
from deploy.stripe import SANDBOX
from deploy.time_machine import main as travel
from shared.topology import OWNERS
from tests.deploy.local_run import CANARY, READY, LocalRun, alive, refusal
from tests.examples import CALL_PICOUSD, call, envelope
from tests.servers import start_nats, start_postgres
from tests.stack import until

SENTENCE = r"^[^\n]+\.$"
MONTH = timedelta(days=31)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with LocalRun(tmp_path_factory.mktemp("local") / "home") as run:
        run.wait_for(READY)
        yield run


def child(run: LocalRun, part: str) -> psutil.Process:
    """The process of a part, by a word of its command."""
    return next(each for each in run.family()[1:] if any(part in word for word in each.cmdline()))


def test_it_is_ready_and_the_call_it_prints_works(running: LocalRun) -> None:
    # Of one processor, so that it says the same on a machine that is busy with other things.
    assert sum(sum(each.cpu_times()) for each in running.family()) < 15
    for part in ("postgres", "nats", SANDBOX, *OWNERS, GATEWAY):
        assert any(re.match(rf"{part} +ready after", line) for line in running.output)
    answer = running.call_as_told()
    assert answer.status_code == 200
    assert answer.json()["total_cost"] == 0.0


async def test_credits_bought_as_it_tells_are_there_once_the_page_is_paid(
    running: LocalRun,
) -> None:
    page = running.call_as_told("/credits/checkout").json()["checkout_url"]
    assert page.startswith(f"http://127.0.0.1:{running.ports['SANDBOX_PORT']}/")
    paid = httpx.post(page, data={"card": "visa", "email": "buyer@example.com"})
    assert paid.is_redirect
    secret = token_in(running.output)
    await until(
        lambda: get(running, secret, ""), lambda account: account["credit_balance"] == 19.99
    )


async def test_all_of_it_can_be_moved_forward_in_time_and_tokens_still_hold(
    running: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    nats_url = f"nats://127.0.0.1:{running.ports['NATS_PORT']}"
    sandbox_url = f"http://127.0.0.1:{running.ports['SANDBOX_PORT']}"
    where = ["--home", str(running.home), "--nats-url", nats_url, "--sandbox-url", sandbox_url]
    assert await asyncio.to_thread(travel, ["--days", "31", *where]) == 0
    assert "Arrived after" in capsys.readouterr().out
    found = await get(running, token_in(running.output), "")
    assert datetime.fromisoformat(found["free_workflows_reset_at"]) > datetime.now(UTC) + MONTH


def test_its_secrets_are_its_owners_alone(running: LocalRun) -> None:
    assert stat.S_IMODE(running.home.stat().st_mode) == 0o700
    secrets = list((running.home / "keys").iterdir())
    assert len(secrets) > 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_children_get_the_settings_they_need_and_nothing_else(running: LocalRun) -> None:
    base = {"PATH", "LC_ALL", "TZ", "HTTP_HOST", "HTTP_PORT", "PYTHONPATH"}
    bus = {"NATS_URL", "NATS_CREDENTIALS"}
    keys = {"STRIPE_SECRET_KEY_FILE", "STRIPE_PUBLISHABLE_KEY_FILE"}
    signed = keys | {"STRIPE_WEBHOOK_SECRET_FILE"}
    agents = {"AGENT_SIGNING_SEED", "AGENTS_ACCOUNT_FILE", "PUBLIC_NATS_URL"}
    told = {
        GATEWAY: bus | keys | agents | {"AUTH_SECRET_FILE", "STRIPE_FRONTEND_URL", "STRIPE_JS_URL"},
        "account": bus | {"DATABASE_URL"},
        "auditor": bus | {"DATABASE_URL"},
        "cost_metering": bus | {"DATABASE_URL"},
        "invoicing": bus | {"DATABASE_URL"},
        "notices": bus | {"DATABASE_URL", "MAIL_FOLDER", "BILLING_PAGE_URL"},
        "stripe_gateway": bus | signed | {"DATABASE_URL", "STRIPE_API_BASE", "STRIPE_FRONTEND_URL"},
        "subscription": bus | {"DATABASE_URL"},
        SANDBOX: signed | {"SANDBOX_HOME", "SANDBOX_WEBHOOK_URL"},
    }
    assert set(told) == {SANDBOX, GATEWAY, *OWNERS}
    with_sandbox = base | {"TIME_MACHINE"}
    for name, settings in told.items():
        assert set(child(running, f"services.{name}").environ()) == with_sandbox | settings
    for each in running.family()[1:]:
        assert CANARY not in each.environ()


def test_a_second_one_in_the_same_home_is_refused_in_a_sentence(running: LocalRun) -> None:
    with LocalRun(running.home) as second:
        said = second.wait_for("")
        assert second.process.wait(20) == 1
    assert re.match(SENTENCE, said)
    assert f"is in use by process {running.process.pid}" in said
    assert "BILLING_HOME" in said


@pytest.mark.parametrize("setting", PORTS)
def test_a_taken_port_is_a_sentence_that_names_it_and_its_setting(
    running: LocalRun,
    setting: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = running.ports["PORT"]
    said = refusal(
        tmp_path / "home", monkeypatch=monkeypatch, capsys=capsys, **{setting: str(port)}
    )
    assert re.match(SENTENCE, said)
    assert said.startswith(f"Port {port} is taken;")
    assert f"{setting}={port + 10}" in said
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        ((), {"PORT": "eighty"}, "PORT"),
        ((), {"PORT": "70000"}, "PORT"),
        ((), {"PORT": "4001", "NATS_PORT": "4001"}, "NATS_PORT and PORT"),
        (("--replicas", "gatekeeper=2"), {}, "gatekeeper"),
        (("--replicas", "cost_metering=many"), {}, "cost_metering=many"),
        ((), {"BILLING_HOME": "/proc/nowhere"}, "/proc/nowhere"),
        ((), {"AUTH_SECRET": "short"}, "AUTH_SECRET"),
        ((), {"ENVIRONMENT": "production", "STRIPE_SECRET_KEY": "sk_live_x"}, "AUTH_MODE"),
    ],
)
def test_a_wrong_setting_is_a_sentence(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusal(
        tmp_path / "home", *arguments, monkeypatch=monkeypatch, capsys=capsys, **environment
    )
    assert re.match(SENTENCE, said)
    assert named in said


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ("cost_metering", "services.cost_metering"),
        ("gateway", "services.gateway"),
        (SANDBOX, "services.stripe_sandbox"),
        ("nats", "nats-server"),
        ("postgres", "bin/postgres"),
    ],
)
def test_what_dies_is_reported_with_its_log_and_started_again(
    running: LocalRun, part: str, word: str
) -> None:
    child(running, word).kill()
    assert f"{part}.log ends with" in running.wait_for(f"{part} has died")
    running.wait_for(f"{part} is ready again")
    told = running.output
    running.output = []
    assert any(f"{part} is started again in" in line for line in told)


async def test_a_second_start_keeps_what_was_recorded_and_a_kill_leaves_nothing(
    tmp_path: Path,
) -> None:
    with LocalRun(tmp_path / "home") as first:
        first.wait_for(READY)
        family = first.family()
        await report_a_call(first)
        secret = token_in([*first.output, first.wait_for("curl")])
        await until(lambda: total(first, secret), lambda cost: cost == CALL_PICOUSD / 1e12)
        assert first.end(signal.SIGINT) == 0
        assert alive(family) == []
    replicas = ("--replicas", "cost_metering=2")
    with LocalRun(first.home, *replicas, tty=True, ports=first.ports) as second:
        second.wait_for(READY)
        # The first token is still good, because the secret stays.
        assert await total(second, secret) == CALL_PICOUSD / 1e12
        family = second.family()
        assert sum("services.cost_metering" in each.cmdline() for each in family) == 2
        second.process.kill()
        second.process.wait(10)
        assert alive(family) == []


async def total(run: LocalRun, secret: str) -> float:
    return float((await get(run, secret, "/costs/summary"))["total_cost"])


async def get(run: LocalRun, secret: str, path: str) -> dict[str, Any]:
    """What the API says of the account."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"http://127.0.0.1:{run.ports['PORT']}/api/billing/account/acme{path}",
            headers={"Authorization": f"Bearer {secret}"},
        )
    found: dict[str, Any] = answer.json()
    return found


async def report_a_call(run: LocalRun) -> None:
    url = f"nats://127.0.0.1:{run.ports['NATS_PORT']}"
    credential = await issue(run.home, url, "acme", "agent-1", lifetime=timedelta(hours=1))
    path = run.home / "agent.creds"
    path.write_text(credential.text)
    agent = await nats.connect(
        url, user_credentials=str(path), inbox_prefix=credential.inbox_prefix.encode()
    )
    await agent.request("usage.llm.acme.agent-1", envelope(call()), timeout=5)
    await agent.close()


def token_in(output: list[str]) -> str:
    """The token that it has printed."""
    found = re.search(r"Bearer ([\w.-]+)", "\n".join(output))
    assert found is not None
    return found[1]


def test_it_uses_servers_that_are_given(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keys = BusKeys.load_or_create(home / "keys")
    with ExitStack() as servers:
        postgres = start_postgres(tmp_path / "postgres", durable=True)
        servers.callback(postgres.stop)
        bus = start_nats(tmp_path / "nats", keys)
        servers.callback(bus.stop)
        given = {"DATABASE_URL": postgres.dsn, "NATS_URL": bus.url}
        run = servers.enter_context(LocalRun(home, settings=given))
        run.wait_for(READY)
        assert run.call_as_told().status_code == 200
        assert run.end(signal.SIGTERM) == 0
    assert not (home / "postgres").exists()
    assert not (home / "nats").exists()


@pytest.mark.parametrize("moment", ["nats", "databases,"])
def test_a_signal_while_it_starts_leaves_nothing_behind(tmp_path: Path, moment: str) -> None:
    with LocalRun(tmp_path / "home") as run:
        run.wait_for(f"{moment} ")
        family = run.family()
        assert run.end(signal.SIGTERM) == 0
        assert alive(family) == []


def test_it_stops_when_the_one_who_started_it_is_killed(tmp_path: Path) -> None:
    starter = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
    with LocalRun(tmp_path / "home", before=starter) as run:
        run.wait_for(READY)
        family = run.family()
        run.process.kill()
        run.process.wait(10)
        assert alive(family, timeout_seconds=20) == []

"""An operator can see what an agent left behind and send it by hand."""

from pathlib import Path

import pytest

from shared.agent_client.__main__ import main
from tests.agent_client.conftest import MakeClient
from tests.agent_client.usage_bus import UsageBus, assert_once_and_gapless, call


@pytest.fixture
def credentials(shared_bus: UsageBus, agent_id: str, tmp_path: Path) -> Path:
    path = tmp_path / "agent.creds"
    path.write_text(shared_bus.credential(agent_id))
    return path


async def test_status_shows_what_is_left_and_drain_sends_it(
    shared_bus: UsageBus,
    agent_id: str,
    make_client: MakeClient,
    credentials: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spool = str(tmp_path / "spool")
    meter = make_client(shared_bus, nats_url="nats://127.0.0.1:1")
    ids = {meter.record_llm(**call(number)) for number in range(5)}
    meter.record_llm(**(call() | {"usage": "nothing"}))

    assert main(["status", spool]) == 1
    shown = capsys.readouterr().out
    assert f"llm of acme/{agent_id}  in use  last 5  to send 5" in shown
    assert "rejected 1  overflowed 0" in shown
    assert shown.endswith("1 producers, 5 events to send.\n")

    address = ["--nats-url", shared_bus.url, "--credentials", str(credentials)]
    assert main(["drain", spool, *address]) == 0
    assert capsys.readouterr().out == "0 events sent, 0 left.\n"  # the agent lives: its own work

    meter.close(0)
    assert main(["drain", spool, *address]) == 0
    assert capsys.readouterr().out == "5 events sent, 0 left.\n"
    assert main(["status", spool]) == 0
    assert "free  last 5  to send 0" in capsys.readouterr().out
    assert_once_and_gapless(await shared_bus.arrived(agent_id), {each for each in ids if each})


async def test_drain_leaves_what_belongs_to_another_agent(
    shared_bus: UsageBus,
    make_client: MakeClient,
    credentials: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meter = make_client(shared_bus, agent="somebody-else", nats_url="nats://127.0.0.1:1")
    meter.record_llm(**call())
    meter.close(0)

    address = ["--nats-url", shared_bus.url, "--credentials", str(credentials)]
    assert main(["drain", str(tmp_path / "spool"), *address]) == 0

    assert "1 events of other agents need theirs." in capsys.readouterr().out
    assert await shared_bus.arrived("somebody-else") == []


def test_a_drain_that_cannot_connect_says_why(
    shared_bus: UsageBus,
    make_client: MakeClient,
    credentials: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meter = make_client(shared_bus, nats_url="nats://127.0.0.1:1")
    meter.record_llm(**call())
    meter.close(0)

    address = ["--nats-url", "nats://127.0.0.1:1", "--credentials", str(credentials)]
    assert main(["drain", str(tmp_path / "spool"), *address, "--timeout", "0.5"]) == 1

    said = capsys.readouterr()
    assert said.out == "0 events sent, 1 left.\n"
    assert said.err.strip()


def test_missing_credentials_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ["--nats-url", "nats://127.0.0.1:1", "--credentials", str(tmp_path / "none.creds")]
    assert main(["drain", str(tmp_path), *missing]) == 2
    assert "credentials file cannot be read" in capsys.readouterr().err

"""`python -m deploy.credentials`: registers an agent, then prints what it connects with."""

import asyncio
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from deploy import asking, credentials
from shared.bus import REFUSAL_HEADER
from shared.contracts.base import Refusal, Reply
from shared.contracts.cost_metering import AgentRegistered, RegisterAgent
from tests.deploy.bus import OurBus, new_organization, usage_of
from tests.servers import free_port

ROOT = Path(__file__).parents[2]


async def run(*arguments: str) -> tuple[int | None, str, str]:
    """The command as a user runs it: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.credentials",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def meter_answers(our_bus: OurBus, reply: Reply) -> list[RegisterAgent]:
    """Answer registrations in the meter's place; returns the list of those asked for."""
    asked: list[RegisterAgent] = []
    meter = await our_bus.user(our_bus.keys.issue_service("cost_metering", [], datetime.now(UTC)))

    async def answer(message: Msg) -> None:
        asked.append(msgspec.json.decode(message.data, type=RegisterAgent))
        headers = {REFUSAL_HEADER: "refused"} if isinstance(reply, Refusal) else None
        await meter.nc.publish(message.reply, msgspec.json.encode(reply), headers=headers)

    await meter.nc.subscribe("ask.cost_metering.register_agent", cb=answer)
    await meter.settle()
    return asked


@pytest.fixture
def common(our_bus: OurBus) -> list[str]:
    our_bus.keys.issue_operator(datetime.now(UTC))
    return ["--agent", "agent-1", "--home", str(our_bus.keys.folder.parent)]


async def test_it_prints_a_credential_that_works(our_bus: OurBus, common: list[str]) -> None:
    asked = await meter_answers(our_bus, AgentRegistered(agents=1))
    organization_id = new_organization()
    code, output, errors = await run(
        "--organization", organization_id, "--nats-url", our_bus.url, *common
    )
    assert (code, errors) == (0, "")
    assert asked == [RegisterAgent(organization_id=organization_id, agent_id="agent-1")]
    agent = await our_bus.open_with(output, "unheard")
    assert await agent.publish(usage_of(organization_id))


async def test_it_writes_a_private_file(our_bus: OurBus, common: list[str], tmp_path: Path) -> None:
    await meter_answers(our_bus, AgentRegistered(agents=1))
    file = tmp_path / "agent.creds"
    arguments = ["--organization", "acme", "--nats-url", our_bus.url, "--out", str(file)]
    code, output, _ = await run(*arguments, *common)
    assert code == 0
    assert output.startswith(f"{file} is valid until ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_refused_registration_gives_no_credential(
    our_bus: OurBus, common: list[str]
) -> None:
    await meter_answers(our_bus, Refusal(code="too_many_agents", detail="No more agents."))
    code, output, errors = await run("--organization", "acme", "--nats-url", our_bus.url, *common)
    assert (code, output, errors) == (1, "", "No more agents.\n")


async def test_without_a_meter_it_says_so(our_bus: OurBus, common: list[str]) -> None:
    code, output, errors = await run("--organization", "acme", "--nats-url", our_bus.url, *common)
    assert (code, output) == (1, "")
    assert errors == "cost_metering gave no answer: cost_metering is not answering.\n"


async def test_without_a_bus_it_says_so(
    our_bus: OurBus,
    common: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(asking, "CONNECT_TIMEOUT_SECONDS", 0.2)
    url = f"nats://127.0.0.1:{free_port()}"
    arguments = ["--organization", "acme", "--nats-url", url, *common]
    assert await asyncio.to_thread(credentials.main, arguments) == 1
    assert capsys.readouterr().err == f"{url} does not let us in; is `make run` running?\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--organization", "acme.*"], "'acme.*' is not the id of an organization."),
        (["--organization", "acme", "--hours", "25"], "lives at most 24 hours."),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    our_bus: OurBus,
    common: list[str],
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert credentials.main([*arguments, *common]) == 1
    assert capsys.readouterr().err.endswith(f"{complaint}\n")


def test_without_keys_it_names_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--organization", "acme", "--agent", "a", "--home", str(tmp_path)]
    assert credentials.main(arguments) == 1
    assert "run `make run` first" in capsys.readouterr().err

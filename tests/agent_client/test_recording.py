"""What an agent's developer meets: ten lines, any thread, and nothing that ever raises."""

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from shared.agent_client import AgentClient, CredentialsError
from shared.contracts.usage import LlmCall
from tests.agent_client.conftest import MakeClient
from tests.agent_client.usage_bus import UsageBus, assert_once_and_gapless, call


def rejected_in(spool: Path) -> list[dict[str, object]]:
    files = spool.glob("*/rejected.jsonl")
    lines = [line for path in files for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(line) for line in lines]


async def test_ten_lines_report_a_call(shared_bus: UsageBus, agent_id: str, tmp_path: Path) -> None:
    credentials = tmp_path / "agent.creds"
    credentials.write_text(shared_bus.credential(agent_id))
    response = SimpleNamespace(
        id="msg_1",
        model="claude-sonnet-4-5",
        usage=SimpleNamespace(input_tokens=10, output_tokens=5, cache_read_input_tokens=0),
    )

    async with AgentClient(
        nats_url=shared_bus.url, credentials=str(credentials), spool=str(tmp_path / "spool")
    ) as meter:
        event_id = meter.record_llm(
            task_id="task-1",
            provider="anthropic",
            usage=response.usage,
            model=response.model,
            provider_request_id=response.id,
        )

    (event,) = await shared_bus.arrived(agent_id)
    arrived = msgspec.json.decode(event.body, type=LlmCall)
    assert event.event_id == event_id
    assert (arrived.task_id, arrived.model) == ("task-1", "claude-sonnet-4-5")
    assert (arrived.usage_format, arrived.provider_request_id) == ("anthropic", "msg_1")
    assert msgspec.json.decode(arrived.usage)["input_tokens"] == 10


async def test_stats_say_where_the_calls_are(shared_bus: UsageBus, make_client: MakeClient) -> None:
    meter = make_client(shared_bus)
    for number in range(3):
        meter.record_llm(**call(number))

    assert await meter.flush_async()

    stats = meter.stats()
    assert (stats.recorded, stats.acknowledged, stats.pending) == (3, 3, 0)
    assert (stats.rejected, stats.overflowed, stats.doubtful) == (0, 0, 0)
    assert stats.last_error is None


async def test_threads_share_one_gapless_sequence(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(shared_bus)
    ids: list[str | None] = []

    def work(thread: int) -> None:
        ids.extend(meter.record_llm(**call(thread * 1000 + n)) for n in range(200))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert await meter.flush_async()

    events = await shared_bus.arrived(agent_id)
    assert len(ids) == len(events) == 1600
    assert_once_and_gapless(events, {event_id for event_id in ids if event_id})
    assert len({event.producer for event in events}) == 1


async def test_coroutines_record_without_waiting_for_the_bus(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    meter = make_client(shared_bus)

    async def work(number: int) -> str | None:
        await asyncio.sleep(0)
        return meter.record_llm(**call(number))

    ids = await asyncio.gather(*(work(number) for number in range(300)))
    assert await meter.flush_async()

    assert_once_and_gapless(await shared_bus.arrived(agent_id), set(filter(None, ids)))


class Unreadable:
    """An object that fails in every way an agent's object can."""

    @property
    def model_dump(self) -> object:
        raise RuntimeError("the provider's library is broken")

    def __repr__(self) -> str:
        raise RuntimeError("so is this")


def cyclic() -> dict[str, object]:
    usage: dict[str, object] = {"input_tokens": 1}
    usage["self"] = usage
    return usage


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({"tokens": 5}, "say usage_format"),
        ({"input_tokens": object()}, "cannot be read"),
        ({"input_tokens": "\ud800"}, "UnicodeEncodeError"),
        ({"input_tokens": 1, "output_tokens": 1, "note": "x" * 20_000}, "bytes are more than"),
        (Unreadable(), "the provider's library is broken"),
        (cyclic(), "RecursionError"),
        ("1200 tokens", "has no fields"),
        (17, "has no fields"),
    ],
)
async def test_an_unusable_call_is_kept_with_its_reason_and_disturbs_nobody(
    shared_bus: UsageBus,
    agent_id: str,
    make_client: MakeClient,
    tmp_path: Path,
    usage: object,
    reason: str,
) -> None:
    meter = make_client(shared_bus)

    assert meter.record_llm(**(call() | {"usage": usage})) is None

    (entry,) = rejected_in(tmp_path / "spool")
    assert reason in str(entry["reason"])
    assert entry["call"]
    good = meter.record_llm(**call())
    assert await meter.flush_async()
    assert [event.event_id for event in await shared_bus.arrived(agent_id)] == [good]
    assert meter.stats().rejected == 1


async def test_what_was_said_in_a_rejected_response_is_not_kept(
    shared_bus: UsageBus, make_client: MakeClient, tmp_path: Path
) -> None:
    meter = make_client(shared_bus)
    response = SimpleNamespace(model="gpt-5", id="resp_1", usage={"tokens": 5}, output="a secret")

    assert meter.record_response(response, task_id="task-1") is None

    (entry,) = rejected_in(tmp_path / "spool")
    assert entry["call"] == {
        "task_id": "task-1",
        "response_type": "SimpleNamespace",
        "usage": {"tokens": 5},
        "model": "gpt-5",
        "id": "resp_1",
    }


async def test_a_kind_of_error_is_logged_once(
    shared_bus: UsageBus, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    meter = make_client(shared_bus)

    for _ in range(50):
        meter.record_llm(**(call() | {"usage": {"tokens": 5}}))

    assert meter.stats().rejected == 50
    assert Counter("not metered" in record.message for record in caplog.records)[True] == 1


@pytest.mark.parametrize(
    "wrong", [{"task_id": ""}, {"attempt": 0}, {"speeed": "fast"}, {"cost_reported": "-1"}]
)
async def test_a_call_that_the_meter_will_park_is_sent_for_its_operators_to_see(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient, wrong: dict[str, object]
) -> None:
    meter = make_client(shared_bus)

    event_id = meter.record_llm(**(call() | wrong))

    assert await meter.flush_async()
    assert [event.event_id for event in await shared_bus.arrived(agent_id)] == [event_id]
    assert meter.stats().doubtful == 1


async def test_an_agent_that_forgets_to_close_sends_at_its_exit(
    shared_bus: UsageBus, agent_id: str, tmp_path: Path
) -> None:
    script = (
        "import sys; from shared.agent_client import AgentClient\n"
        "from tests.agent_client.usage_bus import call\n"
        "meter = AgentClient(nats_url=sys.argv[1], credentials=sys.argv[2], spool=sys.argv[3])\n"
        "print(meter.record_llm(**call()))"
    )
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", script),
            *(shared_bus.url, shared_bus.credential(agent_id), tmp_path / "spool"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.defpath},
    )
    assert ran.stderr == ""
    assert [each.event_id for each in await shared_bus.arrived(agent_id)] == [ran.stdout.strip()]


async def test_a_closed_client_keeps_late_calls_as_rejected(
    shared_bus: UsageBus, make_client: MakeClient, tmp_path: Path
) -> None:
    meter = make_client(shared_bus)
    meter.close()

    assert meter.record_llm(**call()) is None

    (entry,) = rejected_in(tmp_path / "spool")
    assert "closed" in str(entry["reason"])


@pytest.mark.parametrize("text", ["", "-----BEGIN NATS USER JWT-----\nno.token\n---", "a.creds"])
def test_wrong_credentials_show_at_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(CredentialsError):
        AgentClient(
            nats_url="nats://127.0.0.1:1",
            credentials=(lambda: text) if text != "a.creds" else tmp_path / text,
            spool=tmp_path / "spool",
        )


async def test_a_credential_that_expires_is_fetched_anew(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    issued: list[str] = []

    def fresh() -> str:
        lifetime = timedelta(seconds=2) if len(issued) < 2 else timedelta(hours=1)
        issued.append(shared_bus.credential(agent_id, lifetime=lifetime))
        return issued[-1]

    meter = make_client(shared_bus, credentials=fresh)
    ids: list[str | None] = []
    while len(issued) < 3:  # once for the names, once to connect, once after the expiry
        ids.append(meter.record_llm(**call(len(ids))))
        await asyncio.sleep(0.05)
        assert len(ids) < 400
    ids.append(meter.record_llm(**call(len(ids))))

    assert await meter.flush_async()
    assert_once_and_gapless(await shared_bus.arrived(agent_id), set(filter(None, ids)))


async def test_a_credential_of_another_agent_sends_nothing(
    shared_bus: UsageBus, agent_id: str, make_client: MakeClient
) -> None:
    handed_out = iter([shared_bus.credential(agent_id)])
    another = shared_bus.credential("another-agent")
    meter = make_client(shared_bus, credentials=lambda: next(handed_out, another))

    meter.record_llm(**call())

    assert not await meter.flush_async(1)
    assert "another agent's" in str(meter.stats().last_error)
    assert await shared_bus.arrived("another-agent") == []


def test_it_needs_no_more_than_nats_nkeys_and_msgspec() -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "import shared.agent_client, nkeys\n"
        "print(*sorted({name for name in set(sys.modules) - before}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.defpath},
    ).stdout.split()
    ours = {name for name in loaded if name.startswith(("shared", "services", "deploy"))}
    assert all(n.startswith(("shared.agent_client", "shared.contracts")) for n in ours - {"shared"})
    foreign = {"litestar", "faststream", "sqlalchemy", "asyncpg", "pydantic", "stripe"}
    assert not foreign & set(loaded)

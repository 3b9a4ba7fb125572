"""Real traces of LLM calls, or calls of the same shape from a seeded generator.

The traces (see the README) name no model and no organization, so each row gets a provider, a
model, an organization, a task and an agent by its number. Their own times and token counts stay;
each trace is moved as a whole so that it ends now, because a call of 2023 would be in doubt.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

AZURE_FILES = ("AzureLLMInferenceTrace_code.csv", "AzureLLMInferenceTrace_conv.csv")
MOONCAKE_FILE = "mooncake_conversation_trace.jsonl"
# As many calls as the three traces have: 8,819 + 19,366 + 12,031.
GENERATED_SIZES = (8_819, 19_366, 12_031)
BLOCK_TOKENS = 512
CALLS_PER_TASK = 40
AGENTS_PER_ORGANIZATION = 2
CALLS_A_DAY = 600
CALLS_A_WEEKEND_DAY = 150
SATURDAY = 5
WORK_BEGINS, WORK_LASTS = timedelta(hours=7), timedelta(hours=13)
ORGANIZATIONS = ("acme", "globex", "initech")
MODELS = (
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-4o"),
    ("google", "gemini-2.5-pro"),
)


class Tokens(NamedTuple):
    """What one row of a trace counted; cache reads and writes are parts of the prompt."""

    at: timedelta
    prompt: int
    completion: int
    cache_read: int = 0
    cache_write: int = 0


class TracedCall(NamedTuple):
    """One call of a trace, ready to be reported by its agent."""

    event_id: str
    organization_id: str
    agent_id: str
    task_id: str
    provider: str
    model: str
    occurred_at: datetime
    usage: dict[str, int]

    def event(self) -> dict[str, Any]:
        """The call as it travels, with disjoint counts."""
        return {
            "event_id": self.event_id,
            "task_id": self.task_id,
            "provider": self.provider,
            "model": self.model,
            "provider_request_id": f"req_{self.event_id}",
            "occurred_at": self.occurred_at.isoformat(),
            "usage_format": "disjoint",
            "usage": self.usage,
        }


def load_calls(folder: Path | None, now: datetime, seed: int = 7) -> list[TracedCall]:
    """All calls of the three traces in `folder`, or as many generated ones without it.

    The same input gives the same calls but for their times, which end at `now`.
    """
    if folder is None:
        traces = [list(_generate(size, seed + n)) for n, size in enumerate(GENERATED_SIZES)]
        names = ["generated-0", "generated-1", "generated-2"]
    else:
        traces = [list(_read_azure(folder / name)) for name in AZURE_FILES]
        traces.append(list(_read_mooncake(folder / MOONCAKE_FILE)))
        names = ["azure-code", "azure-conv", "mooncake"]
    calls: list[TracedCall] = []
    for name, rows in zip(names, traces, strict=True):
        calls += _name_calls(name, rows, len(calls), now)
    return calls


def past_calls(organization_id: str, now: datetime, days: int) -> list[TracedCall]:
    """Calls of the days before today, oldest first; a day has the same calls every time.

    They are as large as agents' calls are late in a task, and on weekends there are fewer.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    calls: list[TracedCall] = []
    for ago in range(days, 0, -1):
        day = today - timedelta(days=ago)
        name = f"{organization_id}-{day:%Y%m%d}"
        dice = random.Random(name)  # noqa: S311 -- the same calls every time
        usual = CALLS_A_WEEKEND_DAY if day.weekday() >= SATURDAY else CALLS_A_DAY
        for number in range(int(usual * dice.uniform(0.6, 1.4))):
            provider, model = dice.choice(MODELS)
            calls.append(
                TracedCall(
                    event_id=f"{name}-{number:04d}",
                    organization_id=organization_id,
                    agent_id=f"agent-{number % AGENTS_PER_ORGANIZATION + 1}",
                    task_id=f"task-{name}-{number // CALLS_PER_TASK}",
                    provider=provider,
                    model=model,
                    occurred_at=day + WORK_BEGINS + dice.random() * WORK_LASTS,
                    usage=_disjoint(_late_tokens(dice)),
                )
            )
    return sorted(calls, key=lambda call: call.occurred_at)


def find_traces(folder: Path) -> Path | None:
    """The folder, if the trace files are in it."""
    wanted = (*AZURE_FILES, MOONCAKE_FILE)
    return folder if all((folder / name).is_file() for name in wanted) else None


def _name_calls(
    trace: str, rows: Sequence[Tokens], already: int, now: datetime
) -> Iterator[TracedCall]:
    last = max(row.at for row in rows)
    for index, row in enumerate(rows):
        number = already + index
        # Neighbours share a task, a task an agent, an agent an organization: as agents work.
        task = number // CALLS_PER_TASK
        agent = task % (len(ORGANIZATIONS) * AGENTS_PER_ORGANIZATION)
        provider, model = MODELS[(task * 7 + index % 2) % len(MODELS)]
        yield TracedCall(
            event_id=f"{trace}-{index:06d}",
            organization_id=ORGANIZATIONS[agent % len(ORGANIZATIONS)],
            agent_id=f"agent-{agent // len(ORGANIZATIONS) + 1}",
            task_id=f"task-{task:05d}",
            provider=provider,
            model=model,
            occurred_at=now - (last - row.at),
            usage=_disjoint(row),
        )


def _disjoint(row: Tokens) -> dict[str, int]:
    return {
        "input_uncached": row.prompt - row.cache_read - row.cache_write,
        "cache_read": row.cache_read,
        "cache_write_5m": row.cache_write,
        "output": row.completion,
    }


def _read_azure(path: Path) -> Iterator[Tokens]:
    with path.open(newline="") as file:
        first: datetime | None = None
        for row in csv.DictReader(file):
            # Seven digits of a second's fraction; Python reads six.
            at = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
            first = first or at
            yield Tokens(at - first, int(row["ContextTokens"]), int(row["GeneratedTokens"]))


def _read_mooncake(path: Path) -> Iterator[Tokens]:
    """A block of the prompt that was seen before is read from the cache, a new one written."""
    seen: set[int] = set()
    with path.open("rb") as file:
        for line in file:
            row = msgspec.json.decode(line)
            read, write = _cached(row["hash_ids"], row["input_length"], seen)
            at = timedelta(milliseconds=row["timestamp"])
            yield Tokens(at, row["input_length"], row["output_length"], read, write)


def _cached(blocks: Sequence[int], prompt: int, seen: set[int]) -> tuple[int, int]:
    read = write = 0
    left = prompt
    for block in blocks:
        size = min(BLOCK_TOKENS, left)
        left -= size
        if block in seen:
            read += size
        else:
            write += size
    seen.update(blocks)
    return read, write


def _generate(size: int, seed: int) -> Iterator[Tokens]:
    """Bursty arrivals over an hour, long-tailed prompts and short answers, some of it cached."""
    dice = random.Random(seed)  # noqa: S311 -- the same calls every time
    at = 0.0
    for _ in range(size):
        at += dice.expovariate(size / 3600)
        prompt = min(120_000, int(dice.lognormvariate(7.3, 1.1)) + 20)
        completion = min(8_000, int(dice.lognormvariate(4.6, 1.3)) + 1)
        cached = dice.random() < 0.4
        read = int(prompt * dice.uniform(0.3, 0.9)) if cached else 0
        write = int((prompt - read) * 0.5) if cached else 0
        yield Tokens(timedelta(seconds=at), prompt, completion, read, write)


def _late_tokens(dice: random.Random) -> Tokens:
    """A long prompt, most of it seen before, and an answer with some code."""
    prompt = min(180_000, int(dice.lognormvariate(10.8, 0.6)))
    completion = min(8_000, int(dice.lognormvariate(7.0, 0.8)) + 1)
    return Tokens(timedelta(), prompt, completion, int(prompt * dice.uniform(0.3, 0.8)))

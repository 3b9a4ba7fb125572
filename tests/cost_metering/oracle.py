"""An oracle: what agents tell of responses, and what it comes to, whatever the order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.cost_metering.customer import Customer
from tests.examples import call, envelope

# Pico-dollars per token: US dollars per million tokens times 10**6.
RATES = {"gpt-4o": (2_500_000, 10_000_000), "gpt-4o-mini": (150_000, 600_000), "unheard-of": None}
MODELS = sorted(RATES)
AGENTS = ("agent-1", "agent-2")
CORRECTED = (7, 3)
CORRECTED_AGAIN = (11, 5)
YESTERDAY = datetime.now(UTC).replace(hour=10, minute=15) - timedelta(days=1)
LARGEST_ENVELOPE = 12


class Response(NamedTuple):
    """One response of a provider and everything that is told about it."""

    model: str
    prompt: int
    completion: int
    hour: int
    own_key: bool
    # Told by how many events: without a request id by one; with one, alike or each different.
    told: int
    request: str | None
    copies: int
    contradicted: bool
    corrections: int
    corrected_again: bool


class Counted(NamedTuple):
    """What the oracle counts for one response."""

    model: str
    prompt: int
    completion: int
    suspect: bool = False


class Story:
    """What the agents of one organization publish, and what must come of it."""

    def __init__(self, responses: Sequence[Response], poison: Iterable[str], dice: Random) -> None:
        events: dict[str, list[Any]] = {agent: [] for agent in AGENTS}
        events[AGENTS[0]] += poison
        counted: list[Counted] = []
        self.letters = len(events[AGENTS[0]])
        self.event_ids: set[str] = set()
        for number, response in enumerate(responses):
            told = _tell(number, response)
            corrections = _correct(number, response, told)
            counted += _count(response, len(told), len(corrections))
            self.letters += _parked(response, len(told))
            self.event_ids |= {each["event_id"] for each in (*told, *corrections)}
            every = (told + corrections) * response.copies
            if response.contradicted:
                every.append({**told[0], "task_id": "something else"})
            events[AGENTS[number % len(AGENTS)]] += every
        self.records = len(counted)
        self.expected = _sums(counted)
        self.cost_picousd = sum(line[2] for line in self.expected["lines"].values())
        self.published = sum(len(each) for each in events.values())
        self.envelopes = {agent: _split(each, agent, dice) for agent, each in events.items()}


def some_responses(count: int, dice: Random) -> list[Response]:
    """As many different responses, most of them without anything remarkable."""
    return [
        Response(
            model=dice.choice(MODELS),
            prompt=dice.randrange(5000),
            completion=dice.randrange(5000),
            hour=dice.randrange(4),
            own_key=dice.random() < 0.2,
            told=dice.choice((1, 1, 2, 3)),
            request=dice.choice((None, None, "alike", "different")),
            copies=dice.choice((1, 1, 1, 2, 3)),
            contradicted=dice.random() < 0.05,
            corrections=dice.choice((0,) * 12 + (1, 1, 2)),
            corrected_again=dice.random() < 0.3,
        )
        for _ in range(count)
    ]


def some_poison(count: int) -> list[str]:
    """As many different events that can only be parked."""
    kinds = ('{{"number": {}}}', '{{"event_id": oops{}}}', '{{"number": {}, "v": "\\u0000"}}')
    return [kinds[number % len(kinds)].format(number) for number in range(count)]


def _tell(number: int, response: Response) -> list[dict[str, Any]]:
    """The events that tell of a response."""
    return [
        call(
            event_id=f"e-{number}-{index}",
            task_id=f"task-{index}",
            model=response.model,
            occurred_at=(YESTERDAY + timedelta(hours=response.hour)).isoformat(),
            usage=_usage(
                response.prompt, response.completion + index * (response.request == "different")
            ),
            credential_source="byo" if response.own_key else "platform",
            provider_request_id=f"req-{number}" if response.request else None,
        )
        for index in range(response.told if response.request else 1)
    ]


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def _correct(number: int, response: Response, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The corrections of a response; which of several different uses was first nobody can say."""
    if response.request == "different":
        return []
    events = [
        call(
            event_id=f"c-{number}-{index}",
            corrects=told[index % len(told)]["event_id"],
            usage=_usage(*CORRECTED),
        )
        for index in range(response.corrections)
    ]
    if response.corrected_again and 0 < len(events) <= len(told):
        # Of two corrections either may stay, so these two say the same.
        usage = _usage(*(CORRECTED_AGAIN if len(events) == 1 else CORRECTED))
        again = call(event_id=f"d-{number}", corrects=events[-1]["event_id"], usage=usage)
        events.append(again)
    return events


def _count(response: Response, told: int, corrections: int) -> list[Counted]:
    """What a response comes to."""
    if response.request == "different":
        return [
            Counted(response.model, response.prompt, response.completion + index, index > 0)
            for index in range(told)
        ]
    if not corrections:
        return [Counted(response.model, response.prompt, response.completion)]
    twice = response.corrections == 1 and response.corrected_again
    return [Counted("gpt-4o", *(CORRECTED_AGAIN if twice else CORRECTED))]


def _parked(response: Response, told: int) -> int:
    """How many events of a response can only be parked."""
    both_correct_one = response.request != "different" and response.corrections == 2 and told == 1
    return int(response.contradicted) + int(both_correct_one)


def _sums(counted: list[Counted]) -> dict[str, Any]:
    """Sums by model and together."""
    lines: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    unpriced = [each for each in counted if RATES[each.model] is None]
    for each in counted:
        rates = RATES[each.model] or (0, 0)
        cost = each.prompt * rates[0] + each.completion * rates[1]
        for at, value in enumerate((1, each.prompt + each.completion, cost)):
            lines[each.model][at] += value
    return {
        "lines": {model: tuple(line) for model, line in lines.items()},
        "unpriced": (len(unpriced), sum(each.prompt + each.completion for each in unpriced)),
        "suspect": sum(each.suspect for each in counted),
    }


def _split(events: list[Any], producer: str, dice: Random) -> list[bytes]:
    """Shuffled events in envelopes of random sizes, in one gapless sequence; some come twice."""
    dice.shuffle(events)
    bodies: list[bytes] = []
    at = 0
    while at < len(events):
        size = dice.randint(1, LARGEST_ENVELOPE)
        bodies.append(envelope(*events[at : at + size], producer=producer, first_seq=at + 1))
        at += size
    bodies += [body for body in bodies if dice.random() < 0.3]
    dice.shuffle(bodies)
    return bodies


async def seen_by(customer: Customer) -> dict[str, Any]:
    """The oracle's sums as the meter tells them."""
    found = await customer.summary()
    return {
        "lines": {
            line.model: (line.records, line.tokens, line.cost_picousd) for line in found.breakdown
        },
        "unpriced": (found.unpriced_records, found.unpriced_tokens),
        "suspect": found.suspect_records,
    }

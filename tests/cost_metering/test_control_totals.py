"""Whatever agents send, in whatever order and split, three roads lead to the oracle's sums (I3)."""

import json
from collections import defaultdict
from contextlib import aclosing
from random import Random
from typing import Any, NamedTuple
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from nats.js import JetStreamContext

from shared.bus import Bus
from shared.runtime import Runtime
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import call, envelope
from tests.stack import Stack, until

# US dollars per million tokens are pico-dollars per token times 10**6.
RATES = {"gpt-4o": (2_500_000, 10_000_000), "gpt-4o-mini": (150_000, 600_000), "unheard-of": None}
POISON = ("{}", "null", '{"event_id": oops}', json.dumps(call(usage={"prompt_tokens": -1})))
CORRECTED = (7, 3)
CORRECTED_AGAIN = (11, 5)


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


responses = st.lists(
    st.builds(
        Response,
        model=st.sampled_from(sorted(RATES)),
        prompt=st.integers(0, 5000),
        completion=st.integers(0, 5000),
        hour=st.integers(0, 3),
        own_key=st.booleans(),
        told=st.integers(1, 3),
        request=st.sampled_from([None, "alike", "different"]),
        copies=st.integers(1, 3),
        contradicted=st.booleans(),
        corrections=st.integers(0, 2),
        corrected_again=st.booleans(),
    ),
    min_size=1,
    max_size=15,
)


def tell(number: int, response: Response) -> list[dict[str, Any]]:
    """The events that tell of a response."""
    told = response.told if response.request else 1
    return [
        call(
            event_id=f"e-{number}-{index}",
            task_id=f"task-{index}",
            model=response.model,
            occurred_at=f"2026-11-20T1{response.hour}:15:00Z",
            usage=usage(
                response.prompt,
                response.completion + index * (response.request == "different"),
            ),
            credential_source="byo" if response.own_key else "platform",
            provider_request_id=f"req-{number}" if response.request else None,
        )
        for index in range(told)
    ]


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def correct(number: int, response: Response, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The corrections of a response; which of several different uses was first nobody can say."""
    if response.request == "different":
        return []
    events = [
        call(
            event_id=f"c-{number}-{index}",
            corrects=told[index % len(told)]["event_id"],
            usage=usage(*CORRECTED),
        )
        for index in range(response.corrections)
    ]
    if len(events) == 1 and response.corrected_again:
        again = usage(*CORRECTED_AGAIN)
        events.append(call(event_id=f"d-{number}", corrects=events[0]["event_id"], usage=again))
    return events


def count(response: Response, told: int, corrections: int) -> list[Counted]:
    """The oracle: what a response comes to, whatever the order."""
    if response.request == "different":
        return [
            Counted(response.model, response.prompt, response.completion + index, index > 0)
            for index in range(told)
        ]
    if not corrections:
        return [Counted(response.model, response.prompt, response.completion)]
    twice = response.corrections == 1 and response.corrected_again
    return [Counted("gpt-4o", *(CORRECTED_AGAIN if twice else CORRECTED))]


def letters_of(response: Response, told: int) -> int:
    """How many events of a response can only be parked."""
    both_correct_one = response.request != "different" and response.corrections == 2 and told == 1
    return int(response.contradicted) + int(both_correct_one)


def sums_of(counted: list[Counted]) -> dict[str, Any]:
    """The oracle's sums, by model and together."""
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


def split(events: list[Any], producer: str, dice: Random) -> list[bytes]:
    """Events in envelopes of random sizes, in one gapless sequence, some envelopes twice."""
    bodies: list[bytes] = []
    at = 0
    while at < len(events):
        size = dice.randint(1, 12)
        bodies.append(envelope(*events[at : at + size], producer=producer, first_seq=at + 1))
        at += size
    return bodies + [body for body in bodies if dice.random() < 0.3]


async def seen_by(customer: Customer) -> dict[str, Any]:
    """The same sums as the meter tells them."""
    found = await customer.summary()
    return {
        "lines": {
            line.model: (line.records, line.tokens, line.cost_picousd) for line in found.breakdown
        },
        "unpriced": (found.unpriced_records, found.unpriced_tokens),
        "suspect": found.suspect_records,
    }


@settings(
    max_examples=20,
    # Not shrunk: an example that fails costs ten seconds of waiting.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    told=responses,
    poison=st.sets(st.sampled_from(POISON)),
    dice=st.randoms(use_true_random=False),
)
async def test_every_mixture_comes_to_the_oracles_sums(
    stack: Stack,
    meter: Runtime,
    bus: Bus,
    jetstream: JetStreamContext,
    told: list[Response],
    poison: set[str],
    dice: Random,
) -> None:
    counted: list[Counted] = []
    published: list[list[Any]] = [sorted(poison), []]
    letters = len(poison)
    for number, response in enumerate(told):
        events = tell(number, response)
        corrections = correct(number, response, events)
        counted += count(response, len(events), len(corrections))
        letters += letters_of(response, len(events))
        every = (events + corrections) * response.copies
        if response.contradicted:
            every.append({**events[0], "task_id": "something else"})
        published[number % 2] += every

    for number, events in enumerate(published):
        dice.shuffle(events)
        published[number] = split(events, f"p-{number}", dice)
        dice.shuffle(published[number])

    async with aclosing(Customer(stack, bus, f"org-{uuid4().hex[:12]}", jetstream)) as customer:
        note(customer.organization_id)
        for number, bodies in enumerate(published):
            await customer.publish(*bodies, agent_id=f"agent-{number}")
        await customer.processed()
        expected = sums_of(counted)
        await until(lambda: seen_by(customer), lambda found: found == expected, 10)
        totals = await customer.totals()
        assert_agrees(totals)
        assert totals.records == len(counted)
        assert (totals.dead_letters, totals.holes) == (letters, 0)

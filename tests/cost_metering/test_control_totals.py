"""Whatever agents send, in whatever order and split, three roads lead to the oracle's sums (I3)."""

from contextlib import aclosing
from random import Random
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from nats.js import JetStreamContext

from shared.bus import Bus
from shared.runtime import Runtime
from tests.cost_metering.customer import Customer, assert_agrees
from tests.cost_metering.oracle import MODELS, Response, Story, seen_by, some_poison
from tests.stack import Stack, until

responses = st.lists(
    st.builds(
        Response,
        model=st.sampled_from(MODELS),
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


@settings(
    max_examples=20,
    # Not shrunk: an example that fails costs ten seconds of waiting.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    told=responses,
    poison=st.integers(0, 5),
    dice=st.randoms(use_true_random=False),
)
async def test_every_mixture_comes_to_the_oracles_sums(
    stack: Stack,
    meter: Runtime,
    bus: Bus,
    jetstream: JetStreamContext,
    told: list[Response],
    poison: int,
    dice: Random,
) -> None:
    story = Story(told, some_poison(poison), dice)
    async with aclosing(Customer(stack, bus, f"org-{uuid4().hex[:12]}", jetstream)) as customer:
        note(customer.organization_id)
        for agent_id, bodies in story.envelopes.items():
            await customer.publish(*bodies, agent_id=agent_id)
        await customer.processed()
        await until(lambda: seen_by(customer), lambda found: found == story.expected, 10)
        totals = await customer.totals()
        assert_agrees(totals)
        assert totals.records == story.records
        assert (totals.dead_letters, totals.holes) == (story.letters, 0)

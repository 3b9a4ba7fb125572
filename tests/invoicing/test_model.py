"""Random lives of an organization's money against an independent oracle, on real databases."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.invoicing.life import living
from tests.stack import Stack

CENTS = st.integers(10, 3000)
WHICH = st.integers(0, 9)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), CENTS),
        st.tuples(st.just("gift"), st.tuples(CENTS, st.integers(1, 60))),
        st.tuples(st.just("run"), st.tuples(CENTS, st.sampled_from(["none", "credits"]))),
        st.tuples(st.just("run"), st.tuples(CENTS, st.sampled_from(["none", "credits"]))),
        st.tuples(st.just("late"), CENTS),
        st.tuples(st.just("reserve"), CENTS),
        st.tuples(st.just("release"), st.none()),
        st.tuples(st.just("invoice"), st.none()),
        st.tuples(st.just("invoice"), st.none()),
        st.tuples(st.just("pay"), st.tuples(WHICH, st.just(True))),
        st.tuples(st.just("void"), WHICH),
        st.tuples(st.just("correct"), st.tuples(WHICH, CENTS)),
        st.tuples(st.just("pay"), st.tuples(WHICH, st.booleans())),
        st.tuples(st.just("refund"), st.tuples(WHICH, CENTS)),
        st.tuples(st.just("dispute"), st.tuples(WHICH, CENTS)),
        st.tuples(st.just("terms"), st.tuples(st.integers(0, 10_000), st.integers(0, 2_500))),
        st.tuples(st.just("pass"), st.integers(1, 900)),
    ),
    min_size=6,
    max_size=20,
)


# With all of it once, whatever is drawn.
LIFE = [
    ("buy", 2000),
    ("gift", (700, 20)),
    ("run", (1500, "credits")),
    ("run", (2500, "none")),
    ("reserve", 300),
    ("terms", (1000, 1900)),
    ("invoice", None),
    ("pay", (0, False)),
    ("pay", (0, True)),
    ("pay", (0, True)),
    ("refund", (0, 200)),
    ("refund", (0, 3000)),
    ("correct", (0, 500)),
    ("dispute", (0, 1800)),
    ("run", (900, "none")),
    ("invoice", None),
    ("void", 1),
    ("late", 800),
    ("pass", 900),
    ("correct", (2, 100)),
    ("dispute", (0, 0)),
    ("release", None),
    ("pay", (2, True)),
    ("refund", (2, 900)),
]


def test_money_is_where_the_oracle_says(stack: Stack) -> None:
    async def live(actions: list[tuple[str, Any]]) -> None:
        async with living(stack) as life:
            for name, value in actions:
                await life.act(name, value)

    @settings(
        max_examples=20,
        # Whoever shrinks one waits for databases: what happened is short enough to be read.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @example(LIFE)
    @given(ACTIONS)
    def lives(actions: list[tuple[str, Any]]) -> None:
        asyncio.run(live(actions))

    lives()

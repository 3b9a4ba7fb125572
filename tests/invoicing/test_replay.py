"""The same usage makes the same invoices, in whatever order, pieces and copies it is told."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.invoicing.handlers.usage import add_workflow
from shared.contracts.subscription import WorkflowCharged
from tests.invoicing.life import BEGINNING, Life, living
from tests.stack import Stack

# Cents; minutes after the beginning when it happened; minutes until somebody learned of it.
USES = st.lists(
    st.tuples(st.sampled_from([15, 30, 1000]), st.integers(-3000, 60_000), st.integers(0, 60_000)),
    min_size=1,
    max_size=12,
)
CUTS = st.lists(st.integers(0, 12), max_size=3)


def facts(life: Life, uses: Sequence[tuple[int, int, int]]) -> list[WorkflowCharged]:
    return [
        WorkflowCharged(
            organization_id=life.organization_id,
            workflow_id=f"run-{number}",
            reservation_id=f"run-{number}",
            ticket_id=f"ticket-{number % 2}",
            tier="pro",
            covered_by="none",
            unit_price_cents=cents,
            hold_id=None,
            period_start=None,
            completed_at=BEGINNING + timedelta(minutes=at),
            charged_at=BEGINNING + timedelta(minutes=at + delay),
        )
        for number, (cents, at, delay) in enumerate(uses)
    ]


async def tell(life: Life, told: Sequence[WorkflowCharged], cuts: Sequence[int]) -> None:
    """In pieces, each a transaction, as consumers do."""
    edges = [0, *sorted(min(cut, len(told)) for cut in cuts), len(told)]
    for begin, end in itertools.pairwise(edges):
        async with life.database.transaction() as db:
            for fact in told[begin:end]:
                await add_workflow(fact, db)


async def bill(life: Life) -> list[Any]:
    """Close the months that have passed, bill the rest, and show what invoices say."""
    life.clock.advance(timedelta(days=95))
    await life.close_months(4)
    await life.generate()
    async with life.database.read() as db:
        rows = await db.driver.fetch(
            "SELECT i.number, i.total_cents, i.period_start, i.usage_until, l.position, l.kind,"
            " l.description, l.quantity, l.unit_price_cents, l.total_cents, l.period_start,"
            " l.ticket_id, i.ticket_id"
            " FROM invoices i JOIN invoice_lines l USING (organization_id, invoice_id)"
            " WHERE organization_id = $1 AND i.number IS NOT NULL ORDER BY 1, 5",
            life.organization_id,
        )
    return [tuple(row) for row in rows]


def test_order_copies_and_pieces_change_nothing(stack: Stack) -> None:
    async def compare(
        uses: list[tuple[int, int, int]], copies: list[int], cuts: list[int], seed: int
    ) -> None:
        async with living(stack) as life:
            await tell(life, facts(life, uses), ())
            expected = await bill(life)
        async with living(stack) as life:
            told = facts(life, uses)
            told += [told[copy % len(told)] for copy in copies]
            random.Random(seed).shuffle(told)
            await tell(life, told, cuts)
            assert await bill(life) == expected

    @settings(
        max_examples=8,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(USES, CUTS, CUTS, st.integers(0, 2**32))
    def shuffled(
        uses: list[tuple[int, int, int]], copies: list[int], cuts: list[int], seed: int
    ) -> None:
        asyncio.run(compare(uses, copies, cuts, seed))

    shuffled()

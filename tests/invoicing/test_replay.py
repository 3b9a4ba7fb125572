"""The same usage makes the same invoices, in whatever order, pieces and copies it is told."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.contracts.account import GrantCredits, HoldCredits, SettleHold
from shared.contracts.base import Event
from shared.contracts.invoicing import GenerateInvoice, SetBillingTerms
from tests.invoicing import examples
from tests.invoicing.figures import nameless
from tests.invoicing.organization import BEGINNING, INVOICING_HEARS, Organization, founded
from tests.stack import Stack

Use = tuple[str, int, int, int]
# What it is; cents; minutes after the beginning when it happened, and until it was known.
USES = st.lists(
    st.tuples(
        st.sampled_from(["none", "none", "auto_billing", "credits", "plan", "llm", "storage"]),
        st.sampled_from([15, 30, 1000]),
        st.integers(-3000, 60_000),
        st.integers(0, 60_000),
    ),
    min_size=1,
    max_size=12,
)
CUTS = st.lists(st.integers(0, 12), max_size=3)


def fact(name: str, number: int, use: Use) -> Event:
    kind, cents, minutes, delay = use
    at = BEGINNING + timedelta(minutes=minutes)
    known = at + timedelta(minutes=delay)
    if kind == "llm":
        # Thirds of a cent, and now and then something is taken back.
        sign = -1 if number % 4 == 3 else 1
        return examples.costs(name, number, sign * cents * 10**10 // 3, known)
    if kind == "storage":
        return examples.storage(name, examples.month(2026, number % 12 + 1), 3, cents, known)
    hold_id = f"hold-{number}" if kind == "credits" else None
    covered: dict[str, Any] = {"covered_by": kind, "unit_price_cents": cents, "hold_id": hold_id}
    ticket_id = f"ticket-{number % 2}"
    return examples.workflow(
        name, f"run-{number}", at, charged_at=known, ticket_id=ticket_id, **covered
    )


async def prepare(organization: Organization, uses: Sequence[Use]) -> None:
    """Credits of two kinds, which are held for whatever they cover, and terms."""
    name, now = organization.organization_id, organization.clock.now()
    gift: dict[str, Any] = {"grant_id": "gift", "description": "gift", "requested_by": "operator"}
    until = now + timedelta(days=30)
    await organization.tell(
        examples.plan(name, 1, 1234, now), examples.purchase(name, "cs", 20_000, now)
    )
    await organization.request(
        GrantCredits(organization_id=name, amount_cents=700, expires_at=until, **gift)
    )
    terms: dict[str, Any] = {
        "discount_basis_points": 3333,
        "tax_basis_points": 1900,
        "requested_by": "operator",
    }
    await organization.request(SetBillingTerms(organization_id=name, **terms))
    for number, (kind, cents, _, _) in enumerate(uses):
        if kind == "credits":
            hold: dict[str, Any] = {"organization_id": name, "hold_id": f"hold-{number}"}
            await organization.request(HoldCredits(amount_cents=cents, expires_at=until, **hold))
            await organization.request(SettleHold(action="commit", **hold))


async def tell(organization: Organization, told: Sequence[Event], cuts: Sequence[int]) -> None:
    """In pieces, each a transaction, as consumers do."""
    edges = [0, *sorted(min(cut, len(told)) for cut in cuts), len(told)]
    for begin, end in itertools.pairwise(edges):
        async with organization.database.transaction() as db:
            for each in told[begin:end]:
                await INVOICING_HEARS[type(each)](each, db)


async def bill(organization: Organization) -> list[str]:
    """Close the months that have passed, bill the rest, and show all there is."""
    organization.clock.advance(timedelta(days=95))
    await organization.close_months(4)
    name = organization.organization_id
    await organization.request(GenerateInvoice(organization_id=name, requested_by="owner"))
    return await nameless(organization)


async def compare(
    stack: Stack, uses: Sequence[Use], copies: Sequence[int], cuts: Sequence[int], seed: int
) -> None:
    async with founded(Organization, stack.databases) as one:
        facts = [fact(one.organization_id, *each) for each in enumerate(uses)]
        await prepare(one, uses)
        await tell(one, facts, ())
        expected = await bill(one)
    async with founded(Organization, stack.databases) as other:
        facts = [fact(other.organization_id, *each) for each in enumerate(uses)]
        facts += [facts[copy % len(facts)] for copy in copies]
        random.Random(seed).shuffle(facts)
        await prepare(other, uses)
        await tell(other, facts, cuts)
        assert await bill(other) == expected


def test_order_copies_and_pieces_change_nothing(stack: Stack) -> None:
    @settings(
        max_examples=8,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(USES, CUTS, CUTS, st.integers(0, 2**32))
    def shuffled(uses: list[Use], copies: list[int], cuts: list[int], seed: int) -> None:
        asyncio.run(compare(stack, uses, copies, cuts, seed))

    shuffled()


def test_of_what_happened_at_one_moment_the_same_is_billed_first_in_any_order(
    stack: Stack,
) -> None:
    # The discount leaves some of what is held for them: of which lot is no chance.
    held: list[Use] = [("credits", 1000, 0, 0)] * 4
    # More than one invoice takes.
    much: list[Use] = [("none", cents, 0, 0) for cents in (45_000_000, 15, 45_000_000, 30)]
    for uses, seed in itertools.product((held, much), range(2)):
        asyncio.run(compare(stack, uses, (), (), seed))

"""Passing on what LLM calls cost: by the plan that held when they were announced."""

from collections.abc import Sequence
from typing import NamedTuple

from services.invoicing.tables.rows import LlmCostRow, PlanTerms, UsageRow
from shared.contracts.subscription import TierName
from shared.money import BASIS_POINTS, half_even


def passed_on_picousd(cost: LlmCostRow, terms: PlanTerms) -> int:
    """What LLM calls cost, with the markup upon it, rounded to the pico-dollar; or nothing.

    Calls made with the customer's own keys are not in it.
    """
    if terms.markup_basis_points is None:
        return 0
    share = BASIS_POINTS + terms.markup_basis_points
    return half_even(cost.billable_cost_picousd * share, BASIS_POINTS)


class Correction(NamedTuple):
    """What makes the records of one announcement add up: one unbilled record has the rest."""

    rest_picousd: int
    # The record that carries it; none of them does yet.
    carrier: UsageRow | None
    needless: tuple[UsageRow, ...]


def correct(cost: LlmCostRow, terms: PlanTerms, records: Sequence[UsageRow]) -> Correction:
    """Bring the records of an announcement to what its plan says. Invoices keep what they have."""
    taken = [each for each in records if each.invoice_id is not None or each.billed_at is not None]
    free = [each for each in records if each not in taken]
    rest = passed_on_picousd(cost, terms) - sum(each.total_picousd for each in taken)
    if rest == 0:
        return Correction(0, None, tuple(free))
    return Correction(rest, free[0] if free else None, tuple(free[1:]))


def record_llm_cost(
    cost: LlmCostRow, tier: TierName, total_picousd: int, record_id: str, nth: int
) -> UsageRow:
    """The use that an announcement is, or the `nth` difference from it; it has no price of its own.

    It happened when it was announced.
    """
    return UsageRow(
        organization_id=cost.organization_id,
        record_id=record_id,
        usage_type="llm_cost",
        source_id=f"{cost.sequence}/{nth}" if nth else str(cost.sequence),
        quantity=max(1, cost.records),
        unit_price_cents=0,
        total_picousd=total_picousd,
        covered_by="none",
        tier=tier,
        occurred_at=cost.recorded_at,
        recorded_at=cost.recorded_at,
    )


def next_nth(records: Sequence[UsageRow]) -> int:
    """A number that no record of an announcement has, also where some before it are gone."""
    return 1 + max((int(each.source_id.partition("/")[2] or 0) for each in records), default=-1)


def sequence_of(record: UsageRow) -> int:
    """The announcement that a record is of."""
    return int(record.source_id.partition("/")[0])

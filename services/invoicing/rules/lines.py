"""The lines of an invoice: one a kind and price, each rounded once, the rest carried on."""

from collections.abc import Mapping, Sequence

from services.invoicing.rules.profiles import next_month
from services.invoicing.tables.rows import LineRow, Use
from shared.contracts.invoicing import UsageType
from shared.money import PICOUSD_PER_CENT, half_even

DESCRIPTIONS: Mapping[UsageType, str] = {
    "workflow_completion": "Completed workflows",
    "llm_cost": "LLM usage",
    "storage": "Storage beyond the plan (GB)",
}
# By kind and price: what rounding has left over, in pico-dollars.
Carries = Mapping[tuple[UsageType, int], int]


def make_lines(
    organization_id: str, invoice_id: str, uses: Sequence[Use], carries: Carries
) -> tuple[LineRow, ...]:
    """A line for each kind and price, in the order of their positions.

    Each is rounded once, together with what the line before it of its kind and price left over.
    """
    carried = dict(carries)
    lines = []
    for use in sorted(uses, key=lambda use: use.position):
        key = use.usage_type, use.unit_price_cents
        exact = carried.get(key, 0) + use.exact_picousd
        total_cents = half_even(exact, PICOUSD_PER_CENT)
        lines.append(_line(organization_id, invoice_id, use, carried.get(key, 0), total_cents))
        carried[key] = exact - total_cents * PICOUSD_PER_CENT
    return tuple(lines)


def _line(
    organization_id: str, invoice_id: str, use: Use, carried_in: int, total_cents: int
) -> LineRow:
    adjusts = use.late_month is not None or use.corrects_invoice is not None
    return LineRow(
        organization_id=organization_id,
        invoice_id=invoice_id,
        position=use.position,
        kind="adjustment" if adjusts else use.usage_type,
        usage_type=use.usage_type,
        description=_describe(use),
        quantity=use.quantity,
        unit_price_cents=use.unit_price_cents,
        carried_in_picousd=carried_in,
        exact_picousd=use.exact_picousd,
        total_cents=total_cents,
        ticket_id=use.ticket_id,
        period_start=use.late_month,
        period_end=next_month(use.late_month) if use.late_month else None,
        corrects_invoice=use.corrects_invoice,
    )


def _describe(use: Use) -> str:
    what = DESCRIPTIONS[use.usage_type]
    if use.corrects_invoice is not None:
        return f"{what}, correction of invoice {use.corrects_invoice}"
    if use.late_month is not None:
        return f"{what} of {use.late_month:%B %Y}, reported late"
    return what


def left_over(lines: Sequence[LineRow]) -> dict[tuple[UsageType, int], int]:
    """By how much an invoice changes each carry: what its lines did not bill, or billed too much.

    Taking an invoice back is the same with the sign turned.
    """
    changes: dict[tuple[UsageType, int], int] = {}
    for line in lines:
        if line.usage_type is not None:
            key = line.usage_type, line.unit_price_cents
            rest = line.exact_picousd - line.total_cents * PICOUSD_PER_CENT
            changes[key] = changes.get(key, 0) + rest
    return changes

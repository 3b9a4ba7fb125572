"""Whether bus, records, roll-ups, announcements and API agree, to the pico-dollar."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from deploy.traces import ORGANIZATIONS
from shared.contracts.cost_metering import ControlTotals
from shared.money import PICOUSD_PER_USD


class Seen(NamedTuple):
    """One organization's sums, by its API and by its service's control totals."""

    api: Mapping[str, Any]
    control: ControlTotals


def summary_table(answers: Sequence[Mapping[str, Any]]) -> Table:
    """What the API says per provider and model, over all organizations of the demo."""
    rows: dict[tuple[str, str], list[float]] = {}
    for answer in answers:
        for item in answer["breakdown"]:
            row = rows.setdefault((item["provider"], item["model"]), [0, 0, 0])
            row[0] += item["records"]
            row[1] += item["tokens"]
            row[2] += item["cost"]
    table = Table(title="What the calls cost", caption="GET …/costs/summary of each organization")
    for name in ("provider", "model"):
        table.add_column(name)
    for name in ("calls", "tokens", "cost in USD"):
        table.add_column(name, justify="right")
    for (provider, model), (records, tokens, cost) in sorted(rows.items(), key=lambda r: -r[1][2]):
        table.add_row(provider, model, f"{records:,}", f"{tokens:,}", f"{cost:,.6f}")
    return table


def judge(
    console: Console,
    before: Mapping[str, Seen],
    after: Mapping[str, Seen],
    expected: Mapping[str, int],
    acknowledged: Mapping[str, int],
) -> int:
    """Say whether bus, records, roll-ups, announcements and API agree to the pico-dollar."""
    table = Table(
        title="Who counted what of this replay, and what it came to so far",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column("organization", no_wrap=True)
    for name in ("calls", "bus", "records", "sums", "told", "API"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("USD by all", justify="right", no_wrap=True)
    agree = True
    for name in ORGANIZATIONS:
        counts = [expected[name], acknowledged[name], *_grown(before[name], after[name])]
        costs = {_dollars(cost) for cost in _costs(after[name])}
        agree &= len(set(counts)) == 1 and len(costs) == 1 and after[name].control.holes == 0
        table.add_row(name, *(f"{count:,}" for count in counts), " ≠ ".join(sorted(costs)))
    console.print(table)
    console.print("All agree to the pico-dollar." if agree else "[red]They do not agree.[/red]")
    return 0 if agree else 1


def _dollars(picousd: int) -> str:
    whole, fraction = divmod(picousd, PICOUSD_PER_USD)
    return f"{whole:,}.{fraction:012d}"


def _grown(before: Seen, after: Seen) -> list[int]:
    names = ("records", "rollups_records", "announced_records")
    grown = [getattr(after.control, name) - getattr(before.control, name) for name in names]
    return [*grown, after.api["record_count"] - before.api["record_count"]]


def _costs(seen: Seen) -> list[int]:
    names = ("records_cost_picousd", "rollups_cost_picousd", "announced_cost_picousd")
    # A float holds a whole number of pico-dollars exactly up to $9,007.
    api = round(seen.api["total_cost"] * PICOUSD_PER_USD)
    return [*(getattr(seen.control, name) for name in names), api]

"""What each figure should reach on two shared cores, from the design, and whether it did."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Bar(NamedTuple):
    """A bar for a figure of a bench; with `over`, for its ratio to another figure of the run."""

    bench: str
    what: str
    figure: str
    least: float | None = None
    most: float | None = None
    over: str | None = None

    def value(self, figures: Mapping[str, Any]) -> float:
        """What was measured."""
        found = float(figures[self.figure])
        return round(found / float(figures[self.over]), 2) if self.over else found

    def is_held(self, figures: Mapping[str, Any]) -> bool:
        """Whether that is enough."""
        value = self.value(figures)
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    @property
    def wanted(self) -> str:
        """The bar in signs."""
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


BARS = (
    Bar("pricing", "decode, validate and price against the price library", "ratio", least=10),
    Bar("agent_client", "p99 of a record call, µs", "paced_record_p99_us", most=1_000),
    Bar("ingest", "one meter against plain one-connection COPY", "meter_1 / copy_1", least=0.6),
    Bar("ingest", "two meters against plain one-connection COPY", "meter_2 / copy_1", least=0.8),
    Bar("live", "from the bus to a live stream, p95, ms", "p95_ms", most=1_000),
    Bar("page", "a call to the bar that has grown, p95, ms", "p95_ms", most=1_000),
    Bar("page", "the same while many come, p95, ms", "busy_p95_ms", most=1_000),
    Bar("reads", "summary over all records, p99, ms", "summary_p99_ms", most=50),
    Bar("reads", "daily costs over all records, p99, ms", "daily_p99_ms", most=50),
    Bar("reads", "a gateway's read against a bare route", "gateway / bare", least=0.125),
    Bar(
        "reservations",
        "batches against one transaction each",
        "batches against one transaction each",
        least=20,
    ),
    Bar(
        "holds",
        "batches against a transaction each",
        "batches against a transaction each",
        least=20,
    ),
    Bar(
        "close",
        "accounts closed per second",
        "accounts closed per second, all with usage, without credits",
        least=200,
    ),
    Bar(
        "close",
        "memory for 100,000 accounts against 1,000",
        "largest memory closing 100,000 accounts, MiB",
        most=1.25,
        over="largest memory closing 1,000 accounts, MiB",
    ),
)


def judge(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every bar of the benches that ran, as a row of a table: what, measured, bar, held or not."""
    return [
        f"| {bar.bench}: {bar.what} | {bar.value(figures):g} | {bar.wanted} |"
        f" {'held' if bar.is_held(figures) else 'NOT HELD'} |"
        for bar in BARS
        if (figures := results.get(bar.bench)) is not None
    ]

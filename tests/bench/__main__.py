"""`make bench`: measures ratios in one run, holds them to their bars and writes a report."""

import argparse
import asyncio
import inspect
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.bench import (
    agent_client,
    close,
    holds,
    ingest,
    live,
    page,
    pricing,
    reads,
    reservations,
)
from tests.bench.bars import judge

BENCHES: dict[str, Callable[[], Any]] = {
    "pricing": pricing.measure,
    "agent_client": agent_client.measure,
    "ingest": ingest.measure,
    "live": live.measure,
    "page": page.measure,
    "reads": reads.measure,
    "reservations": reservations.measure,
    "holds": holds.measure,
    "close": close.measure,
}


def main() -> None:
    """Run the benches that are named, or all of them."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; all")
    parser.add_argument("--report", type=Path, default=Path("var/bench"), help="folder to write to")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHES.keys():
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    results: dict[str, Any] = {}
    for name in options.names or BENCHES:
        print(f"{name} …", flush=True)
        measured = BENCHES[name]()
        results[name] = asyncio.run(measured) if inspect.iscoroutine(measured) else measured
        print(json.dumps(results[name], indent=2), flush=True)
    write_report(options.report, results)


def machine() -> str:
    """What it ran on, in a line."""
    memory = psutil.virtual_memory().total // 2**30
    return (
        f"{platform.system()} {platform.release()}, {psutil.cpu_count()} cores, {memory} GiB, "
        f"Python {platform.python_version()}, load {psutil.getloadavg()[0]:.1f}"
    )


def write_report(folder: Path, results: dict[str, Any]) -> None:
    """`report.md` to read and `report.json` to compare."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Benches", "", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}.", ""]
    for name, figures in results.items():
        lines += [f"## {name}", "", "| what | figure |", "|---|---|"]
        lines += [f"| {what} | {figure} |" for what, figure in figures.items()] + [""]
    judged = judge(results)
    lines += ["## Bars", "", "| what | measured | bar | |", "|---|---|---|---|", *judged, ""]
    (folder / "report.md").write_text("\n".join(lines))
    (folder / "report.json").write_text(json.dumps({"machine": machine(), **results}, indent=2))
    print("\n".join(judged))
    print(f"Report: {folder / 'report.md'}")


if __name__ == "__main__":
    main()

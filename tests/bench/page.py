"""From an agent's call to the bar that has grown in an open page, in a real browser."""

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.frontend.playing import installation, play


def measure() -> dict[str, Any]:
    """Milliseconds from a call to the painted bar, one by one and while many come."""
    with tempfile.TemporaryDirectory() as folder:
        home, report = Path(folder) / "installation", Path(folder) / "report.json"
        home.mkdir()
        with installation(home) as running:
            settings = {"BENCH_REPORT": str(report)}
            play(running, "bench", "growth", output=Path(folder) / "results", settings=settings)
        figures: dict[str, Any] = json.loads(report.read_text())
        return figures


if __name__ == "__main__":
    print(measure())

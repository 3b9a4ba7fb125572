"""What the terminal shows: live lines where there is a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

NAME_WIDTH = 20


class Screen:
    """Shows what starts and what is ready, as it happens."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)
        self._begun: dict[str, float] = {}
        self._lines: dict[str, Text | Spinner] = {}
        self._live = Live(console=self._console, auto_refresh=True, refresh_per_second=10)
        self._is_live = False

    def __enter__(self) -> Self:
        """Begin to show, with an empty list."""
        self._lines.clear()
        if self._console.is_terminal:
            self._live.start()
            self._is_live = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave what was shown as it stands."""
        self.settle()

    def begin(self, name: str, doing: str = "starting") -> None:
        """`name` is being started, prepared, stopped."""
        self._begun[name] = time.monotonic()
        self._lines[name] = Spinner("dots", Text(f"{name:<{NAME_WIDTH}} {doing}"))
        self._show()

    def done(self, name: str, state: str = "ready") -> None:
        """`name` is what it was to be."""
        text = f"{name:<{NAME_WIDTH}} {state} after {time.monotonic() - self._begun[name]:.1f} s"
        self._lines[name] = Text(f"✓ {text}", style="green")
        self._show()
        if not self._is_live:
            self._console.print(text)

    def settle(self) -> None:
        """End the live lines; what comes next is printed below them."""
        if self._is_live:
            self._lines = {
                name: line for name, line in self._lines.items() if isinstance(line, Text)
            }
            self._show()
            self._live.stop()
            self._is_live = False

    def say(self, text: str, style: str = "") -> None:
        """Something that the user should read."""
        self._console.print(Text(text, style=style))

    def _show(self) -> None:
        if self._is_live:
            self._live.update(Group(*self._lines.values()))

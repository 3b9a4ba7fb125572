"""An operator at the machine, who runs the commands."""

import asyncio
from collections.abc import Callable

import pytest

from tests.chassis.stage import Stage

Main = Callable[[list[str]], int]


class Operator:
    """Runs the command as an operator does."""

    def __init__(self, main: Main, stage: Stage, capture: pytest.CaptureFixture[str]) -> None:
        self._main = main
        self._stage = stage
        self._capture = capture

    async def __call__(self, command: str, *arguments: str, service: str = "ledger") -> str:
        """What a command that succeeds prints."""
        code, printed, _ = await self.run(command, *arguments, service=service)
        assert code == 0
        return printed

    async def run(self, command: str, *arguments: str, service: str) -> tuple[int, str, str]:
        where = ["--home", str(self._stage.folder), "--nats-url", self._stage.nats.url]
        self._capture.readouterr()
        code = await asyncio.to_thread(
            self._main, [command, "--service", service, *where, *arguments]
        )
        printed = self._capture.readouterr()
        return code, printed.out, printed.err

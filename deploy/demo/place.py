"""Where the installation is that the demo talks to; started for its length if there is none."""

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from deploy.traces import ORGANIZATIONS

START_SECONDS = 120


class DemoFailed(Exception):
    """The demo cannot go on; the message is a sentence for the user."""


@dataclass(frozen=True)
class Place:
    """An installation: its folder, its gateway, its bus."""

    home: Path
    address: str
    nats_url: str

    def answers(self) -> bool:
        """Whether it runs."""
        try:
            ready = httpx.get(f"{self.address}/readyz", timeout=2, trust_env=False)
        except httpx.TransportError:
            return False
        return ready.status_code == 200

    def start(self, console: Console, ending: ExitStack) -> None:
        """Start it, until `ending` is closed."""
        console.print("Nothing runs yet, so everything is started for the demo.")
        command = [sys.executable, "-m", "deploy.local", "--home", str(self.home)]
        command.append("--stop-with-parent")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ending.callback(process.wait)
        ending.callback(process.terminate)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(
                    "It did not start; `make run` says why. What runs with a PORT of its own"
                    " is found by giving it here, too."
                )
            time.sleep(0.2)

    def token(self) -> str:
        """A token of an owner of every organization of the demo."""
        command = [sys.executable, "-m", "services.gateway.tokens", "--home", str(self.home)]
        for name in ORGANIZATIONS:
            command += ["--organization", name]
        command += ["--role", "owner"]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        return made.stdout.strip()

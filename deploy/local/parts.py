"""The parts of an installation: two servers, the processes, the gateway, perhaps a sandbox."""

import http.client
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from deploy.embedded import NatsServer, Postgres
from deploy.embedded.process import Child
from deploy.local.environments import Environments
from deploy.local.options import Options
from deploy.provisioning import ServiceDatabase
from deploy.services import GATEWAY
from deploy.stripe import SANDBOX

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_SECONDS = 60
# A service takes at most half a minute to finish what it has begun.
DRAIN_TIMEOUT_SECONDS = 40


class Part(Protocol):
    """Something that is started, watched and stopped; each call blocks until it is done."""

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        ...

    def start(self) -> None:
        """Start it and wait until it is ready; raises ServerFailed."""
        ...

    def stop(self) -> None:
        """Let it finish, then see it end."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


@runtime_checkable
class Probed(Protocol):
    """A part that can be asked whether it still gets anything done."""

    def is_alive(self) -> bool:
        """What it answers to a probe; no answer is a no."""
        ...


class ServiceProcess:
    """One process of a service or the gateway, ready when its `/readyz` says so."""

    def __init__(
        self, module: str, name: str, port: int, environment: Mapping[str, str], home: Path
    ) -> None:
        self.port = port
        self._module = module
        self._home = home
        self._environment = {
            **environment,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }
        # Killed, not drained, when we are killed ourselves: its servers are gone then as well.
        self._child = Child(
            name,
            home / "logs" / f"{name}.log",
            death_signal=signal.SIGKILL,
            stop_signal=signal.SIGTERM,
        )

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._child.is_running

    def start(self) -> None:
        """Start it and wait until it is ready; raises ServerFailed."""
        self._child.start(
            [sys.executable, "-m", self._module], folder=self._home, environment=self._environment
        )
        self._child.wait_until(self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Let it drain."""
        self._child.stop(DRAIN_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def is_alive(self) -> bool:
        """Whether its `/livez` says that it works."""
        return self._is_fine("/livez")

    def _is_ready(self) -> bool:
        return self._is_fine("/readyz")

    def _is_fine(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def embedded_postgres(options: Options) -> Postgres:
    """The server that keeps the records."""
    return Postgres(
        options.home / "postgres",
        options.ports["POSTGRES_PORT"],
        log_path=options.logs / "postgres.log",
    )


def embedded_nats(options: Options, accounts: str) -> NatsServer:
    """The bus; `accounts` says who may connect."""
    return NatsServer(
        options.home / "nats",
        options.ports["NATS_PORT"],
        options.ports["NATS_MONITOR_PORT"],
        accounts,
        log_path=options.logs / "nats.log",
    )


def sandbox_process(options: Options, environment: Mapping[str, str]) -> ServiceProcess:
    """The Stripe of an installation without keys."""
    port = options.ports["SANDBOX_PORT"]
    return ServiceProcess(f"services.{SANDBOX}", SANDBOX, port, environment, options.home)


def service_processes(
    options: Options, environments: Environments, databases: Mapping[str, ServiceDatabase]
) -> dict[str, Part]:
    """Every replica of every service, by name."""
    return {
        name: ServiceProcess(
            f"services.{service}",
            name,
            port,
            {**environments[service], "DATABASE_URL": databases[service].dsn},
            options.home,
        )
        for name, service, port in options.service_replicas()
    }


def gateway_process(options: Options, environment: Mapping[str, str]) -> ServiceProcess:
    """The gateway, on the port that users see."""
    port = options.ports["PORT"]
    return ServiceProcess(f"services.{GATEWAY}", GATEWAY, port, environment, options.home)

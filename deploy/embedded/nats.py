"""An embedded NATS server with JetStream: every acknowledged message is on disk first."""

import http.client
import shutil
import signal
import sys
from pathlib import Path

from deploy.bus_config import GIGABYTE, server_configuration
from deploy.embedded.process import Child, ServerFailed, require_free_port
from deploy.files import write_private

START_TIMEOUT_SECONDS = 60


class NatsServer:
    """One NATS server with all its files in `directory`, on two loopback ports.

    `accounts` is the part of its configuration that says who may connect (`deploy.bus_config`).
    `durable=False` is for measurements only: acknowledged messages are then synced every 2 min.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        monitor_port: int,
        accounts: str,
        *,
        log_path: Path | None = None,
        durable: bool = True,
        max_file_bytes: int = 8 * GIGABYTE,
    ) -> None:
        """`max_file_bytes` bounds all streams together."""
        self.directory = directory.absolute()
        self.port = port
        self.monitor_port = monitor_port
        self._accounts = accounts
        self._durable = durable
        self._max_file_bytes = max_file_bytes
        self._child = Child(
            "NATS", log_path or self.directory / "nats.log", death_signal=signal.SIGTERM
        )

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._child.is_running

    def start(self) -> None:
        """Start on new or existing streams and wait until it is healthy.

        Raises PortTaken or ServerFailed, each with a sentence for the user.
        """
        require_free_port(self.port, "NATS")
        require_free_port(self.monitor_port, "NATS's monitoring")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = self.directory / "nats.conf"
        write_private(config, self._configuration())
        self._child.start([_binary(), "--config", config], folder=self.directory)
        self._child.wait_until(self._is_healthy, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Ask it to shut down and wait."""
        self._child.stop()

    def kill(self) -> None:
        """`kill -9`, as a crash would."""
        self._child.kill()

    def _configuration(self) -> str:
        return server_configuration(
            self._accounts,
            self.directory,
            port=self.port,
            monitor_port=self.monitor_port,
            durable=self._durable,
            max_file_bytes=self._max_file_bytes,
        )

    def _is_healthy(self) -> bool:
        """Plain `/healthz`, which unlike its variants also sees a full disk."""
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def _binary() -> Path:
    beside_python = Path(sys.executable).with_name("nats-server")
    found = beside_python if beside_python.exists() else shutil.which("nats-server")
    if found is None:
        raise ServerFailed("nats-server is not installed; install the project again.")
    return Path(found)

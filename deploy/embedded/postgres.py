"""An embedded PostgreSQL with our own safe settings: passwords everywhere, every commit synced."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.embedded.home import SHARED_ROOT, PostgresHome, find_home
from deploy.embedded.process import (
    Child,
    ServerFailed,
    clean_environment,
    launch_command,
    require_free_port,
    wait_until_dead,
)
from deploy.files import write_private

# Without these, a power cut loses what was committed (measured: fsync=off lost everything).
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "password_encryption": "scram-sha-256",
    # A forgotten transaction or lock must not hold everybody else up for ever.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # Clients log their own errors; statements and values may hold personal data.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
ADMIN = "postgres"
START_TIMEOUT_SECONDS = 120  # Recovery after a crash reads the log again, up to max_wal_size.
FAST_SHUTDOWN = signal.SIGINT


class Postgres:
    """One PostgreSQL 18 server with all its files in `directory`, on a loopback port.

    `durable=False` is for tests that never cut the power: it turns syncing off. Anything unsafe
    in `settings` is refused without it.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        log_path: Path | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        shared_root: Path = SHARED_ROOT,
    ) -> None:
        """`settings` come on top of ours; raises ServerFailed when one of them is unsafe."""
        self.directory = directory.absolute()
        self.port = port
        self._settings = _checked_settings(durable, settings or {})
        self._durable = durable
        self._shared_root = shared_root
        self._home: PostgresHome | None = None
        self._child = Child(
            "PostgreSQL", log_path or self.directory / "postgres.log", death_signal=FAST_SHUTDOWN
        )

    @property
    def dsn(self) -> str:
        """The administrator's address, over TCP; raises ServerFailed before the first start."""
        return f"postgresql://{ADMIN}:{self._password()}@127.0.0.1:{self.port}/{ADMIN}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the postmaster is there."""
        return self._child.is_running

    @property
    def run_as(self) -> str:
        """`myself`, `namespace` or `UID:GID`; known once started."""
        return self._started_home().run_as

    @property
    def socket_folder(self) -> Path:
        """The private folder of its Unix socket; known once started."""
        return self._started_home().sockets

    def start(self) -> None:
        """Start on new or existing data and wait until it takes connections.

        Raises PortTaken or ServerFailed, each with a sentence for the user.
        """
        require_free_port(self.port, "PostgreSQL")
        self._home = find_home(self.directory, self._shared_root)
        if not self._home.data.exists():
            self._initialise(self._home)
        _clear_leftovers(self._home.data)
        program: list[str | Path] = [self._home.program("postgres"), "-D", self._home.data]
        for name, value in self._command_settings(self._home).items():
            program += ["-c", f"{name}={value}"]
        self._child.start(program, folder=self._home.folder, run_as=self._home.run_as)
        self._child.wait_until(self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, the data are left clean."""
        self._child.stop()

    def kill(self) -> None:
        """`kill -9` of the server and all its backends, as a crash would."""
        self._child.kill()

    def _command_settings(self, home: PostgresHome) -> dict[str, str]:
        # On the command line, because there `ALTER SYSTEM` cannot weaken them.
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(home.sockets),
            **self._settings,
        }

    def _initialise(self, home: PostgresHome) -> None:
        password = secrets.token_urlsafe(24)
        write_private(self.directory / "password", password)
        # A name of its own until it is complete: a start cut short is begun again.
        partial = home.data.with_name("data.new")
        shutil.rmtree(partial, ignore_errors=True)
        password_file = home.folder / "password.new"
        write_private(password_file, password)
        home.own(password_file)
        program: list[str | Path] = [
            home.program("initdb"),
            f"--pgdata={partial}",
            f"--username={ADMIN}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            *([] if self._durable else ["--no-sync"]),
        ]
        result = subprocess.run(
            launch_command(program, home.folder, home.run_as, signal.SIGKILL),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_SECONDS,
            check=False,
        )
        password_file.unlink()
        if result.returncode != 0:
            raise ServerFailed(f"PostgreSQL's data could not be made: {result.stderr.strip()}")
        partial.rename(home.data)

    def _is_ready(self) -> bool:
        """Read what the server writes for `pg_ctl`: its pid in line 1, its state in line 8."""
        try:
            lines = (self._started_home().data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _started_home(self) -> PostgresHome:
        if self._home is None:
            raise ServerFailed("PostgreSQL was not started.")
        return self._home

    def _password(self) -> str:
        try:
            return (self.directory / "password").read_text()
        except FileNotFoundError as error:
            raise ServerFailed(f"{self.directory / 'password'} is missing.") from error


def _checked_settings(durable: bool, extra: Mapping[str, str]) -> dict[str, str]:
    unsafe = [name for name in DURABILITY if extra.get(name, "on") != "on"]
    if durable and unsafe:
        raise ServerFailed(f"PostgreSQL will not start with {unsafe[0]}={extra[unsafe[0]]}.")
    # Only fsync gives way for tests: without the others even `kill -9` loses commits.
    safe = dict.fromkeys(DURABILITY, "on") | ({} if durable else {"fsync": "off"})
    return {**SETTINGS, **safe, **extra}


def _clear_leftovers(data: Path) -> None:
    """End backends that outlived a killed postmaster, and forget its process id.

    After a crash the id may belong to somebody else by now, and PostgreSQL would then refuse.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text().split("\n", 1)[0])
    leftovers = [process for process in psutil.process_iter() if _works_in(process, data)]
    if any(process.pid == pid for process in leftovers):
        raise ServerFailed(f"PostgreSQL runs on {data} already, as process {pid}.")
    for process in leftovers:
        process.kill()
    wait_until_dead(leftovers)
    lock.unlink()


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Whether a process is a PostgreSQL one on these data."""
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    except psutil.Error:
        return False

"""A server as a child process: started, watched, stopped, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

LAUNCHER = Path(__file__).with_name("launch.py")
MYSELF = "myself"
LOG_TAIL_BYTES = 2000
POLL_SECONDS = 0.01

# The kernel ties a child to the *thread* that made it, so children are made by one thread that
# lives as long as the process, whoever calls.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")


class ServerFailed(RuntimeError):
    """A server did not start; the message is a sentence, and the end of its log."""


class PortTaken(ServerFailed):
    """Somebody else listens on the port."""


def require_free_port(port: int, server: str) -> None:
    """Raise PortTaken, in one sentence, when a loopback port cannot be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} is taken; stop what listens there or give {server} another port."
            ) from error


def launch_command(
    program: Sequence[str | Path], folder: Path, run_as: str, death_signal: int
) -> list[str]:
    """The command that runs a program through `launch.py`, in `folder`, as `run_as`."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [
        *launcher,
        run_as,
        str(int(death_signal)),
        str(os.getpid()),
        str(folder),
        *map(str, program),
    ]


def clean_environment() -> dict[str, str]:
    """An environment without settings of ours or of libpq that a server could pick up."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def kill_tree(pid: int) -> None:
    """`kill -9` a process and all its descendants; returns when they are gone."""
    try:
        parent = psutil.Process(pid)
        # Stopped first, so that it cannot make children behind our back.
        parent.suspend()
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    wait_until_dead(family)


def wait_until_dead(processes: Sequence[psutil.Process], timeout_seconds: float = 10) -> None:
    """Wait for killed processes, whether or not init has collected them yet."""
    deadline = time.monotonic() + timeout_seconds
    while any(_is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Child:
    """One server process. Ctrl-C in a terminal does not reach it: its owner stops it, in order."""

    def __init__(
        self,
        name: str,
        log_path: Path,
        *,
        death_signal: signal.Signals,
        stop_signal: signal.Signals | None = None,
    ) -> None:
        """The kernel sends `death_signal` when we die; `stop` sends it too, if given no other."""
        self.name = name
        self._log_path = log_path
        self._death_signal = death_signal
        self._stop_signal = stop_signal or death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id; raises ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed(f"{self.name} was not started.")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(
        self,
        program: Sequence[str | Path],
        *,
        folder: Path,
        run_as: str = MYSELF,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program; its output is appended to the log.

        `environment` is what it gets on top of a clean one.
        """
        command = launch_command(program, folder, run_as, self._death_signal)
        self._log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            self._log_start = log.tell()
            self._process = _starter.submit(
                subprocess.Popen,
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **(environment or {})},
                start_new_session=True,
            ).result()

    def wait_until(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait for readiness; raise ServerFailed with the end of the log when it does not come."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_running:
            if is_ready():
                return
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(
                    f"{self.name} was not ready after {timeout_seconds:g} s.{self._log_tail()}"
                )
            time.sleep(POLL_SECONDS)
        raise ServerFailed(f"{self.name} ended while starting.{self._log_tail()}")

    def stop(self, timeout_seconds: float = 30) -> None:
        """Ask it to stop and wait; after the timeout, kill it. Harmless when it is gone."""
        if self._process is None or not self.is_running:
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9` of the whole tree, as a crash would."""
        # Once it is collected, its process id may be somebody else's.
        if self._process is None or not self.is_running:
            return
        kill_tree(self._process.pid)
        self._process.wait(10)

    def _log_tail(self) -> str:
        with self._log_path.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")[-LOG_TAIL_BYTES:].strip()
        return f" {self._log_path} ends with:\n{text}" if text else f" {self._log_path} is empty."

"""Starts stripe_gateway quickly, as often as tests kill it: all is imported once, then forked.

Reads an environment as JSON from each line of its input, and answers the new process's id.
"""

import json
import os
import signal
import sys
from pathlib import Path

from services.stripe_gateway.app import service
from shared import failpoints
from shared.process import main


def run(environment: dict[str, str]) -> None:
    """Be stripe_gateway, as if started with this environment."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(environment["LOG_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(environment)
    failpoints._armed.update(failpoints._parse(environment.get("FAILPOINTS", "")))
    main(service, ["run"])


def attend() -> None:
    """Give birth on request, until the input ends; the dead need no burial."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                run(json.loads(line))
            finally:
                os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    attend()

"""`python -m deploy.local --help`."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

from deploy.local.lock import only_one_in
from deploy.local.options import WrongOption, read_options, require_free_ports
from deploy.local.run import run
from deploy.local.screen import Screen

PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        options = read_options(arguments)
        if options.stop_with_parent:
            _stop_with_parent()
        with only_one_in(options.home):
            require_free_ports(options)
            return asyncio.run(run(options, Screen()))
    except WrongOption as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _stop_with_parent() -> None:
    """Have the kernel ask us to stop when our parent ends, however it ends."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM)) != 0 or os.getppid() != parent:
        raise WrongOption("The process that started this one is gone already.")


if __name__ == "__main__":
    sys.exit(main())

"""One installation runs once: its folder is held by a lock that dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.options import WrongOption


@contextmanager
def only_one_in(home: Path) -> Iterator[None]:
    """Hold a folder, made when missing, for this process alone; raises WrongOption."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (home / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise WrongOption(
            f"{home} cannot be written ({error.strerror}); choose a folder with BILLING_HOME."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise WrongOption(
                f"{home} is in use by process {file.read()}; stop that one, or choose another "
                "folder with BILLING_HOME, and other ports."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

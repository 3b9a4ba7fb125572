"""Become whom a server must run as, tie it to its parent, then become the server itself.

Run as a script by `process.py`, never imported, so that nothing has to happen between fork and
exec inside a Python process with threads:

    python -I -S launch.py RUN_AS DEATH_SIGNAL PARENT_PID FOLDER PROGRAM ARGUMENT...

`RUN_AS` is `myself`, `namespace` (root only: a user namespace that knows one uid, which is not
root inside and is root's own outside) or `UID:GID`. When the parent dies, even by `kill -9`, the
kernel sends DEATH_SIGNAL.
"""

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
# Any uid that is not 0: PostgreSQL only refuses to run as root.
UID_INSIDE = 1000
LAUNCH_FAILED = 125


def enter_namespace(libc: ctypes.CDLL) -> None:
    """Leave root's privileges: files still belong to our own uid, which is called 1000 here."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "a user namespace was refused")
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/gid_map").write_text(f"{UID_INSIDE} {gid} 1", "ascii")
    Path("/proc/self/uid_map").write_text(f"{UID_INSIDE} {uid} 1", "ascii")


def become(run_as: str, libc: ctypes.CDLL) -> None:
    """Change identity for good."""
    if run_as == "namespace":
        enter_namespace(libc)
    elif run_as != "myself":
        uid, gid = (int(part) for part in run_as.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main(run_as: str, death_signal: str, parent: str, folder: str, *program: str) -> None:
    """Prepare this process and replace it; does not return."""
    libc = ctypes.CDLL(None, use_errno=True)
    become(run_as, libc)
    # After the change of identity, because that change forgets the signal.
    if libc.prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused to tie the server to its parent")
    if os.getppid() != int(parent):
        raise OSError("the parent is gone already")
    os.umask(0o077)
    os.chdir(folder)
    if not os.access(".", os.W_OK):
        raise OSError(f"{folder} is not writable as {run_as}")
    os.execv(program[0], program)  # noqa: S606  (no shell is the point)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(LAUNCH_FAILED)

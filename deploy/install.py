"""Makes the virtual environment with the pinned packages: `python3 deploy/install.py --help`.

It runs before anything is installed, so it uses the standard library only, and what a bare system
lacks it says in a sentence.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT, CONSTRAINTS = ROOT / "pyproject.toml", ROOT / "constraints.txt"
OLDEST, NEWEST = (3, 11), (3, 13)
STAMP = "installed"


class CannotInstall(Exception):
    """The message is a sentence for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what is not installed yet; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        require_python(sys.version_info[:2])
        with _alone():
            install(options.venv, set(options.extra))
    except CannotInstall as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def require_python(version: Sequence[int]) -> None:
    """Raise CannotInstall for a Python that this project does not run on."""
    if not OLDEST <= tuple(version) <= NEWEST:
        found = ".".join(map(str, version))
        raise CannotInstall(
            f"Python {found} cannot be used, it takes 3.11, 3.12 or 3.13; "
            "name another one with PYTHON=/path/to/python3.11."
        )


def install(venv: Path, extras: set[str]) -> None:
    """Bring an environment up to date with pyproject.toml and constraints.txt.

    `extras` are names of optional dependencies. An environment that is up to date, or has more
    extras than these, is left alone. Raises CannotInstall.
    """
    stamp = venv / STAMP
    digest, *installed = stamp.read_text().split() if stamp.exists() else [""]
    if digest == wanted_digest() and extras <= set(installed):
        return
    python = venv / "bin" / "python"
    if not _is_ours(python):
        _make(venv)
    extras = extras | set(installed)
    sys.stderr.write(f"Installing the pinned packages into {venv}, which is needed once.\n")
    options = ["--quiet", "--disable-pip-version-check", "--constraint", str(CONSTRAINTS)]
    _run([python, "-m", "pip", "install", *options, *requirements(extras)], "The packages")
    stamp.write_text(" ".join([wanted_digest(), *sorted(extras)]))


def wanted_digest() -> str:
    """What tells an environment that is up to date from one that is not."""
    files = PROJECT.read_bytes() + CONSTRAINTS.read_bytes()
    return hashlib.sha256(files + sys.version.encode()).hexdigest()


def requirements(extras: set[str]) -> list[str]:
    """The project's direct dependencies; their versions are in constraints.txt."""
    import tomllib  # Only after the version is known to be new enough.

    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    found: list[str] = list(project["dependencies"])
    for extra in sorted(extras):
        found += project["optional-dependencies"][extra]
    return found


def _is_ours(python: Path) -> bool:
    """Whether an environment is there, works, and is of this very Python."""
    if not python.exists():
        return False
    asked = subprocess.run(
        [python, "-c", "import sys, pip; print(sys.version)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() == sys.version.strip()


def _make(venv: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise CannotInstall(
            f"Python has no venv module here; install it with: apt-get install {package}"
        )
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", venv], f"The virtual environment {venv}")


def _run(command: Sequence[str | Path], what: str) -> None:
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if ran.returncode != 0:
        raise CannotInstall(f"{ran.stdout.strip()}\n{what} could not be installed; see above.")


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time, when several commands are given at once."""
    with PROJECT.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 deploy/install.py",
        description="Make the virtual environment, or bring it up to date; else do nothing.",
    )
    parser.add_argument("venv", type=Path, help="its folder")
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        choices=("local", "test", "ui"),
        help="also install what local runs, tests or the web page need; may be repeated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

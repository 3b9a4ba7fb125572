"""Plays what is in the page's `e2e` in a real browser, against an installation."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.frontend import FRONTEND, build, environment_of, find_node, install_packages
from tests.deploy.local_run import READY, LocalRun

INSTALL_SECONDS = 300
START_SECONDS = 180
PLAY_SECONDS = 1200


class NotPlayed(Exception):
    """The message is what was printed, or a sentence."""


def find_chromium() -> str:
    """The browser: the machine's, or Debian's, which is installed where that is allowed."""
    found = shutil.which("chromium")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(
                ["apt-get", "--quiet", "--quiet", *command],
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=INSTALL_SECONDS,
            )
        found = shutil.which("chromium")
    if found is None:
        raise NotPlayed("The page is tested in Chromium: install Debian's package `chromium`.")
    return found


@contextmanager
def installation(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[LocalRun]:
    """Everything that `make run` starts, with the page built."""
    install_packages(find_node(print), print, tests=True)
    build(print)
    with LocalRun(home, settings=settings) as running:
        running.wait_for(READY, timeout_seconds=START_SECONDS)
        yield running
        running.end()


def play(
    running: LocalRun,
    project: str,
    *names: str,
    output: Path,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Run files of a project of playwright.config.ts; raises NotPlayed for one that fails."""
    node = find_node(print)
    cli = FRONTEND / "node_modules" / "@playwright" / "test" / "cli.js"
    arguments = ["--project", project, "--output", str(output)]
    done = subprocess.run(
        [str(node.node), str(cli), "test", *names, *arguments],
        cwd=FRONTEND,
        env={
            **environment_of(node),
            "NODE_ENV": "test",
            "NO_COLOR": "1",
            "BILLING_URL": f"http://127.0.0.1:{running.ports['PORT']}",
            "BILLING_HOME": str(running.home),
            **{name: str(running.ports[name]) for name in ("NATS_PORT", "SANDBOX_PORT", "PORT")},
            "PYTHON": sys.executable,
            "CHROMIUM": find_chromium(),
            **(settings or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise NotPlayed(f"{' '.join(names)}:\n{done.stdout}")

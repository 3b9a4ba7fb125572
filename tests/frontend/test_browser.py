"""The web page in a real browser, against all of `make run`: the stories of its `e2e`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.frontend import FRONTEND, build, environment_of, find_node, install_packages
from tests.deploy.local_run import READY, LocalRun
from tests.frontend.conftest import TIMEOUT_SECONDS

STORIES = sorted(path.name for path in (FRONTEND / "e2e").glob("*.spec.ts"))
INSTALL_SECONDS = 300


@pytest.fixture(scope="module")
def chromium() -> str:
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
        pytest.fail("The page is tested in Chromium: install Debian's package `chromium`.")
    return found


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """Everything that `make run` starts, with the page built."""
    install_packages(find_node(print), print, tests=True)
    build(print)
    with LocalRun(tmp_path_factory.mktemp("installation")) as running:
        running.wait_for(READY, timeout_seconds=180)
        yield running
        running.end()


@pytest.mark.timeout(2 * TIMEOUT_SECONDS)
@pytest.mark.parametrize("story", STORIES)
def test_the_page_does_what_it_should(
    story: str, installation: LocalRun, chromium: str, tmp_path: Path
) -> None:
    node = find_node(print)
    cli = FRONTEND / "node_modules" / "@playwright" / "test" / "cli.js"
    done = subprocess.run(
        [str(node.node), str(cli), "test", story, "--output", str(tmp_path)],
        cwd=FRONTEND,
        env={
            **environment_of(node),
            "NODE_ENV": "test",
            "NO_COLOR": "1",
            "BILLING_URL": f"http://127.0.0.1:{installation.ports['PORT']}",
            "BILLING_HOME": str(installation.home),
            "NATS_PORT": str(installation.ports["NATS_PORT"]),
            "PYTHON": sys.executable,
            "CHROMIUM": chromium,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{story}:\n{done.stdout}", pytrace=False)

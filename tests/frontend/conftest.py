"""Node and its packages, found or installed once for what is tested with them."""

import subprocess
from collections.abc import Callable

import pytest

from deploy.frontend import FRONTEND, environment_of, find_node, install_packages

RunScript = Callable[[str], None]
# The first time, packages are fetched.
TIMEOUT_SECONDS = 600


@pytest.fixture(scope="session")
def run_script() -> RunScript:
    """Runs a script of services/frontend/package.json; what it printed is told if it fails."""
    node = find_node(print)
    install_packages(node, print, tests=True)

    def run(name: str) -> None:
        done = subprocess.run(
            node.npm_command("run", "--silent", name),
            cwd=FRONTEND,
            env={**environment_of(node), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"npm run {name}, in services/frontend:\n{done.stdout}", pytrace=False)

    return run

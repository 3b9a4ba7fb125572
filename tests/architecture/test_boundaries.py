"""Each boundary is broken once, in a copy of the tree, and the build notices."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.code import ROOT, owners

BREAKS = {
    "services": ("services/cost_metering/handlers/costs.py", "import services.gateway.app"),
    "upwards": ("shared/clock.py", "import services.cost_metering.rules"),
    "layers": ("services/cost_metering/store/rollups.py", "import services.cost_metering.handlers"),
    "layers: a stray file": ("services/cost_metering/helpers.py", "WHAT = 1"),
    "pure": ("services/cost_metering/rules/counting.py", "import asyncpg"),
    "pure: by a detour": ("services/cost_metering/rules/counting.py", "import shared.database"),
    "stripe": ("services/cost_metering/app.py", "import stripe"),
    "web": ("shared/health.py", "import litestar"),
    "agent_client": ("shared/agent_client/calls.py", "import shared.database"),
}


def _lint(tree: Path, contract: str) -> "subprocess.CompletedProcess[str]":
    command = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [command, "--no-cache", "--contract", contract],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "frontend")
    for name in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


@pytest.mark.parametrize("rule", BREAKS)
def test_a_broken_boundary_is_noticed(rule: str, copy: Path) -> None:
    place, line = BREAKS[rule]
    path = copy / place
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        broken = _lint(copy, rule.partition(":")[0])
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert broken.returncode == 1, broken.stdout
    assert "BROKEN" in broken.stdout


PURE = [f"services.{name}.rules" for name in owners()] + ["shared.contracts", "shared.money"]
IMPORT_ALL = """
import importlib, pkgutil, sys
whole = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(getattr(whole, "__path__", []), f"{whole.__name__}."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""


@pytest.mark.parametrize("package", PURE)
def test_what_decides_loads_nothing_that_reaches_out(package: str) -> None:
    """As it runs: importing a module also runs the packages it is in, which no linter follows."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (pure,) = (each for each in contract["contracts"] if each["id"] == "pure")
    assert set(pure["source_modules"]) == set(PURE)
    assert loaded_by(package) & set(pure["forbidden_modules"]) == set()


def test_an_agent_loads_the_bus_the_contracts_and_nothing_more() -> None:
    installed = {"msgspec", "nats", "typing_extensions"}
    ambient = loaded_by("string")  # what the virtual environment loads by itself
    assert loaded_by("shared.agent_client") - ambient - installed == {"shared"}


def loaded_by(package: str) -> set[str]:
    """The top-level packages that come with a package and all that is in it."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())

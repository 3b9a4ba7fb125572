"""Files and functions stay short, services alike, and nobody asks the machine for the time."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.code import ROOT, functions, owners, short, sources, tree

MAX_FILE_LINES = 300
# A contract module is one owner's list of data, read from top to bottom like a table.
MAX_CONTRACT_LINES = 500
MAX_FUNCTION_LINES = 50
MAX_README_LINES = 40
# The chassis without contracts (their size is the system's), migrations, and what agents import.
# Over the 20 files and 2,000 lines we set out with: answers to repeated requests, steps and the
# requests they answer, steps that were parked, cursors, jobs, pulling and the time machine each
# became clearer in a file of their own, every failure that the tests of the chassis found has its
# lines, and how a service asks others is written once, not in each of them.
MAX_CHASSIS_FILES = 29
MAX_CHASSIS_LINES = 4200

ALLOWED = {
    "__init__",
    "__main__",
    "app",
    "handlers",
    "rules",
    "store",
    "tables",
    "migrations",
    "settings",
    "README",
    # Names that were earned: what only this service has.
    "pricebook",
    "tiers",
    "documents",
    "mail",
    "stripe_api",
}


@pytest.mark.parametrize("path", sources(), ids=short)
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    longest = MAX_CONTRACT_LINES if path.parent.name == "contracts" else MAX_FILE_LINES
    assert path.read_text().count("\n") <= longest
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{function.name}: {length} lines"


def test_the_chassis_keeps_its_budget() -> None:
    own = [
        path
        for path in sources()
        if path.is_relative_to(ROOT / "shared")
        and not {"contracts", "agent_client", "migrations"} & set(path.parts)
    ]
    assert len(own) <= MAX_CHASSIS_FILES
    assert sum(path.read_text().count("\n") for path in own) <= MAX_CHASSIS_LINES


@pytest.mark.parametrize("service", owners())
def test_a_service_has_the_files_that_every_service_has(service: str) -> None:
    folder = ROOT / "services" / service
    found = {path.stem for path in folder.iterdir() if path.name != "__pycache__"}
    assert found <= ALLOWED
    assert {"__init__", "__main__", "app", "handlers", "store", "tables", "migrations"} <= found


@pytest.mark.parametrize("service", owners())
def test_a_services_readme_says_what_is_its_job_and_what_is_not(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text()
    assert text.count("\n") <= MAX_README_LINES
    for word in ("Owns", "Hears", "Says", "Answers", "Not its job"):
        assert f"**{word}**" in text, word


MACHINE_TIME = {"now", "utcnow", "today", "time", "time_ns", "current_timestamp", "current_date"}
SQL_TIME = re.compile(
    r"\b(now\(\)|current_timestamp|current_date|localtimestamp|\w+_timestamp\(\))", re.IGNORECASE
)


def _asks_the_machine(node: ast.AST) -> bool:
    """`datetime.now()`, `time.time()`, `func.now()`, or SQL that asks the server."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "SELECT" in node.value and bool(SQL_TIME.search(node.value))
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in MACHINE_TIME
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time", "func"}
    )


@pytest.mark.parametrize("service", owners())
def test_time_arrives_as_an_argument(service: str) -> None:
    for path in sources():
        if path.is_relative_to(ROOT / "services" / service):
            assert not any(_asks_the_machine(node) for node in ast.walk(tree(path))), short(path)


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        ("datetime.now(UTC)", True),
        ("time.time()", True),
        ("func.now()", True),
        ("'SELECT now()'", True),
        ("'SELECT CURRENT_DATE'", True),
        ("db.now", False),
        ("clock.now()", False),
        ("time.monotonic()", False),
    ],
)
def test_asking_the_machine_for_the_time_would_be_seen(code: str, *, asks: bool) -> None:
    assert any(_asks_the_machine(node) for node in ast.walk(ast.parse(code))) is asks


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    mark = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    this = Path(__file__)
    found = [
        short(path)
        for path in (ROOT / "tests").rglob("*.py")
        if path != this and mark.search(path.read_text())
    ]
    assert found == []


def test_no_exception_is_swallowed() -> None:
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                assert not all(isinstance(each, ast.Pass) for each in node.body), short(path)


def test_nothing_is_left_to_be_done() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b")
    assert [short(path) for path in sources() if unfinished.search(path.read_text())] == []

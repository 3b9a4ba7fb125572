"""The web page's own checks: its style and types, its unit tests, and what it weighs."""

import json
import re

import pytest

from deploy.frontend import FRONTEND, build
from tests.frontend.conftest import TIMEOUT_SECONDS, RunScript


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_page_keeps_its_style_and_fits_the_api(run_script: RunScript) -> None:
    run_script("check")


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_unit_tests_of_the_page_pass(run_script: RunScript) -> None:
    run_script("test")


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_page_is_as_light_as_it_was_promised(run_script: RunScript) -> None:
    build(print)
    run_script("size")


def test_the_lock_file_names_no_place_to_fetch_from() -> None:
    assert '"resolved"' not in (FRONTEND / "package-lock.json").read_text()


def test_every_package_has_exactly_one_version() -> None:
    package = json.loads((FRONTEND / "package.json").read_text())

    for version in [*package["dependencies"].values(), *package["devDependencies"].values()]:
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version)

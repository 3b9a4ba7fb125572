"""Fixtures of the whole suite: one set of servers, a fresh organization per test."""

from collections.abc import Generator
from uuid import uuid4

import pytest

from tests.installation import bus, servers, stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel between processes as UTF-8, which half a character in a log is not."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


@pytest.fixture
def organization() -> str:
    """An organization that nobody else uses."""
    return f"org-{uuid4().hex[:12]}"

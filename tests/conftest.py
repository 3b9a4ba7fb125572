"""Fixtures of the whole suite: one set of servers, one meter, a fresh organization per test."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.cost_metering.app import service as cost_metering
from shared.bus import Bus
from shared.runtime import Runtime
from tests.servers import Servers, start_servers
from tests.stack import Stack, build_stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel between processes as UTF-8, which half a character in a log is not."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and NATS: given, in containers, or embedded."""
    started = start_servers()
    yield started
    started.stop()


@pytest.fixture(scope="session")
async def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Databases, migrations, credentials, streams and consumers."""
    folder: Path = tmp_path_factory.mktemp("stack")
    return await build_stack(servers, folder)


@pytest.fixture(scope="session")
async def meter(stack: Stack) -> AsyncIterator[Runtime]:
    """A running cost_metering."""
    async with stack.running(cost_metering) as runtime:
        yield runtime


@pytest.fixture(scope="session")
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """The gateway's connection, to ask services."""
    connected = await stack.bus()
    yield connected
    await connected.close()


@pytest.fixture
def organization() -> str:
    """An organization that nobody else uses."""
    return f"org-{uuid4().hex[:12]}"

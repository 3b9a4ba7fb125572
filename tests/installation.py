"""Servers with everything declared, once for the conftest that imports these three fixtures.

Where services run that others would hear, a conftest imports them anew and has its own.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.bus import Bus
from tests.servers import Servers, start_servers
from tests.stack import Stack, build_stack


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and NATS: given, in containers, or embedded."""
    started = start_servers()
    yield started
    started.stop()


@pytest.fixture(scope="session")
async def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Databases, migrations, credentials, streams and consumers."""
    return await build_stack(servers, tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="session")
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """The gateway's connection, to ask services."""
    connected = await stack.bus()
    yield connected
    await connected.close()

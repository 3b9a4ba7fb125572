"""One installation for all journeys, with servers of its own: nobody else answers here."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.journeys.system import System, build_system
from tests.servers import Servers, start_servers


@pytest.fixture(scope="session")
def journey_servers() -> Iterator[Servers]:
    """PostgreSQL and NATS."""
    started = start_servers()
    yield started
    started.stop()


@pytest.fixture(scope="session")
async def system(
    journey_servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Everything, running."""
    built = await build_system(journey_servers, tmp_path_factory.mktemp("journeys"))
    try:
        built.start()
        yield built
    finally:
        built.stop()

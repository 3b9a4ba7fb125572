"""One installation for all journeys, with servers of its own: nobody else answers here."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.invoicing.app import service as invoicing
from tests.journeys.system import OWNERS, System, build_system
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
    folder = tmp_path_factory.mktemp("journeys")
    built = await build_system(journey_servers, folder, (*OWNERS, invoicing))
    try:
        built.start()
        yield built
    finally:
        built.stop()

"""A gateway over scripted services; it is built once, and what was scripted is forgotten."""

from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from shared.health import Health
from tests.gateway.scripted import ScriptedServices, app_of, client_of, settings


class HealthWithoutProcess(Health):
    """Nobody shows that the loop of a long session turns, so that is not asked."""

    def live_problems(self) -> tuple[str, ...]:
        return ()


@pytest.fixture(scope="session")
def scripted_services() -> ScriptedServices:
    """What the one application asks."""
    return ScriptedServices()


@pytest.fixture
def services(scripted_services: ScriptedServices) -> ScriptedServices:
    """The same, as new."""
    scripted_services.reset()
    return scripted_services


@pytest.fixture(scope="session")
def app(scripted_services: ScriptedServices, tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The whole application."""
    given = settings(tmp_path_factory.mktemp("gateway"))
    return app_of(scripted_services, given, health=HealthWithoutProcess())


@pytest.fixture
async def client(app: Litestar, services: ScriptedServices) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has not signed in."""
    async with client_of(app) as ready:
        yield ready

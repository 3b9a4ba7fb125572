"""One stage for all tests of the chassis, cleared before each."""

from collections.abc import AsyncIterator

import pytest

from deploy.bus_keys import BusKeys
from shared.bus import Bus
from tests.chassis.stage import Stage
from tests.servers import start_nats, start_postgres


@pytest.fixture(scope="session")
async def whole_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Embedded servers always, because they are killed here."""
    folder = tmp_path_factory.mktemp("stage")
    keys = BusKeys.load_or_create(folder / "keys")
    stage = Stage(
        start_postgres(folder / "postgres"), start_nats(folder / "nats", keys), keys, folder
    )
    try:
        await stage.prepare()
        yield stage
    finally:
        stage.nats.kill()
        stage.postgres.kill()


@pytest.fixture
async def stage(whole_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Servers that run, databases and streams that are empty."""
    await whole_stage.clear()
    whole_stage.calls.write_text("")
    monkeypatch.setenv("TOY_CALLS", str(whole_stage.calls))
    yield whole_stage
    for server in (whole_stage.postgres, whole_stage.nats):
        if not server.is_running:
            server.start()


@pytest.fixture
async def bus(stage: Stage) -> AsyncIterator[Bus]:
    """The gateway's connection, to ask the toys."""
    async with stage.bus() as connected:
        yield connected

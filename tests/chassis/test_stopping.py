"""A process that is told to stop does stop, whatever its work makes of it."""

import asyncio

import asyncpg

from shared.runtime import Runtime
from tests.chassis.stage import Stage
from tests.chassis.toys import Shop


async def test_work_that_takes_its_cancellation_for_a_lost_connection_still_ends(
    stage: Stage,
) -> None:
    canceled = 0

    async def stubborn() -> None:
        """As a job whose transaction is canceled while its connection closes."""
        nonlocal canceled
        while canceled < 3:
            try:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    canceled += 1
                    raise asyncpg.InterfaceError("the underlying connection is closed") from None
            except asyncpg.InterfaceError:
                await asyncio.sleep(0)

    runtime = Runtime(Shop().service, stage.settings("shop"))
    app = runtime.app()
    await app.start()
    runtime._spawn(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(15):
        await app.stop()
    assert canceled == 3

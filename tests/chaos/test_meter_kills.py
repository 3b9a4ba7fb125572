"""Meter, NATS and PostgreSQL are killed again and again; nothing is lost and nothing doubled."""

import os
import secrets

import pytest

from tests.chaos.arena import arena
from tests.chaos.campaign import campaign

SECONDS = 30.0
LEAST_KILLS = 20


# It takes 40 s on two cores of its own, and must not end for having to share them.
@pytest.mark.timeout(600)
async def test_kills_anywhere_lose_nothing_and_double_nothing() -> None:
    seed = int(os.environ.get("CHAOS_SEED", secrets.randbelow(10**6)))
    async with arena() as found:
        await found.start_meters(2)
        report = await campaign(found, seed, SECONDS)
    told = "\n".join(report.lines())
    print(told)
    assert not report.problems, told
    assert report.kills.total() >= LEAST_KILLS, told
    assert report.sent_again > 0, told

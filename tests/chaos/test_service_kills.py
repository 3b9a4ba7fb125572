"""Every service, its servers and the gateway die anywhere; the books are right."""

import os
import secrets

import pytest

from tests.chaos.firm import firm
from tests.chaos.trade import trade

SECONDS = 20.0
FAILPOINTS = 5


# It takes a minute on two cores of its own, and must not end for having to share them.
@pytest.mark.timeout(600)
async def test_kills_anywhere_leave_the_books_right() -> None:
    seed = int(os.environ.get("CHAOS_SEED", secrets.randbelow(10**6)))
    async with firm() as found:
        report = await trade(found, seed, SECONDS, FAILPOINTS)
    told = "\n".join(report.lines())
    print(told)
    assert not report.problems, told
    assert report.killer.kills.total() > FAILPOINTS, told
    # How far each comes is chance: whom it hits asks for the same thing again and again.
    assert any(buyer.paid for buyer in report.buyers), told
    assert any(buyer.completed for buyer in report.buyers), told

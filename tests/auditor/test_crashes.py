"""Killed in the middle of a look, the auditor finds the same, and says it once."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from shared.contracts.auditor import AccountParked
from tests.auditor.house import QUICK, House, Organization
from tests.stack import until

SPOIL = "UPDATE cost_totals SET cost_picousd = cost_picousd + 3 WHERE organization_id = $1"


@contextmanager
def process(house: House, failpoints: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """An auditor in a process of its own, to be killed."""
    settings = {name.upper(): str(value) for name, value in QUICK.items()}
    started = subprocess.Popen(
        [sys.executable, "-m", "services.auditor"],
        env={**house.stack.environment("auditor"), **settings, "FAILPOINTS": failpoints},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.fixture
async def alone(quiet_house: House) -> AsyncIterator[Organization]:
    """An organization before any auditor runs."""
    found = await quiet_house.settled(f"org-{uuid4().hex[:12]}")
    yield found
    await found.close()


@pytest.mark.parametrize("failpoint", ["auditor.looked", "step.uncommitted", "step.concluded"])
async def test_a_look_that_is_killed_is_done_again(
    quiet_house: House, alone: Organization, failpoint: str
) -> None:
    await alone.sql("cost_metering", SPOIL)
    with process(quiet_house, f"{failpoint}:2") as doomed:
        assert await until(lambda: ended(doomed), lambda code: code is not None, 40) == -9
    await let_leases_end(quiet_house)

    with process(quiet_house):
        (told,) = await alone.was_told(AccountParked)
        finding = await alone.found("costs_are_announced")
        assert told["finding_id"] == finding.finding_id
        await quiet_house.rounds(3)
        assert len(alone.told(AccountParked)) == 1


async def ended(process: "subprocess.Popen[bytes]") -> int | None:
    """How it ended, if it has."""
    return process.poll()


async def let_leases_end(house: House) -> None:
    """As if the minute had passed that a killed process keeps its work for."""
    await house.sql(
        "auditor", "UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared'"
    )
    await house.sql("auditor", "UPDATE suspicions SET look_at = clock_timestamp()")

"""What an operator sees on the command line, and does there."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.audit import main
from shared.contracts.auditor import AccountReleased
from tests.auditor.house import House, Organization


class Operator:
    """Runs the command as an operator does."""

    def __init__(self, house: House, capture: pytest.CaptureFixture[str]) -> None:
        servers = house.stack.servers
        self._where = ["--home", str(servers.keys.folder.parent), "--nats-url", servers.nats_url]
        self._capture = capture

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        self._capture.readouterr()
        ended = await asyncio.to_thread(main, [*arguments, *self._where])
        printed = self._capture.readouterr()
        assert ended == code, printed.out + printed.err
        return printed.out + printed.err


@pytest.fixture
def operator(house: House, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(house, capsys)


@pytest.fixture
async def spoiled(house: House) -> AsyncIterator[Organization]:
    """One of whose credits somebody has taken a cent."""
    found = await house.settled(f"org-{uuid4().hex[:12]}")
    yield found
    await found.close()


async def test_an_operator_shows_explains_verifies_and_releases(
    operator: Operator, spoiled: Organization
) -> None:
    whose = spoiled.organization_id
    whole = await operator("verify", whose)
    assert "DIFFERS" not in whole
    assert "statement_ends_at_balance" in whole

    await spoiled.sql(
        "account",
        "UPDATE credit_lots SET remaining_cents = remaining_cents - 1 WHERE organization_id = $1",
    )
    finding = await spoiled.found("lots_hold_the_balance")

    shown = await operator("show", "--organization", whose, code=1)
    assert whose in shown
    assert finding.finding_id in shown
    explained = await operator("explain", finding.finding_id)
    assert "left - right = -1" in explained
    lot = (await spoiled.explain(finding)).rows[0]
    (line,) = [line for line in explained.splitlines() if line.startswith(lot.key)]
    assert line.split() == [lot.key, str(lot.left), str(lot.right)]
    differs = await operator("verify", whose, code=1)
    (line,) = [
        line for line in differs.splitlines() if "I6 " in line and "lots_hold_the_balance " in line
    ]
    assert line.endswith("DIFFERS")

    said = await operator("release", whose, "--reason", "a cent is a cent")
    assert f"{whose} goes on" in said
    (told,) = await spoiled.was_told(AccountReleased)
    assert told["released_by"].startswith("operator:")
    assert "No account is parked" in await operator("show", "--organization", whose)


async def test_what_cannot_be_done_is_a_sentence(operator: Operator) -> None:
    assert "No finding nothing." in await operator("explain", "nothing", code=1)
    assert "nobody is not parked." in await operator("release", "nobody", "--reason", "x", code=1)

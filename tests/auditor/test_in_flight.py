"""What is in flight alarms nobody: under load, with a consumer away, with a relay that stands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from services.account.app import service as account
from shared.contracts.account import GetAccountTotals
from shared.contracts.auditor import AccountParked
from shared.contracts.stripe_gateway import GetPaymentTotals
from shared.contracts.subscription import SetTier
from shared.runtime import Runtime
from tests.auditor.conftest import settings_of
from tests.auditor.house import House, Organization
from tests.stack import until


async def suspected(organization: Organization) -> bool:
    """Whether a look has seen numbers that do not agree."""
    rows = await organization.sql("auditor", "SELECT 1 FROM suspicions WHERE organization_id = $1")
    return bool(rows)


async def test_an_account_that_never_rests_is_judged_and_alarms_nobody(
    house: House, organization: Organization
) -> None:
    await house.ask(
        SetTier(
            organization_id=organization.organization_id, tier="enterprise", requested_by="op-1"
        )
    )

    enough = asyncio.Event()

    # Told to end, not canceled: what waits for an answer may have it at that very moment, and goes
    # on (bpo-37658).
    async def keep(work: Callable[[], Awaitable[object]]) -> None:
        while not enough.is_set():
            await work()
            await asyncio.sleep(0.03)

    works = (organization.work, organization.work, organization.spend, organization.paid_again)
    under_load = [asyncio.create_task(keep(each)) for each in works]
    try:
        await house.rounds(8)
        assert await organization.findings() == []
        # And in the middle of it, what is wrong is still found.
        await organization.sql(
            "account",
            "UPDATE credit_lots SET remaining_cents = remaining_cents - 1"
            " WHERE organization_id = $1 AND remaining_cents > held_cents",
        )
        await organization.found("lots_hold_the_balance")
    finally:
        enough.set()
        await asyncio.gather(*under_load)
    checks = {each.check for each in await organization.findings()}
    assert checks == {"lots_hold_the_balance"}


@asynccontextmanager
async def deaf_account(house: House) -> AsyncIterator[None]:
    """Account hears nothing for a while, and yet it answers."""
    settings = settings_of(house.stack, account)
    intakes = account.intakes
    await house.owners.stop("account")
    account.intakes = []
    await house.owners.start(Runtime(account, settings))
    account.intakes = intakes
    try:
        yield
    finally:
        await house.owners.stop("account")
        await house.owners.start(Runtime(account, settings))


async def test_facts_that_nobody_has_heard_yet_alarm_nobody_however_long(
    house: House, organization: Organization
) -> None:
    async with deaf_account(house):
        await organization.pay(700)
        await until(lambda: suspected(organization), bool, 20)
        await house.rounds(8)
        assert await organization.findings() == []
        assert await suspected(organization)

    async def agree() -> bool:
        ours = await house.ask(GetAccountTotals(organization_id=organization.organization_id))
        theirs = await house.ask(GetPaymentTotals(organization_id=organization.organization_id))
        return ours.movements_cents == theirs.movements_cents

    await until(agree, bool, 20)
    await until(lambda: suspected(organization), lambda still: not still, 20)
    assert organization.told(AccountParked) == []


async def test_facts_that_are_not_told_yet_alarm_nobody_however_long(
    house: House, organization: Organization
) -> None:
    # As a relay leaves it that was refused by the bus: leased for a while.
    await organization.pay(800, told_in_seconds=4)
    await until(lambda: suspected(organization), bool, 20)
    await house.rounds(4)
    assert await organization.findings() == []

    await until(lambda: suspected(organization), lambda still: not still, 30)
    assert organization.told(AccountParked) == []


async def test_a_fact_that_was_lost_is_found(house: House, organization: Organization) -> None:
    await organization.pay(900, told=False)

    finding = await organization.found("money_reached_the_account")

    (row,) = (await organization.explain(finding)).rows
    assert (row.left, row.right) == (900, None)
    assert row.key.startswith("charge:")


async def test_whatever_is_told_makes_an_organization_due(
    house: House, organization: Organization
) -> None:
    async def changed() -> list[datetime]:
        query = "SELECT changed_at FROM watches WHERE organization_id = $1"
        return [row["changed_at"] for row in await organization.sql("auditor", query)]

    await until(changed, bool)
    # A minute ago, because it is noted once a second.
    (row,) = await organization.sql(
        "auditor",
        "UPDATE watches SET changed_at = changed_at - interval '1 minute'"
        " WHERE organization_id = $1 RETURNING changed_at",
    )
    before = row["changed_at"]
    await organization.pay(100)
    await until(changed, lambda found: found[0] > before)
    letters = await house.sql("auditor", "SELECT 1 FROM dead_letters")
    assert letters == []

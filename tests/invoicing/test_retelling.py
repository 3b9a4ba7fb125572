"""A life told once more to empty databases, in another order and twice, has the same figures."""

from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from msgspec.structs import replace

from deploy.provisioning import ServiceDatabase, owner_role
from services.account.app import service as account
from services.invoicing.app import service as invoicing
from shared.contracts.cost_metering import CostsRecorded
from shared.migrations import migrate
from tests.invoicing.figures import figures
from tests.invoicing.organization import Organization, founded
from tests.invoicing.story import Script, Teller, january, shuffled, story
from tests.servers import Servers
from tests.stack import Stack

NAME = "org-retold"
SEEDS = range(3)
STATUSES = ["paid", "void", "paid", "past_due", "paid", "paid"]


@pytest.fixture(scope="module")
async def empty(servers: Servers, stack: Stack) -> AsyncIterator[dict[str, ServiceDatabase]]:
    """Databases where nobody has been, each of them beside the one that is used."""
    admin = await asyncpg.connect(servers.admin_dsn)
    made = {}
    for service in (account, invoicing):
        name = f"{service.name}_retold"
        await admin.execute(f"CREATE DATABASE {name} OWNER {owner_role(service.name)}")
        parts = urlsplit(stack.databases[service.name].owner_dsn)
        dsn = urlunsplit(parts._replace(path=f"/{name}"))
        await migrate(dsn, service.versions, service.metadata)
        made[service.name] = ServiceDatabase(owner_dsn=dsn, dsn=dsn)
    yield made
    for service in (account, invoicing):
        await admin.execute(f"DROP DATABASE {service.name}_retold WITH (FORCE)")
    await admin.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_life_told_again_has_the_same_figures_to_the_last_unit(
    stack: Stack, empty: dict[str, ServiceDatabase], seed: int
) -> None:
    name = f"{NAME}-{seed}"
    said = story(name)
    async with founded(Organization, stack.databases, name) as first:
        await Teller(first).tell(said)
        expected = await figures(first)
    async with founded(Organization, empty, name) as again:
        await Teller(again).tell(shuffled(said, Random(seed)))
        found = await figures(again)
    for what, rows in expected.items():
        assert rows, what
        assert found[what] == rows, what
    assert [each[0]["status"] for each in expected["invoices"]] == STATUSES


async def test_a_unit_more_would_be_noticed(
    stack: Stack, empty: dict[str, ServiceDatabase]
) -> None:
    script = Script(f"{NAME}-altered")
    january(script)
    async with founded(Organization, stack.databases, script.name) as first:
        await Teller(first).tell(script.said)
        expected = await figures(first)
    told = list(script.said)
    place, costs = next(
        (place, each.what)
        for place, each in enumerate(told)
        if isinstance(each.what, CostsRecorded)
    )
    altered = replace(costs, billable_cost_picousd=costs.billable_cost_picousd + 1)
    told[place] = told[place]._replace(what=altered)
    async with founded(Organization, empty, script.name) as again:
        await Teller(again).tell(told)
        found = await figures(again)
    assert {what for what in expected if expected[what] != found[what]} == {
        "usage records",
        "lines",
        "carries",
    }

"""Each service's tables are what its migrations make, and nobody else's."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import Table

from deploy.services import load_services
from shared.migrations import differences
from shared.service import Service
from shared.tables import chassis
from tests.stack import Stack

SERVICES = load_services()
# Rows of the whole system, or of Stripe: the rest is customers' data and is spread by organization.
EXEMPT = {*chassis.tables, "rate_cards", "price_overrides", "reprice_orders"}


def _id(service: Service) -> str:
    return service.name


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_tables_match_their_migrations(stack: Stack, service: Service) -> None:
    found = await differences(stack.databases[service.name].owner_dsn, service.metadata)
    assert found == []


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_a_service_cannot_reach_the_database_of_another(
    stack: Stack, service: Service
) -> None:
    own = stack.databases[service.name].dsn
    for other in SERVICES:
        if other.name != service.name:
            theirs = own.replace(f"/{service.name}", f"/{other.name}").replace(
                f"//{other.name}:", f"//{service.name}:"
            )
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidPasswordError)):
                await asyncpg.connect(theirs)


async def test_what_was_recorded_cannot_be_changed(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.databases["cost_metering"].dsn)
    try:
        for statement in (
            "UPDATE cost_records SET model = 'x'",
            "DELETE FROM cost_records",
            "TRUNCATE cost_records",
            "UPDATE cost_revisions SET counted = false",
            "DELETE FROM rate_cards",
            "UPDATE price_overrides SET rates = '{}'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


def _keys(table: Table) -> list[list[str]]:
    primary = [column.name for column in table.primary_key.columns]
    unique: list[Any] = [index for index in table.indexes if index.unique]
    return [primary, *([column.name for column in index.columns] for index in unique)]


def test_customers_data_is_keyed_by_organization_first() -> None:
    (service,) = [each for each in SERVICES if each.name == "cost_metering"]
    for table in service.metadata.sorted_tables:
        if table.name in EXEMPT or table.name == "cost_deltas":
            continue
        for key in _keys(table):
            assert key[0] == "organization_id", f"{table.name}: {key}"


@pytest.mark.parametrize("service", SERVICES, ids=_id)
def test_no_two_handlers_answer_or_take_the_same(service: Service) -> None:
    durables = [durable.name for durable in service.durables]
    assert len(durables) == len(set(durables))

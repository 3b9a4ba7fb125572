"""Each service's tables are what its migrations make, keyed as they should be, and its own."""

import ast
import re
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Table, UniqueConstraint

from deploy.services import load_services
from shared.migrations import differences
from shared.service import Service
from shared.tables import chassis
from tests.architecture.code import ROOT, sources, tree
from tests.stack import Stack

SERVICES = load_services()
# The tables that the running role may only add to.
APPEND_ONLY = {
    "account": {"audit_entries", "ledger_entries", "ledger_transactions", "money_movements"},
    "auditor": {"releases"},
    "cost_metering": {
        "cost_records",
        "cost_revisions",
        "price_overrides",
        "rate_cards",
    },
    "invoicing": {"credit_notes", "failed_refunds", "invoice_lines", "plan_terms"},
    "notices": set(),
    "stripe_gateway": {"money_movements"},
    "subscription": {"usage_events"},
}
# Everything else is customers' data, and can be spread by organization as it stands.
NOT_SPREAD = {
    "auditor": {
        "bookmarks": "how far owners' lists were read",
        "rounds": "the round under way",
    },
    "cost_metering": {
        "cost_deltas": "a queue: rows are merged and gone within a second",
        "price_overrides": "prices are everybody's",
        "rate_cards": "prices are everybody's",
        "reprice_orders": "an operator's orders",
    },
    "stripe_gateway": dict.fromkeys(
        (
            "charges",
            "customers",
            "disputes",
            "leases",
            "payment_methods",
            "purchases",
            "refunds",
            "subscriptions",
            "walks",
            "webhook_events",
        ),
        "Stripe's objects, found by Stripe's ids",
    ),
}
# Second keys of tables that are spread: ids that are unique because of how they are made.
SECOND_KEYS = {
    ("accounts", "billing_account_id"),
    ("billing_profiles", "account_code"),
    ("invoices", "stripe_invoice_id"),
    ("subscriptions", "subscription_id"),
    ("subscriptions", "stripe_subscription_id"),
}
SQL_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+(?:ONLY\s+)?([a-z_]+)")


def _id(service: Service) -> str:
    return service.name


def _own_tables(service: Service) -> list[Table]:
    return [each for each in service.metadata.sorted_tables if each.name not in chassis.tables]


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_tables_match_their_migrations(stack: Stack, service: Service) -> None:
    found = await differences(stack.databases[service.name].owner_dsn, service.metadata)
    assert found == []


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_a_service_cannot_reach_the_database_of_another(
    stack: Stack, service: Service
) -> None:
    own = stack.databases[service.name].dsn
    for other in (*SERVICES, None):
        name = other.name if other else "postgres"
        if name != service.name:
            theirs = own.replace(f"/{service.name}", f"/{name}").replace(
                f"//{name}:", f"//{service.name}:"
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(theirs)


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_what_was_recorded_cannot_be_changed(stack: Stack, service: Service) -> None:
    connection = await asyncpg.connect(stack.databases[service.name].dsn)
    try:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND has_table_privilege(oid, 'INSERT')"
            " AND NOT has_table_privilege(oid, 'UPDATE')"
            " AND NOT has_table_privilege(oid, 'DELETE')"
            " AND NOT has_table_privilege(oid, 'TRUNCATE')"
        )
        assert {row["relname"] for row in rows} == APPEND_ONLY[service.name]
        for table in sorted(APPEND_ONLY[service.name]):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table}")
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES, ids=_id)
async def test_the_running_role_owns_nothing(stack: Stack, service: Service) -> None:
    connection = await asyncpg.connect(stack.databases[service.name].dsn)
    try:
        owned = "SELECT relname FROM pg_class WHERE relowner = current_user::regrole"
        assert await connection.fetch(owned) == []
        for statement in ("CREATE TABLE own (a int)", "DROP TABLE outbox", "SET ROLE postgres"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


def _keys(table: Table) -> list[list[str]]:
    unique: list[Any] = [index for index in table.indexes if index.unique]
    unique += [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    keys = [table.primary_key, *unique]
    return [[column.name for column in key.columns] for key in keys]


@pytest.mark.parametrize("service", SERVICES, ids=_id)
def test_customers_data_is_keyed_by_organization_first(service: Service) -> None:
    not_spread = NOT_SPREAD.get(service.name, {})
    assert set(not_spread) <= {table.name for table in _own_tables(service)}
    for table in _own_tables(service):
        for key in _keys(table) if table.name not in not_spread else ():
            is_second = (table.name, *key) in SECOND_KEYS
            assert key[0] == "organization_id" or is_second, f"{table.name}: {key}"


def _tables_in_sql(service: str) -> set[str]:
    """The tables that stand in a service's own SQL."""
    texts = (
        node.value
        for path in sources()
        if path.is_relative_to(ROOT / "services" / service)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {name for text in texts for name in SQL_TABLE.findall(text)}


@pytest.mark.parametrize("service", SERVICES, ids=_id)
def test_no_sql_names_a_table_of_another_service(service: Service) -> None:
    own = {table.name for table in service.metadata.sorted_tables}
    others = {table.name for each in SERVICES for table in _own_tables(each)} - own
    assert _tables_in_sql(service.name) & others == set()


def test_a_foreign_table_in_sql_would_be_seen() -> None:
    assert {"cost_records", "cost_rollups"} <= _tables_in_sql("cost_metering")


def test_no_two_services_answer_or_take_the_same() -> None:
    taken = [durable.name for service in SERVICES for durable in service.durables]
    work = [d.subject for s in SERVICES for d in s.durables if d.stream == "USAGE"]
    answered = [subject for service in SERVICES for subject in service.describe()["answers"]]
    for names in (taken, work, answered):
        assert len(names) == len(set(names))

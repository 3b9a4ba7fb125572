"""What the database itself refuses, whatever the code above it believes."""

from typing import Any

import asyncpg
import pytest

from services.account.tables.schema import APPEND_ONLY, metadata
from shared.clock import new_id
from shared.migrations import differences
from tests.account.customer import Customer
from tests.stack import Stack


async def test_the_tables_are_as_the_migrations_make_them(stack: Stack) -> None:
    assert await differences(stack.databases["account"].owner_dsn, metadata) == []


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET organization_id = 'x'", "DELETE FROM {}", "TRUNCATE {}"]
)
async def test_the_service_cannot_change_what_only_grows(
    stack: Stack, table: str, statement: str
) -> None:
    connection = await asyncpg.connect(stack.databases["account"].dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(table))
    finally:
        await connection.close()


_TRANSACTION = """
INSERT INTO ledger_transactions (organization_id, sequence, entry_id, kind, source, reference,
    description, amount_cents, balance_after_cents, debt_after_cents, created_at)
VALUES ($1, $2, $3::uuid, 'burned', 'invoice', $3, '', $4, $5, $6, now())
"""
_ENTRY = """
INSERT INTO ledger_entries (organization_id, sequence, position, ledger_account, lot_id,
    amount_cents)
VALUES ($1, $2, $3, $4, $5::uuid, $6)
"""


class Forger:
    """Somebody with the service's own rights, who has 1,000 cents in one transaction."""

    def __init__(self, connection: "asyncpg.Connection[Any]", customer: Customer, lot: str):
        self._connection = connection
        self._organization_id = customer.organization_id
        self._lot = lot

    async def write(
        self, sequence: int, balance: int, entries: list[tuple[str, int]], debt: int = 0
    ) -> None:
        async with self._connection.transaction():
            amount = sum(cents for name, cents in entries if name == "credits")
            keys = (self._organization_id, sequence)
            row = (*keys, new_id(), amount, balance, debt)
            await self._connection.execute(_TRANSACTION, *row)
            await self.add(sequence, entries)

    async def add(self, sequence: int, entries: list[tuple[str, int]], first: int = 0) -> None:
        for position, (name, cents) in enumerate(entries, first):
            lot = self._lot if name == "credits" else None
            row = (self._organization_id, sequence, position, name, lot, cents)
            await self._connection.execute(_ENTRY, *row)


@pytest.fixture
async def forger(customer: Customer, stack: Stack) -> Any:
    await customer.granted(1000)
    lots = await customer.rows("SELECT lot_id FROM credit_lots WHERE organization_id = $1")
    connection = await asyncpg.connect(stack.databases["account"].dsn)
    yield Forger(connection, customer, str(lots[0][0]))
    await connection.close()


@pytest.mark.parametrize(
    ("sequence", "balance", "entries", "debt"),
    [
        pytest.param(2, 900, [("credits", -100), ("revenue", 99)], 0, id="unbalanced"),
        pytest.param(2, 900, [("credits", -100)], 0, id="one-sided"),
        pytest.param(2, 1000, [], 0, id="empty"),
        pytest.param(3, 900, [("credits", -100), ("revenue", 100)], 0, id="gap"),
        pytest.param(2, 950, [("credits", -100), ("revenue", 100)], 0, id="wrong balance"),
        pytest.param(2, 1000, [("debt", -100), ("revenue", 100)], 99, id="wrong debt"),
        pytest.param(2, -100, [("credits", -1100), ("revenue", 1100)], 0, id="negative"),
        pytest.param(2, 1000, [("credits", 0), ("revenue", 0)], 0, id="of nothing"),
        pytest.param(2, 1100, [("credits", 100), ("somewhere", -100)], 0, id="unknown account"),
        pytest.param(1, 900, [("credits", -100), ("revenue", 100)], 0, id="written twice"),
    ],
)
async def test_a_transaction_that_is_not_one_is_not_committed(
    forger: Forger, sequence: int, balance: int, entries: list[tuple[str, int]], debt: int
) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await forger.write(sequence, balance, entries, debt)


async def test_a_transaction_that_is_written_cannot_be_added_to(forger: Forger) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await forger.add(1, [("credits", 5), ("revenue", -5)], first=2)


@pytest.mark.parametrize(
    "change",
    [
        "ledger_cents = -1",
        "held_cents = ledger_cents + 1",
        "held_cents = -1",
        "debt_cents = -1",
        "debt_cents = 1",
        "status = 'closed'",
    ],
)
async def test_an_account_cannot_be_what_it_must_not(customer: Customer, change: str) -> None:
    await customer.granted(1000)
    with pytest.raises(asyncpg.CheckViolationError):
        await customer.rows(f"UPDATE accounts SET {change} WHERE organization_id = $1 RETURNING 1")


@pytest.mark.parametrize(
    "change",
    ["remaining_cents = -1", "remaining_cents = 1001", "held_cents = 1001", "held_cents = -1"],
)
async def test_a_lot_cannot_hold_what_it_has_not(customer: Customer, change: str) -> None:
    await customer.granted(1000)
    with pytest.raises(asyncpg.CheckViolationError):
        await customer.rows(
            f"UPDATE credit_lots SET {change} WHERE organization_id = $1 RETURNING 1"
        )

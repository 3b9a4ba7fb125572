"""Accounts: one row per organization, made once however many ask."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from services.account.tables.rows import AuditRow
from services.account.tables.schema import accounts, money_movements
from shared.contracts.account import Account, AccountStatus, Buyer
from shared.contracts.stripe_gateway import MoneyMoved
from shared.database import Db

_ACCOUNT = """
SELECT billing_account_id::text AS billing_account_id, organization_id, stripe_customer_id,
       has_payment_method, status, ledger_cents - held_cents AS credit_balance_cents,
       held_cents AS credit_held_cents, debt_cents AS credit_debt_cents, auto_billing_enabled,
       auto_billing_monthly_limit_cents, billing_email, tax_exempt, buyer::text AS buyer,
       total_workflows_completed, total_amount_spent_cents, version, created_at, updated_at,
       customer_version, payment_methods_version, dunning_version
FROM accounts WHERE organization_id = $1
"""


class LockedAccount(msgspec.Struct, frozen=True):
    """An account that nobody else changes until the transaction ends."""

    account: Account
    customer_version: int
    payment_methods_version: int
    dunning_version: int


async def find_account(db: Db, organization_id: str) -> Account | None:
    """An organization's account, if it has one: one row by its key, for it is asked for often."""
    row = await db.driver.fetchrow(_ACCOUNT, organization_id)
    return None if row is None else _account(row)


async def lock_account(db: Db, organization_id: str) -> LockedAccount:
    """An account that is known to exist, locked. Raises LookupError when it does not."""
    row = await db.driver.fetchrow(f"{_ACCOUNT} FOR UPDATE", organization_id)
    if row is None:
        raise LookupError("an account that was opened is not there")
    return LockedAccount(
        _account(row),
        row["customer_version"],
        row["payment_methods_version"],
        row["dunning_version"],
    )


_LOCK_MANY = """
SELECT organization_id, ledger_cents, debt_cents FROM accounts
WHERE organization_id = ANY($1::text[]) ORDER BY organization_id FOR UPDATE
"""


async def lock_without_credits(db: Db, organization_ids: Sequence[str]) -> dict[str, int]:
    """Lock the accounts of organizations; answers the debt, in cents, of those without credits."""
    rows = await db.driver.fetch(_LOCK_MANY, list(organization_ids))
    return {row["organization_id"]: row["debt_cents"] for row in rows if row["ledger_cents"] == 0}


def _account(row: asyncpg.Record) -> Account:
    values = {name: row[name] for name in Account.__struct_fields__}
    return Account(**{**values, "buyer": msgspec.json.decode(row["buyer"], type=Buyer)})


_ADD = """
INSERT INTO accounts (organization_id, billing_account_id, status, audit_sequence, audit_hash,
                      created_at, updated_at)
VALUES ($1, $2::uuid, $3, $4, $5, $6, $6)
ON CONFLICT (organization_id) DO NOTHING RETURNING true
"""


async def add_account(
    db: Db, billing_account_id: str, status: AccountStatus, opening: AuditRow
) -> bool:
    """Open an account, `opening` being where its audit log ends; False when there is one."""
    head = (opening.sequence, opening.hash)
    added = await db.driver.fetchval(
        _ADD, opening.organization_id, billing_account_id, status, *head, db.now
    )
    return added is not None


async def set_account(
    db: Db, organization_id: str, changes: Mapping[str, Any], *, new_version: bool
) -> None:
    """Change a locked account; `new_version` when others are told of it."""
    values = {name: msgspec.to_builtins(value) for name, value in changes.items()}
    if new_version:
        values["version"] = accounts.c.version + 1
    await db.execute(
        update(accounts)
        .where(accounts.c.organization_id == organization_id)
        .values(**values, updated_at=db.now)
    )


async def add_workflow(db: Db, organization_id: str) -> None:
    """Count one workflow that completed."""
    await db.execute(
        update(accounts)
        .where(accounts.c.organization_id == organization_id)
        .values(
            total_workflows_completed=accounts.c.total_workflows_completed + 1, updated_at=db.now
        )
    )


async def add_movement(db: Db, moved: MoneyMoved) -> None:
    """Count money into what an account has spent, once per movement."""
    row = {
        "organization_id": moved.organization_id,
        "movement_id": moved.movement_id,
        "amount_cents": moved.amount_cents,
        "purpose": moved.purpose,
        "reference": moved.reference,
        "moved_at": moved.moved_at,
        "heard_at": db.now,
    }
    added = await db.execute(insert(money_movements).values(row).on_conflict_do_nothing())
    if added.rowcount == 1:
        total = accounts.c.total_amount_spent_cents + moved.amount_cents
        await db.execute(
            update(accounts)
            .where(accounts.c.organization_id == moved.organization_id)
            .values(total_amount_spent_cents=total, updated_at=db.now)
        )

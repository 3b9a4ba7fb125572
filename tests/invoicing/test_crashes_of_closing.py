"""A month that is closed while account dies, and invoicing again and again, is billed once."""

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.account.app import credits_, holds
from services.account.handlers.accounts import open_account
from services.invoicing.rules.profiles import CLOSES_AFTER, account_code, month_of
from shared.clock import new_id
from shared.contracts.account import GrantCredits, HoldCredits, SettleHold
from shared.contracts.base import Refusal
from shared.database import Database, Db
from tests.account.invariants import check_credits
from tests.bench.close import PROFILES, RECORDS
from tests.invoicing.invariants import check_invoices
from tests.processes import running
from tests.stack import Stack, until

RUN = uuid4().hex[:8]
# Several steps' worth of them; in turn they have nothing, credits, or a hold for what they use.
NAMES = [f"org-{RUN}-{number:02}" for number in range(60)]
USE_CENTS = 900
GIVEN_CENTS = (0, 4000, 10_000)
# In the first step of a process, in a later one, and in the middle of one.
CLOSING = (
    "invoicing.frozen:1",
    "step.called:2",
    "invoicing.numbered:2",
    "invoicing.finished:3",
    "step.uncommitted:2",
    "step.concluded:3",
)
Connection = asyncpg.Connection
_LEFT = """
SELECT (SELECT count(*) FROM usage_records WHERE organization_id = ANY($1) AND billed_at IS NULL)
     + (SELECT count(*) FROM billing_profiles
        WHERE organization_id = ANY($1) AND next_close_at <= now())
"""
_BILLED = """
SELECT organization_id, sum(total_cents)::bigint, sum(credits_applied_cents)::bigint
FROM invoices WHERE organization_id = ANY($1) AND number IS NOT NULL GROUP BY 1
"""


@pytest.fixture
async def books(stack: Stack) -> AsyncIterator[dict[str, Connection]]:
    """Connections of those who own the tables."""
    opened = {
        name: await asyncpg.connect(stack.databases[name].owner_dsn)
        for name in ("account", "invoicing")
    }
    yield opened
    for connection in opened.values():
        await connection.close()


async def open_accounts(stack: Stack) -> None:
    database = Database(stack.databases["account"].dsn)
    for number, name in enumerate(NAMES):
        async with database.transaction() as db:
            await open_account(db, name)
            if cents := GIVEN_CENTS[number % 3]:
                granted = GrantCredits(
                    organization_id=name,
                    grant_id="gift",
                    amount_cents=cents,
                    description="gift",
                    requested_by="operator",
                )
                await credits_.grant_credits(granted, db)
    await database.close()


async def hold(db: Db, name: str, hold_id: str) -> None:
    until_then = db.now + timedelta(days=1)
    asked: dict[str, Any] = {"organization_id": name, "hold_id": hold_id}
    held = HoldCredits(amount_cents=USE_CENTS, expires_at=until_then, **asked)
    assert not isinstance(await holds.hold_credits(held, db), Refusal)
    await holds.settle_hold(SettleHold(action="commit", **asked), db)


async def use_and_end_a_month(stack: Stack, invoicing: Connection, month: int) -> None:
    """Everybody has used something last month, which has just ended once more."""
    ends = month_of(datetime.now(UTC))
    at = ends - timedelta(days=1)
    database = Database(stack.databases["account"].dsn)
    records = []
    for number, name in enumerate(NAMES):
        hold_id = f"hold-{month}" if number % 3 == 2 else None
        if hold_id:
            async with database.transaction() as db:
                await hold(db, name, hold_id)
        covered = "credits" if hold_id else "none"
        kind = ("workflow_completion", new_id(), 1, USE_CENTS, USE_CENTS * 10**10)
        records.append((name, new_id(), *kind, covered, "pro", at, at, hold_id))
    await database.close()
    await invoicing.copy_records_to_table(
        "usage_records", records=records, columns=[*RECORDS, "hold_id"]
    )
    await invoicing.execute(
        "UPDATE billing_profiles SET next_close_at = $2 WHERE organization_id = ANY($1)",
        NAMES,
        ends + CLOSES_AFTER,
    )


async def test_a_close_with_credits_survives_kills_of_both(
    stack: Stack, books: dict[str, Connection], tmp_path: Path
) -> None:
    log, invoicing = tmp_path / "log", books["invoicing"]
    await open_accounts(stack)
    ends = month_of(datetime.now(UTC))
    profiles = [(name, account_code(name), ends + CLOSES_AFTER, ends) for name in NAMES]
    await invoicing.copy_records_to_table("billing_profiles", records=profiles, columns=PROFILES)
    await use_and_end_a_month(stack, invoicing, 0)
    async with (
        running(stack, "account", log, "account.posted:9") as doomed,
        running(stack, "invoicing", log),
    ):
        assert await doomed.ended(60) == -signal.SIGKILL
    async with running(stack, "account", log) as alive:
        await alive.ready()
        for month, failpoint in enumerate(CLOSING, 1):
            await use_and_end_a_month(stack, invoicing, month)
            await free_leases(invoicing)
            async with running(stack, "invoicing", log, failpoint) as dying:
                assert await dying.ended(60) == -signal.SIGKILL, failpoint
        await free_leases(invoicing)
        async with running(stack, "invoicing", log):

            async def left() -> int:
                return int(await invoicing.fetchval(_LEFT, NAMES))

            await until(left, lambda count: count == 0, 90)
    await check_all(books)


async def free_leases(invoicing: Connection) -> None:
    """As if the minute had passed that a killed process keeps its steps for."""
    await invoicing.execute("UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared'")


async def check_all(books: dict[str, Connection]) -> None:
    """No use is missing or billed twice, and only credits that invoices name have burned."""
    used = USE_CENTS * (len(CLOSING) + 1)
    billed = {row[0]: (row[1], row[2]) for row in await books["invoicing"].fetch(_BILLED, NAMES)}
    for number, name in enumerate(NAMES):
        given = GIVEN_CENTS[number % 3]
        assert billed[name] == (used, min(used, given))
        await check_invoices(books["invoicing"], name)
        await check_credits(books["account"], name)
    rows = await books["account"].fetch(
        "SELECT ledger_cents, held_cents FROM accounts WHERE organization_id = ANY($1)"
        " ORDER BY organization_id",
        NAMES,
    )
    left = [max(0, GIVEN_CENTS[number % 3] - used) for number in range(len(NAMES))]
    assert [tuple(row) for row in rows] == [(cents, 0) for cents in left]

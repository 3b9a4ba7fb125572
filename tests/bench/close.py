"""The monthly close: accounts a second with usage to bill, and memory however many there are."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from services.account.app import credits_
from services.account.handlers.accounts import open_account
from services.invoicing.rules.profiles import CLOSES_AFTER, account_code, month_of
from shared.clock import new_ids
from shared.contracts.account import GrantCredits
from shared.database import Database
from tests.bench.ingest import fresh_stack
from tests.processes import Deployed, Process
from tests.stack import Stack

FEW = 1_000
BILLED = 5_000
WITH_CREDITS = 2_000
# Of these one in a hundred has usage.
MANY = 100_000
ONE_IN = 100
USES = 3
USE_CENTS = 1_000
GIVEN_CENTS = 500
PATIENCE_SECONDS = 900.0

PROFILES = ("organization_id", "account_code", "next_close_at", "opened_at")
RECORDS = (
    "organization_id",
    "record_id",
    "usage_type",
    "source_id",
    "quantity",
    "unit_price_cents",
    "total_picousd",
    "covered_by",
    "tier",
    "occurred_at",
    "recorded_at",
)
_LEFT = """
SELECT (SELECT count(*) FROM billing_profiles WHERE next_close_at <= now())
     + (SELECT count(*) FROM invoices WHERE status = 'draft')
"""


async def measure() -> dict[str, Any]:
    """Figures of one run on embedded servers, with one process of account and one of invoicing."""
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_stack() as stack:
            log = Path(folder) / "log"
            processes = [Deployed(stack, name, log) for name in ("account", "invoicing")]
            for process in processes:
                process.start()
            for process in processes:
                await process.ready()
            try:
                return await _measure(stack, processes[1])
            finally:
                for process in processes:
                    await process.stop()


async def _measure(stack: Stack, invoicing: Process) -> dict[str, Any]:
    few = await _close(stack, invoicing, _names("few", FEW), ONE_IN)
    plain, rich = _names("billed", BILLED), _names("rich", WITH_CREDITS)
    await _open(stack, plain, 0)
    billed = await _close(stack, invoicing, plain, 1)
    await _open(stack, rich, GIVEN_CENTS)
    with_credits = await _close(stack, invoicing, rich, 1)
    many = await _close(stack, invoicing, _names("many", MANY), ONE_IN)
    await _check(stack)
    return {
        "accounts closed per second, all with usage, without credits": round(BILLED / billed[0]),
        "accounts closed per second, all with usage and credits": round(
            WITH_CREDITS / with_credits[0]
        ),
        f"accounts closed per second, one in {ONE_IN} with usage": round(MANY / many[0]),
        f"largest memory closing {FEW:,} accounts, MiB": few[1],
        f"largest memory closing {MANY:,} accounts, MiB": many[1],
    }


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:06}" for number in range(count)]


async def _close(
    stack: Stack, invoicing: Process, organizations: Sequence[str], one_in: int
) -> tuple[float, int]:
    """Seconds until every month is closed and every invoice final, and the largest memory."""
    admin = await asyncpg.connect(stack.databases["invoicing"].owner_dsn)
    invoicing.signal(signal.SIGSTOP)
    await _have_used(admin, organizations, one_in)
    await admin.execute("ANALYZE")
    watched = psutil.Process(invoicing.pid)
    invoicing.signal(signal.SIGCONT)
    began, largest = time.perf_counter(), 0
    while await admin.fetchval(_LEFT):
        largest = max(largest, watched.memory_info().rss)
        await asyncio.sleep(0.1)
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError("the months were not closed")
    seconds = time.perf_counter() - began
    await admin.close()
    return seconds, round(largest / 2**20)


async def _have_used(
    admin: "asyncpg.Connection[asyncpg.Record]", organizations: Sequence[str], one_in: int
) -> None:
    month = month_of(datetime.now(UTC))
    used_at = month - timedelta(days=1)
    profiles = [(each, account_code(each), month + CLOSES_AFTER, used_at) for each in organizations]
    records = [
        (
            each,
            record_id,
            "workflow_completion",
            record_id,
            1,
            USE_CENTS,
            USE_CENTS * 10**10,
            "none",
            "pro",
            used_at,
            used_at,
        )
        for each in organizations[::one_in]
        for record_id in new_ids(USES)
    ]
    await admin.copy_records_to_table("billing_profiles", records=profiles, columns=PROFILES)
    await admin.copy_records_to_table("usage_records", records=records, columns=RECORDS)


async def _open(stack: Stack, organizations: Sequence[str], credit_cents: int) -> None:
    """Open accounts, as everybody has one who has used something; and give credits."""
    database = Database(stack.databases["account"].dsn)
    for first in range(0, len(organizations), 100):
        async with database.transaction() as db:
            for each in organizations[first : first + 100]:
                await open_account(db, each)
                if credit_cents:
                    answer = await credits_.grant_credits(_gift(each, credit_cents), db)
                    assert isinstance(answer, tuple)
    await database.close()


def _gift(organization_id: str, cents: int) -> GrantCredits:
    return GrantCredits(
        organization_id=organization_id,
        grant_id="gift",
        amount_cents=cents,
        description="",
        requested_by="bench",
    )


async def _check(stack: Stack) -> None:
    """Every account with usage has one invoice, over all of it, with the credits it had."""
    admin = await asyncpg.connect(stack.databases["invoicing"].owner_dsn)
    found = await admin.fetch(
        "SELECT split_part(organization_id, '-', 1) AS kind, count(*),"
        " count(DISTINCT organization_id) AS accounts, sum(total_cents)::bigint AS total,"
        " sum(credits_applied_cents)::bigint AS credits, bool_and(number = 1) AS numbered"
        " FROM invoices GROUP BY 1 ORDER BY 1"
    )
    await admin.close()
    total = USES * USE_CENTS
    expected = [
        (kind, count, count, count * total, credit * count, True)
        for kind, count, credit in (
            ("billed", BILLED, 0),
            ("few", FEW // ONE_IN, 0),
            ("many", MANY // ONE_IN, 0),
            ("rich", WITH_CREDITS, GIVEN_CENTS),
        )
    ]
    assert [tuple(row) for row in found] == expected, found

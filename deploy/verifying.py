"""Rebuilds an account from its raw rows and lays the results beside what its owners say.

By the auditor's own list of checks, but from the rows: every book is read whole, summed up here,
and compared with the owner's figure and with the other side's book, row by row.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from deploy.asking import ask
from services.auditor.rules.checks import CHECKS, OWNERS
from services.auditor.rules.forms import Check
from services.auditor.rules.judging import differences
from shared.bus import Bus
from shared.clock import SystemClock
from shared.contracts.account import GetAccount, ListAudit, ListCreditEntries
from shared.contracts.auditor import RowDifference
from shared.contracts.cost_metering import GetCostSummary, ListCosts
from shared.contracts.operations import ListControlRows

# What moves all the time is compared up to this long ago.
SETTLED = timedelta(seconds=60)
SHOWN_ROWS = 20
PAGE = 200

Totals = Mapping[str, Mapping[str, int]]
Books = Mapping[str, Mapping[str, int]]


class Line(msgspec.Struct, frozen=True):
    """One comparison: both sides as their owners say, and as their rows sum up (None: no rows)."""

    invariant: str
    name: str
    left: int
    left_rows: int | None
    right: int
    right_rows: int | None
    rows: Sequence[RowDifference] = ()
    in_order: bool = True

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared is the same."""
        return self.in_order and not self.rows


async def verify(bus: Bus, organization_id: str) -> list[Line]:
    """Every check of an organization, from its rows, and its raw facts beside its summaries."""
    until = SystemClock().now() - SETTLED
    totals = {owner: await _totals(bus, owner, organization_id, until) for owner in OWNERS}
    books: dict[str, dict[str, int]] = {}
    for check in CHECKS:
        for name in filter(None, (check.left_rows, check.right_rows)):
            if name not in books:
                books[name] = await _book(bus, name, organization_id, until)
    lines = [_compare(check, totals, books) for check in CHECKS]
    lines.append(await _costs(bus, organization_id))
    lines.extend(await _credits(bus, organization_id))
    return lines


async def _totals(bus: Bus, owner: str, organization_id: str, until: Any) -> dict[str, int]:
    kind = OWNERS[owner].request
    request = kind(organization_id=organization_id)
    if "until" in kind.__struct_fields__:
        request = msgspec.structs.replace(request, until=until)
    return msgspec.structs.asdict(await ask(bus, owner, request))


async def _book(bus: Bus, name: str, organization_id: str, until: Any) -> dict[str, int]:
    owner, _, book = name.partition(".")
    rows: dict[str, int] = {}
    after: str | None = ""
    while after is not None:
        request = ListControlRows(
            organization_id=organization_id, book=book, after=after, until=until
        )
        page = await ask(bus, owner, request)
        rows |= {row.key: row.amount for row in page.rows}
        after = page.next_after
    return rows


def _compare(check: Check, totals: Totals, books: Books) -> Line:
    def told(figures: Sequence[str]) -> int:
        parts = (figure.partition(".") for figure in figures)
        return sum(totals[owner][name] for owner, _, name in parts)

    left_book = books[check.left_rows] if check.left_rows else None
    right_book = books[check.right_rows] if check.right_rows else None
    left, right = told(check.left), told(check.right)
    rows: Sequence[RowDifference] = ()
    if left_book is not None:
        rows, _ = differences(left_book, right_book, SHOWN_ROWS)
    return Line(
        invariant=check.invariant,
        name=check.name,
        left=left,
        left_rows=None if left_book is None else sum(left_book.values()),
        right=right,
        right_rows=None if right_book is None else sum(right_book.values()),
        rows=rows,
        in_order=left >= right if check.relation == "at_least" else left == right,
    )


async def _costs(bus: Bus, organization_id: str) -> Line:
    """Every record as the API lists it, summed up here, beside the summary."""
    summed, cursor = 0, None
    while True:
        page = await ask(
            bus,
            "cost_metering",
            ListCosts(organization_id=organization_id, limit=PAGE, cursor=cursor),
        )
        summed += sum(
            (record.prompt_cost_picousd or 0) + (record.completion_cost_picousd or 0)
            for record in page.records
        )
        cursor = page.next_cursor
        if cursor is None:
            break
    request = GetCostSummary(organization_id=organization_id)
    told = (await ask(bus, "cost_metering", request)).cost_picousd
    return Line("I3", "summary_is_its_records", told, None, summed, None, (), told == summed)


async def _credits(bus: Bus, organization_id: str) -> list[Line]:
    """The statement from its first line, and the chain of the audit log."""
    entries: list[Any] = []
    cursor = None
    while True:
        request = ListCreditEntries(organization_id=organization_id, limit=PAGE, cursor=cursor)
        page = await ask(bus, "account", request)
        entries += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    entries.reverse()
    account = await ask(bus, "account", GetAccount(organization_id=organization_id))
    shown = account.credit_balance_cents + account.credit_held_cents
    last = entries[-1].balance_after_cents if entries else 0
    whole = [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    trail = await ask(
        bus, "account", ListAudit(organization_id=organization_id, limit=1, verify=True)
    )
    broken = trail.broken_at or 0
    return [
        Line(
            "I6", "statement_ends_at_balance", shown, None, last, None, (), whole and shown == last
        ),
        Line("I12", "audit_log_is_unbroken", broken, None, 0, None, (), not broken),
    ]

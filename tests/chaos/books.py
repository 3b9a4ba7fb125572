"""What the books must say when everything has come back: findings are sentences."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from shared.contracts.base import Refusal
from shared.contracts.subscription import GetWorkflowTotals
from shared.topology import EVENTS
from tests.account.invariants import check_credits
from tests.chaos.buyer import Buyer
from tests.chaos.firm import Firm
from tests.stack import SERVICES, until

Tables = dict[str, "asyncpg.Connection[Any]"]

# What waits in the tables of every service: I11 says that all of it goes to nothing.
WAITING = {
    "facts": "SELECT count(*) FROM outbox",
    "steps": "SELECT count(*) FROM steps WHERE status <> 'concluded'",
    "dead letters": "SELECT count(*) FROM dead_letters",
}
# What only a webhook, or the reconciler in its place, brings to its end.
AT_STRIPE = {
    "purchases": "SELECT count(*) FROM purchases WHERE status IN ('open', 'processing')",
    "charges": "SELECT count(*) FROM charges WHERE status = 'pending'",
}
DONE = "SELECT count(*) FROM steps"
# It never rests: its steps are its looks.
AUDITOR = "auditor"
FREE_A_MONTH = 5


async def judge_books(
    firm: Firm, buyers: list[Buyer], patience_seconds: float
) -> tuple[list[str], list[str]]:
    """What is wrong, and what still waits after so long without a change."""
    async with AsyncExitStack() as held:
        tables = {
            service.name: await held.enter_async_context(firm.ground.tables(service.name))
            for service in SERVICES
        }
        unrest = await _unrest(firm, tables, patience_seconds)
        findings = [
            f"{buyer.organization_id}: {finding}"
            for buyer in buyers
            async for finding in _findings(firm, buyer, tables)
        ]
    return findings, unrest


async def _unrest(firm: Firm, tables: Tables, patience_seconds: float) -> list[str]:
    """Wait until nothing waits and nothing happens: facts go in circles between services."""
    before: Any = None
    moved_at = time.monotonic()
    async with firm.ground.jetstream() as js:
        while True:
            waiting, happened = Counter[str](), list[int]()
            for name, query in AT_STRIPE.items():
                waiting[name] = await tables["stripe_gateway"].fetchval(query)
            for service in SERVICES:
                for durable in service.durables:
                    info = await js.consumer_info(durable.stream, durable.name)
                    waiting[durable.name] += (info.num_pending or 0) + (info.num_ack_pending or 0)
                own = tables[service.name]
                for name, query in WAITING.items():
                    if (name, service.name) != ("steps", AUDITOR):
                        waiting[f"{name} of {service.name}"] = await own.fetchval(query)
                if service.name != AUDITOR:
                    happened.append(await own.fetchval(DONE))
            happened.append((await js.stream_info(EVENTS.name or "")).state.last_seq)
            calm = not any(waiting.values())
            if calm and before == (waiting, happened):
                return []
            if before != (waiting, happened):
                before, moved_at = (waiting, happened), time.monotonic()
            if time.monotonic() > moved_at + patience_seconds:
                return [f"{count} {name} still wait" for name, count in waiting.items() if count]
            await asyncio.sleep(0.5)


async def _findings(firm: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    for check in (_credits, _money, _workflows, _holds, _counters, _invoices, _notices, _audit):
        async for finding in check(firm, buyer, tables):
            yield finding


async def _credits(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """Double entry, no balance below zero, and each purchase granted once (I4, I6)."""
    try:
        await check_credits(tables["account"], buyer.organization_id)
    except AssertionError as wrong:
        yield str(wrong)
    granted = await tables["account"].fetch(
        "SELECT amount_cents FROM ledger_transactions WHERE organization_id = $1"
        " AND kind = 'granted' ORDER BY 1",
        buyer.organization_id,
    )
    if [row[0] for row in granted] != sorted(buyer.paid):
        yield f"granted were {[row[0] for row in granted]}, paid {sorted(buyer.paid)}"


async def _money(firm: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """One customer, and what Stripe's own ledger says was charged is what was ordered (I8)."""
    made = firm.sandbox.ledger(kind="customer", organization_id=buyer.organization_id)["entries"]
    if len(made) != 1:
        yield f"{len(made)} customers at Stripe"
        return
    customer = made[0]["object"]
    entries = firm.sandbox.ledger(kind="charge", customer=customer)["entries"]
    charged = sorted(entry["amount"] for entry in entries)
    payments = await tables["invoicing"].fetch(
        "SELECT * FROM payments WHERE organization_id = $1 AND succeeded_at IS NOT NULL",
        buyer.organization_id,
    )
    ordered = sorted([*buyer.paid, *(payment["amount_cents"] for payment in payments)])
    if charged != ordered:
        yield f"Stripe charged {charged}, ordered were {ordered}"
    moved = firm.sandbox.ledger(customer=customer)["entries"]
    net = sum(entry["amount"] for entry in moved if entry["amount"])
    given_back = sum(payment["refunded_cents"] for payment in payments)
    if net != sum(charged) - given_back:
        yield f"Stripe has {net} of {sum(charged)} cents, and {given_back} went back"
    if len({entry["payment_intent"] for entry in entries}) != len(entries):
        yield "one payment was charged twice"
    spent = await tables["account"].fetchval(
        "SELECT total_amount_spent_cents FROM accounts WHERE organization_id = $1",
        buyer.organization_id,
    )
    if spent != net:
        yield f"the account says that {spent} cents were spent, Stripe {net}"


async def _workflows(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """What completed is charged once and recorded once, and nothing else is (I1, I5, I9)."""
    rows = await tables["subscription"].fetch(
        "SELECT workflow_id, state FROM workflows WHERE organization_id = $1", buyer.organization_id
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["state"], set()).add(row["workflow_id"])
    for state, expected in (
        ("charged", buyer.completed),
        ("released", buyer.released),
        ("reserved", buyer.kept),
    ):
        if wrong := found.get(state, set()) ^ expected:
            yield f"{len(wrong)} workflows are {state} and should not be, or the reverse: {wrong}"
    records = await tables["invoicing"].fetch(
        "SELECT source_id FROM usage_records WHERE organization_id = $1", buyer.organization_id
    )
    told = Counter(row["source_id"] for row in records)
    if told != Counter(buyer.completed):
        yield f"{sum(told.values())} usage records of {len(buyer.completed)} workflows"


async def _holds(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """Account holds credits for just those workflows that subscription says it does."""
    rows = await tables["subscription"].fetch(
        "SELECT reservation_id || '-' || attempt AS hold_id, state FROM workflows"
        " WHERE organization_id = $1 AND covered_by = 'credits'"
        " AND state IN ('charged', 'reserved')",
        buyer.organization_id,
    )
    needed = {row["hold_id"]: row["state"] for row in rows}
    holds = await tables["account"].fetch(
        "SELECT hold_id, status FROM holds WHERE organization_id = $1"
        " AND status IN ('held', 'committed', 'spent')",
        buyer.organization_id,
    )
    held = {row["hold_id"]: "reserved" if row["status"] == "held" else "charged" for row in holds}
    if needed != held:
        yield f"held are {held}, needed {needed}"


async def _counters(firm: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """Counters are the sums of what they count, and no more free ones than there are (I9)."""
    totals = await firm.bus.ask(
        GetWorkflowTotals(organization_id=buyer.organization_id), timeout_seconds=20
    )
    assert not isinstance(totals, Refusal), totals
    if (totals.quota_used, totals.quota_reserved) != (
        totals.charged_by_quota,
        totals.reserved_by_quota,
    ):
        yield f"counters are not the sums of what they count: {totals}"
    free = await tables["subscription"].fetchval(
        "SELECT count(*) FROM workflows WHERE organization_id = $1 AND covered_by = 'free'"
        " AND state IN ('charged', 'reserved')",
        buyer.organization_id,
    )
    if free > FREE_A_MONTH:
        yield f"{free} free workflows"


async def _invoices(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """Numbers 1 to n, sums of lines, no record on two invoices or on a void one, and what was told
    to be paid or refunded is (I5, I7, I8).
    """
    books = tables["invoicing"]
    invoices = await books.fetch(
        "SELECT i.*, (SELECT coalesce(sum(total_cents), 0) FROM invoice_lines l"
        "  WHERE l.organization_id = i.organization_id AND l.invoice_id = i.invoice_id) AS lines,"
        " (SELECT coalesce(sum(total_picousd), 0) FROM usage_records r"
        "  WHERE r.organization_id = i.organization_id AND r.invoice_id = i.invoice_id) AS records"
        " FROM invoices i WHERE i.organization_id = $1 AND i.kind = 'usage' ORDER BY i.number",
        buyer.organization_id,
    )
    numbers = [invoice["number"] for invoice in invoices]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"invoices are numbered {numbers}"
    for invoice in invoices:
        # Workflows cost whole cents, so that nothing is carried on.
        billed = 0 if invoice["status"] == "void" else invoice["lines"]
        sums = {billed, invoice["records"] / 10**10}
        if len(sums) != 1 or invoice["lines"] != invoice["subtotal_cents"]:
            yield f"invoice {invoice['number']} and what it sums up: {sums}"
    # What was collected while somebody took the invoice back has gone back.
    gone = await books.fetch(
        "SELECT invoice_id FROM payments WHERE organization_id = $1 AND status = 'refunded'",
        buyer.organization_id,
    )
    returned = {row["invoice_id"] for row in gone}
    for invoice in invoices:
        told = buyer.invoices_paid.get(invoice["invoice_id"], invoice["amount_paid_cents"])
        is_back = invoice["status"] == "void" and invoice["invoice_id"] in returned
        if told != invoice["amount_paid_cents"] and not is_back:
            yield f"{told} cents were told to be paid of {invoice['amount_paid_cents']}"
    notes = await books.fetch(
        "SELECT credit_note_id, amount_cents FROM credit_notes WHERE organization_id = $1",
        buyer.organization_id,
    )
    if dict(notes) != buyer.refunded:
        yield f"credit notes are {dict(notes)}, told were {buyer.refunded}"
    parked = await books.fetchval(
        "SELECT parked_reason FROM billing_profiles WHERE organization_id = $1",
        buyer.organization_id,
    )
    if parked is not None:
        yield f"parked: {parked}"


async def _notices(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """Each invoice of ours was told of once, and each payment: Stripe's receipts say the same."""
    invoices = await tables["invoicing"].fetch(
        "SELECT invoice_id, kind, finalized_at, paid_at, amount_paid_cents FROM invoices"
        " WHERE organization_id = $1",
        buyer.organization_id,
    )
    expected = Counter(
        ("invoice_issued", each["invoice_id"])
        for each in invoices
        if each["kind"] == "usage" and each["finalized_at"]
    )
    expected += Counter(
        ("invoice_paid", each["invoice_id"])
        for each in invoices
        if each["paid_at"] and each["amount_paid_cents"]
    )
    rows = await tables["notices"].fetch(
        "SELECT kind, reference FROM notices WHERE organization_id = $1 AND kind = ANY($2)",
        buyer.organization_id,
        ["invoice_issued", "invoice_paid"],
    )
    told = Counter((row["kind"], row["reference"]) for row in rows)
    if told != expected:
        yield f"told were {told - expected} too much, and not {expected - told}"


async def _audit(_: Firm, buyer: Buyer, tables: Tables) -> AsyncIterator[str]:
    """The auditor has judged everything that happened, and found nothing, at no time."""
    of = buyer.organization_id
    rest = await tables[AUDITOR].fetchval("SELECT now()")
    judged = "SELECT judged_until FROM watches WHERE organization_id = $1"
    try:
        await until(
            lambda: tables[AUDITOR].fetchval(judged, of), lambda moment: moment and moment > rest
        )
    except AssertionError as never:
        yield f"the auditor has not judged it: {never}"
    for finding in await tables[AUDITOR].fetch(
        "SELECT check_name, evidence FROM findings WHERE organization_id = $1", of
    ):
        yield f"the auditor found {finding['check_name']}: {finding['evidence']}"

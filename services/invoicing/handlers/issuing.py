"""Making drafts final: recomputed from the raw records, numbered, told of, and then collected."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from prometheus_client import Counter

from services.invoicing.handlers.collecting import begin_collecting
from services.invoicing.handlers.drafting import drop
from services.invoicing.handlers.facts import invoice_changed, invoice_paid
from services.invoicing.handlers.means import Means
from services.invoicing.rules import invoices as rules
from services.invoicing.store import drafts, invoices, profiles
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.contracts.base import Event
from shared.contracts.invoicing import InvoiceIssued
from shared.database import Db
from shared.failpoints import failpoint

logger = logging.getLogger(__name__)

parked_total = Counter(
    "billing_invoices_disagreeing_total", "Drafts that disagree with the records they bill"
)


class Issued(NamedTuple):
    """Invoices as they stand now, by organization: final, dropped, or drafts that disagree."""

    invoices: dict[str, InvoiceRow]
    events: list[Event]


async def issue(
    means: Means,
    db: Db,
    locked: Mapping[str, ProfileRow],
    unfinished: Mapping[str, InvoiceRow],
    burned_cents: Mapping[str, int],
) -> Issued:
    """Make drafts final, for which account has burned these credits; profiles are locked.

    One that disagrees with its records parks its account, and one whose credits were gone, so
    that too little is left to be charged, is dropped; the others go on.
    """
    pairs = {each: draft.invoice_id for each, draft in unfinished.items()}
    uses = await drafts.sum_usage(db, pairs)
    lines = await invoices.list_lines(db, list(unfinished.values()))
    issued, numbered = Issued({}, []), dict[str, ProfileRow]()
    for each, draft in unfinished.items():
        drawn = lines[draft.invoice_id]
        problem = rules.disagreement(draft, drawn, uses.get(each, ()))
        if problem is not None:
            await _park(db, locked[each], draft, problem)
            issued.invoices[each] = draft
        elif not rules.is_collectable(draft.total_cents - burned_cents[each]):
            issued.invoices[each] = await drop(db, draft, drawn, "too little to be charged")
        else:
            numbered[each] = rules.counted(locked[each])
            issued.invoices[each] = rules.finalize(
                draft,
                drawn,
                numbered[each],
                credits_applied_cents=burned_cents[each],
                seller=means.settings.seller,
                due_after=means.settings.due_after,
                at=db.now,
            )
    final = [issued.invoices[each] for each in numbered]
    await profiles.set_numbers(db, list(numbered.values()))
    await invoices.save_invoices(db, final)
    failpoint("invoicing.numbered")
    await drafts.bill_usage(db, {row.organization_id: row.invoice_id for row in final})
    issued.events.extend(await _told(db, final, numbered))
    return issued


async def _park(db: Db, profile: ProfileRow, draft: InvoiceRow, problem: str) -> None:
    reason = f"Draft {rules.draft_number(draft.invoice_id)}: {problem}."
    parked = msgspec.structs.replace(profile, parked_reason=reason, parked_at=db.now)
    await profiles.save_profile(db, parked)
    parked_total.inc()
    told = {"organization": profile.organization_id, "invoice": draft.invoice_id}
    logger.error("invoice disagrees with its records", extra={"fields": {**told, "why": problem}})


async def _told(
    db: Db, final: Sequence[InvoiceRow], owners: Mapping[str, ProfileRow]
) -> list[Event]:
    events: list[Event] = []
    for row in final:
        owner = owners[row.organization_id]
        events += [_issued(row), invoice_changed(row, owner)]
        if row.status == "paid":
            events.append(invoice_paid(row))
        else:
            events += await begin_collecting(db, owner, row)
    return events


def _issued(row: InvoiceRow) -> InvoiceIssued:
    return InvoiceIssued(
        organization_id=row.organization_id,
        invoice_id=row.invoice_id,
        invoice_number=row.invoice_number or "",
        total_cents=row.total_cents,
        credits_applied_cents=row.credits_applied_cents,
        amount_due_cents=row.amount_due_cents,
        due_at=row.due_at,
        issued_at=row.finalized_at or row.updated_at,
    )

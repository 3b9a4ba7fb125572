"""Credit notes: what they are about is set aside first, then it happens, then they are numbered.

One whose refund the bank does not take is void, and leaves its invoice as it was.
"""

# ruff: noqa: ARG002 -- the methods of a step have their form

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from prometheus_client import Counter

from services.invoicing.handlers.charging import end_charge
from services.invoicing.handlers.collecting import stop_collecting
from services.invoicing.handlers.facts import invoice_changed, invoice_paid
from services.invoicing.handlers.means import Means
from services.invoicing.handlers.settling import keep_charge
from services.invoicing.handlers.views import UNKNOWN_INVOICE
from services.invoicing.rules import corrections as rules
from services.invoicing.store import invoices, notes, payments
from services.invoicing.store.profiles import lock_profile, save_profile
from services.invoicing.tables import CreditNoteRow, InvoiceRow, ProfileRow
from shared.contracts.account import GrantCredits
from shared.contracts.base import Done, Event, Refusal, Reply, Request
from shared.contracts.invoicing import CreditNote, CreditNoteIssued, CreditNoteKind, IssueCreditNote
from shared.contracts.stripe_gateway import Charge, RefundFailed, RefundPayment
from shared.database import Db
from shared.steps import AnsweringStep

logger = logging.getLogger(__name__)

failed_refunds_total = Counter(
    "billing_refunds_failed_total", "Refunds that a bank did not take: their money is still here"
)

BEING_PAID = Refusal(
    code="payment_under_way", detail="This invoice is being paid; try again when that has ended."
)
IN_FLIGHT = Refusal(
    code="credit_note_in_flight", detail="This credit note is being issued; ask again in a moment."
)
OTHER_NOTE = Refusal(
    code="id_reused", detail="This id was used for another credit note; use a new one."
)
REFUND_FAILED = Refusal(
    code="refund_failed",
    detail="The bank did not take this refund; credits may be given in its place.",
)


class Noting(msgspec.Struct, frozen=True):
    """A credit note on its way; `payment_id` is what is refunded, and `ends` an attempt that waits
    for a customer and would collect too much.
    """

    organization_id: str
    credit_note_id: str
    invoice_id: str
    invoice_number: str
    kind: CreditNoteKind
    how: rules.Correction
    amount_cents: int
    reason: str
    requested_by: str
    payment_id: str | None
    ends: str | None = None


class Given(msgspec.Struct, frozen=True):
    """What a call came to: how the attempt that was in the way ended, and whether it is given."""

    ended: Charge | None
    reply: Reply


class IssuesCreditNote(AnsweringStep[IssueCreditNote, Noting, Given]):
    """Answers `IssueCreditNote`."""

    kind: ClassVar[str] = "issue_credit_note"
    request = IssueCreditNote
    state = Noting

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: IssueCreditNote, db: Db) -> Noting | Reply:
        """Set aside what it is about, so that no two together go beyond the invoice."""
        organization_id = request.organization_id
        profile = await lock_profile(db, organization_id)
        known = await notes.find_note(db, organization_id, request.credit_note_id)
        if known is not None:
            return _known(known, request, profile)
        # Set aside twice and issued once, it would leave less asked for than is credited.
        if await notes.is_in_flight(db, self.kind, organization_id, request.credit_note_id):
            return IN_FLIGHT
        row = await invoices.find_invoice(db, [organization_id], request.invoice_id)
        if row is None:
            return UNKNOWN_INVOICE
        refunded_by_notes = await notes.sum_issued(db, organization_id, row.invoice_id, "refund")
        how = rules.correction(row, request.kind, request.amount_cents, refunded_by_notes)
        if isinstance(how, Refusal):
            return how
        under_way = None
        if how == "lessen":
            under_way = await payments.find_under_way(db, organization_id, row.invoice_id)
        if under_way is not None and under_way.status == "pending":
            return BEING_PAID
        paying = await payments.find_paying(db, organization_id, row.invoice_id)
        if how == "refund" and (paying is None or paying.status == "refunded"):
            return rules.UNPAID
        await invoices.save_invoices(db, [rules.with_credited(row, request.amount_cents)])
        return Noting(
            organization_id=organization_id,
            credit_note_id=request.credit_note_id,
            invoice_id=row.invoice_id,
            invoice_number=row.invoice_number or "",
            kind=request.kind,
            how=how,
            amount_cents=request.amount_cents,
            reason=request.reason,
            requested_by=request.requested_by,
            payment_id=paying.payment_id if paying else None,
            ends=under_way.payment_id if under_way else None,
        )

    async def call(self, step_id: str, state: Noting) -> Given:
        """Give it, once for the note's id; to ask for less, what would collect more is ended."""
        if state.how == "lessen":
            if state.ends is None:
                return Given(None, Done())
            ended = await end_charge(self._means, state.organization_id, state.ends)
            # One that has collected all the same has paid the invoice, in full.
            return Given(ended, Done() if ended.status == "failed" else BEING_PAID)
        giving: Request[Any] = _giving(state)
        given: Reply = await self._means.ask(giving, step_id)
        return Given(None, given)

    async def answer(
        self, step_id: str, state: Noting, outcome: Given, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Number it; or, when it could not be given, leave the invoice as it was."""
        organization_id, reply = state.organization_id, outcome.reply
        profile = await lock_profile(db, organization_id)
        told: list[Event] = []
        if outcome.ended is not None:
            told += await keep_charge(db, profile, outcome.ended.charge_id, outcome.ended)
        row = await invoices.find_invoice(db, [organization_id], state.invoice_id)
        if row is None:
            raise LookupError("an invoice that is final is not there")
        if state.how == "refund" and await notes.has_refund_failed(
            db, organization_id, state.credit_note_id
        ):
            reply = REFUND_FAILED
        if isinstance(reply, Refusal):
            await invoices.save_invoices(db, [rules.with_credited(row, -state.amount_cents)])
            return reply, told
        note, issued = await _issue(db, state, profile, row)
        return note, [*told, *issued]


async def _issue(
    db: Db, state: Noting, profile: ProfileRow, row: InvoiceRow
) -> tuple[Reply, Sequence[Event]]:
    number = profile.last_credit_note_number + 1
    profile = msgspec.structs.replace(profile, last_credit_note_number=number)
    await save_profile(db, profile)
    note = _row(state, profile, db)
    await notes.add_note(db, note)
    row = msgspec.structs.replace(row, version=row.version + 1, updated_at=db.now)
    told: list[Event] = []
    # What another note has only set aside may yet be given back.
    issued_cents = await notes.sum_issued(db, state.organization_id, row.invoice_id)
    settled = row.status != "paid" and issued_cents >= row.amount_due_cents
    if settled:
        row = msgspec.structs.replace(row, status="paid", paid_at=db.now)
        told.append(invoice_paid(row))
    await invoices.save_invoices(db, [row])
    if settled:
        told += await stop_collecting(db, profile, row)
    reply = note_of(note, profile)
    issued = CreditNoteIssued(organization_id=state.organization_id, credit_note=reply)
    return reply, [issued, invoice_changed(row, profile), *told]


def _giving(state: Noting) -> RefundPayment | GrantCredits:
    if state.how == "refund":
        return RefundPayment(
            organization_id=state.organization_id,
            refund_id=state.credit_note_id,
            charge_id=state.payment_id,
            amount_cents=state.amount_cents,
            requested_by=state.requested_by,
        )
    return GrantCredits(
        organization_id=state.organization_id,
        grant_id=state.credit_note_id,
        amount_cents=state.amount_cents,
        kind="purchased",
        description=f"Credit note for {state.invoice_number}",
        requested_by=state.requested_by,
    )


def _row(state: Noting, profile: ProfileRow, db: Db) -> CreditNoteRow:
    return CreditNoteRow(
        organization_id=state.organization_id,
        credit_note_id=state.credit_note_id,
        number=profile.last_credit_note_number,
        invoice_id=state.invoice_id,
        kind=state.kind,
        amount_cents=state.amount_cents,
        reason=state.reason,
        requested_by=state.requested_by,
        created_at=db.now,
    )


def _known(known: CreditNoteRow, request: IssueCreditNote, profile: ProfileRow) -> Reply:
    asked = (request.invoice_id, request.kind, request.amount_cents)
    same = asked == (known.invoice_id, known.kind, known.amount_cents)
    return note_of(known, profile) if same else OTHER_NOTE


def note_of(row: CreditNoteRow, profile: ProfileRow) -> CreditNote:
    """A row as the contract tells of it."""
    return CreditNote(
        credit_note_id=row.credit_note_id,
        credit_note_number=rules.credit_note_number(profile.account_code, row.number),
        organization_id=row.organization_id,
        invoice_id=row.invoice_id,
        kind=row.kind,
        amount_cents=row.amount_cents,
        reason=row.reason,
        created_at=row.created_at,
        voided_at=row.voided_at,
    )


async def void_note(fact: RefundFailed, db: Db) -> Sequence[Event]:
    """A bank did not take a refund: its credit note is void, so that another one can be issued."""
    profile = await lock_profile(db, fact.organization_id)
    if not await notes.add_failed_refund(db, fact.organization_id, fact.refund_id):
        return ()
    failed_refunds_total.inc()
    told = {"organization": fact.organization_id, "refund": fact.refund_id}
    logger.error("a refund failed: its money is still here", extra={"fields": told})
    note = await notes.find_note(db, fact.organization_id, fact.refund_id)
    if note is None or note.kind != "refund":
        # Not ours, or on its way here: it learns of this when it comes.
        return ()
    row = await invoices.find_invoice(db, [fact.organization_id], note.invoice_id)
    if row is None:
        raise LookupError("an invoice that was corrected is not there")
    row = rules.with_credited(row, -note.amount_cents)
    row = msgspec.structs.replace(row, version=row.version + 1, updated_at=db.now)
    await invoices.save_invoices(db, [row])
    return [invoice_changed(row, profile)]

"""An invoice on demand, and what it would be: account is asked between two transactions."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.invoicing.handlers.drafting import draft_now, freeze, up_to
from services.invoicing.handlers.issuing import issue
from services.invoicing.handlers.means import Means
from services.invoicing.handlers.views import invoice_of, shown
from services.invoicing.rules import invoices as rules
from services.invoicing.store import drafts, invoices
from services.invoicing.store.profiles import find_profile, lock_profile
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.contracts.account import Account, ApplyCredits, CreditBalance, GetAccount
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.invoicing import GenerateInvoice, Invoice, MaybeInvoice, PreviewInvoice
from shared.database import Db
from shared.steps import AnsweringStep

PARKED = Refusal(
    code="account_parked",
    detail="Billing of this account waits for a review; nothing is invoiced or charged meanwhile.",
)


class Closing(msgspec.Struct, frozen=True):
    """A draft, and what account is asked to burn for it."""

    organization_id: str
    invoice_id: str
    amount_cents: int
    hold_ids: tuple[str, ...]


def burning(state: Closing) -> ApplyCredits:
    """What account is asked; the same for whoever asks about this draft."""
    return ApplyCredits(
        organization_id=state.organization_id,
        invoice_id=state.invoice_id,
        amount_cents=state.amount_cents,
        hold_ids=state.hold_ids,
        least_left_cents=rules.LEAST_DUE_CENTS,
    )


class GeneratesInvoice(AnsweringStep[GenerateInvoice, Closing, CreditBalance | Refusal]):
    """Answers `GenerateInvoice`: whoever asks while a draft is under way gets that one."""

    kind: ClassVar[str] = "generate_invoice"
    request = GenerateInvoice
    state = Closing

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: GenerateInvoice, db: Db) -> Closing | Reply:
        """Freeze what is unbilled, unless that is done already."""
        organization_id = request.organization_id
        profile = await lock_profile(db, organization_id)
        if profile.parked_reason is not None:
            return PARKED
        draft = await invoices.find_draft(db, organization_id)
        if draft is None:
            # It became final while this request waited for the lock: that was the invoice asked
            # for.
            done = await invoices.find_finalized_after(db, organization_id, db.now)
            if done is not None:
                return MaybeInvoice(invoice=await shown(db, done))
            one, cuts = {organization_id: profile}, {organization_id: up_to(db.now)}
            frozen = await freeze(self._means, db, one, cuts)
            if not frozen.drafts:
                carried = frozen.rolled_over.get(organization_id, 0)
                return MaybeInvoice(invoice=None, carried_cents=carried)
            draft = frozen.drafts[organization_id]
        return await closing(db, draft)

    async def call(self, step_id: str, state: Closing) -> CreditBalance | Refusal:
        """Burn credits, once for this draft."""
        return await self._means.ask(burning(state), step_id)

    async def answer(
        self, step_id: str, state: Closing, outcome: CreditBalance | Refusal, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Make it final, unless somebody else who asked for it has done so."""
        if isinstance(outcome, Refusal):
            return outcome, ()
        profile = await lock_profile(db, state.organization_id)
        row = await invoices.find_invoice(db, [state.organization_id], state.invoice_id)
        if row is None:
            raise LookupError("a draft that was frozen is not there")
        events: Sequence[Event] = ()
        if row.status == "draft":
            if profile.parked_reason is not None:
                return PARKED, ()
            row, events = await self._issue(db, profile, row, outcome.total_cents)
        return await _answer(db, row), events

    async def _issue(
        self, db: Db, profile: ProfileRow, row: InvoiceRow, burned_cents: int
    ) -> tuple[InvoiceRow, Sequence[Event]]:
        each = profile.organization_id
        issued = await issue(self._means, db, {each: profile}, {each: row}, {each: burned_cents})
        return issued.invoices[each], issued.events


async def closing(db: Db, draft: InvoiceRow) -> Closing:
    """What account is asked for a draft."""
    holds = await drafts.list_holds(db, {draft.organization_id: draft.invoice_id})
    hold_ids = holds.get(draft.organization_id, ())
    return Closing(draft.organization_id, draft.invoice_id, draft.total_cents, hold_ids)


async def _answer(db: Db, row: InvoiceRow) -> Reply:
    if row.status == "draft":
        return PARKED
    if row.number is None:
        return MaybeInvoice(invoice=None, carried_cents=row.total_cents)
    return MaybeInvoice(invoice=await shown(db, row))


class Previewing(msgspec.Struct, frozen=True):
    """What would be billed, before credits."""

    organization_id: str
    invoice: Invoice
    held_cents: int


class PreviewsInvoice(AnsweringStep[PreviewInvoice, Previewing, Account | Refusal]):
    """Answers `PreviewInvoice`; nothing is taken, numbered or burned."""

    kind: ClassVar[str] = "preview_invoice"
    request = PreviewInvoice
    state = Previewing

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: PreviewInvoice, db: Db) -> Previewing | Reply:
        """Draw what is unbilled as an invoice."""
        profile = await find_profile(db, request.organization_id)
        found = await draft_now(self._means, db, profile) if profile else None
        if profile is None or found is None:
            return MaybeInvoice(invoice=None)
        draft, lines, held_cents, is_enough = found
        if not is_enough:
            return MaybeInvoice(invoice=None, carried_cents=draft.total_cents)
        invoice = invoice_of(draft, lines, profile)
        return Previewing(request.organization_id, invoice, held_cents)

    async def call(self, step_id: str, state: Previewing) -> Account | Refusal:
        """Ask what credits there are."""
        return await self._means.ask(GetAccount(organization_id=state.organization_id), step_id)

    async def answer(
        self, step_id: str, state: Previewing, outcome: Account | Refusal, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """The invoice as credits would leave it."""
        if isinstance(outcome, Refusal):
            return outcome, ()
        total = state.invoice.total_cents
        there = state.held_cents + outcome.credit_balance_cents
        burned = rules.burnable_cents(total, there)
        invoice = msgspec.structs.replace(
            state.invoice, credits_applied_cents=burned, amount_due_cents=total - burned
        )
        return MaybeInvoice(invoice=invoice), ()

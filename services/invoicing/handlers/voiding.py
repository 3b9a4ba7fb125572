"""Taking an invoice back: it is void at once, then its credits go back, then its usage is free."""

# ruff: noqa: ARG002 -- the methods of a step have their form

import logging
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.invoicing.handlers.collecting import stop_collecting
from services.invoicing.handlers.drafting import take_back
from services.invoicing.handlers.facts import invoice_changed
from services.invoicing.handlers.means import Means
from services.invoicing.handlers.views import UNKNOWN_INVOICE, invoice_of
from services.invoicing.rules import invoices as rules
from services.invoicing.rules.corrections import void_refusal
from services.invoicing.store import drafts, invoices
from services.invoicing.store.profiles import lock_profile
from shared.bus import AnswerFailed
from shared.contracts.account import CreditBalance, RestoreCredits
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.invoicing import InvoiceVoided, VoidInvoice
from shared.database import Db
from shared.steps import AnsweringStep

logger = logging.getLogger(__name__)


class Voiding(msgspec.Struct, frozen=True):
    """An invoice that is void already."""

    organization_id: str
    invoice_id: str


class VoidsInvoice(AnsweringStep[VoidInvoice, Voiding, CreditBalance]):
    """Answers `VoidInvoice`.

    It is void before anything else, so that nobody pays it meanwhile; and its usage is free only
    when its credits are, so that they are there for the next invoice.
    """

    kind: ClassVar[str] = "void_invoice"
    request = VoidInvoice
    state = Voiding

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: VoidInvoice, db: Db) -> Voiding | Reply:
        """Make it void, if nothing was paid."""
        await lock_profile(db, request.organization_id)
        row = await invoices.find_invoice(db, [request.organization_id], request.invoice_id)
        if row is None:
            return UNKNOWN_INVOICE
        refusal = void_refusal(row)
        if refusal is not None:
            return refusal
        await invoices.save_invoices(db, [rules.void(row, request.reason, db.now)])
        told = {"invoice_id": row.invoice_id, "requested_by": request.requested_by}
        logger.info("invoice made void", extra={"fields": told})
        return Voiding(request.organization_id, request.invoice_id)

    async def call(self, step_id: str, state: Voiding) -> CreditBalance:
        """Give credits back, once for this invoice."""
        request = RestoreCredits(organization_id=state.organization_id, invoice_id=state.invoice_id)
        answer = await self._means.ask(request, step_id)
        if isinstance(answer, Refusal):
            raise AnswerFailed(answer.code)
        return answer

    async def answer(
        self, step_id: str, state: Voiding, outcome: CreditBalance, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Leave its usage to the next invoice, and tell."""
        profile = await lock_profile(db, state.organization_id)
        row = await invoices.find_invoice(db, [state.organization_id], state.invoice_id)
        if row is None:
            raise LookupError("an invoice that was made void is not there")
        lines = (await invoices.list_lines(db, [row]))[row.invoice_id]
        pair = {row.organization_id: row.invoice_id}
        if row.number is not None:
            # What was held has come back as credits like any others; of a draft it may still be.
            await drafts.forget_holds(db, pair)
        await take_back(db, pair, lines)
        events: list[Event] = []
        if row.number is not None:
            told = InvoiceVoided(
                organization_id=row.organization_id,
                invoice_id=row.invoice_id,
                invoice_number=row.invoice_number or "",
                reason=row.void_reason or "",
                voided_at=row.voided_at or row.updated_at,
            )
            events = [told, invoice_changed(row, profile), *await stop_collecting(db, profile, row)]
        return invoice_of(row, lines, profile), events

"""Documents: what is printed is read first, and drawn when the connection is given back."""

import logging
import re

from services.invoicing.documents.document import InvoiceDocument
from services.invoicing.documents.drawing import Drawing
from services.invoicing.documents.html import render_html
from services.invoicing.documents.pdf import LARGEST_PDF_BYTES, NotDrawn
from services.invoicing.documents.printing import credit_note_document, invoice_document
from services.invoicing.handlers.means import Means
from services.invoicing.handlers.notes import note_of
from services.invoicing.handlers.views import UNKNOWN_INVOICE
from services.invoicing.rules.corrections import credit_note_number
from services.invoicing.store import invoices
from services.invoicing.store.notes import find_note, list_notes
from services.invoicing.store.payments import find_paying
from services.invoicing.store.profiles import find_profile
from services.invoicing.tables import ProfileRow
from shared.contracts.base import Refusal, Reply
from shared.contracts.invoicing import (
    CreditNotes,
    Document,
    ListCreditNotes,
    RenderCreditNote,
    RenderInvoice,
)
from shared.database import Db

logger = logging.getLogger(__name__)

NOT_FINAL = Refusal(code="not_finalized", detail="A draft has no document yet.")
UNKNOWN_NOTE = Refusal(
    code="credit_note_not_found", detail="There is no such credit note.", status=404
)
NOT_DRAWN = Refusal(
    code="not_drawn", detail="This document cannot be drawn; try its other format, or later."
)
UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Rendering:
    """Answers with documents."""

    def __init__(self, means: Means, drawing: Drawing) -> None:
        self._means = means
        self._drawing = drawing

    async def read_invoice(self, request: RenderInvoice, db: Db) -> InvoiceDocument | Refusal:
        """What is printed of one of the caller's invoices, Stripe's among them."""
        row = await invoices.find_invoice(db, request.organization_ids, request.invoice_id)
        if row is None:
            return UNKNOWN_INVOICE
        # A draft that came to nothing is void and has never been final.
        if row.status == "draft" or (row.kind == "usage" and row.finalized_at is None):
            return NOT_FINAL
        lines = (await invoices.list_lines(db, [row]))[row.invoice_id]
        profile = await find_profile(db, row.organization_id)
        payment = await find_paying(db, row.organization_id, row.invoice_id)
        return invoice_document(row, lines, self._means.settings.seller, _buyer(profile), payment)

    async def read_credit_note(
        self, request: RenderCreditNote, db: Db
    ) -> InvoiceDocument | Refusal:
        """What is printed of a credit note: it is made out as its invoice is."""
        organization_id = request.organization_id
        note = await find_note(db, organization_id, request.credit_note_id)
        profile = await find_profile(db, organization_id)
        if note is None or profile is None:
            return UNKNOWN_NOTE
        row = await invoices.find_invoice(db, [organization_id], note.invoice_id)
        if row is None:
            raise LookupError("an invoice that was corrected is not there")
        number = credit_note_number(profile.account_code, note.number)
        return credit_note_document(note, number, row, self._means.settings.seller, profile.buyer)

    async def render(
        self, request: RenderInvoice | RenderCreditNote, document: InvoiceDocument
    ) -> Reply:
        """Draw it; whoever asks gets a sentence if that is too much."""
        try:
            content = await self._drawn(document, request.format)
        except NotDrawn as error:
            told = {"number": document.number, "why": str(error)}
            logger.error("document not drawn", extra={"fields": told})  # noqa: TRY400 -- foreseen
            return NOT_DRAWN
        name = UNSAFE_IN_NAMES.sub("-", document.number)
        return Document(
            content=content,
            content_type="application/pdf" if request.format == "pdf" else "text/html",
            file_name=f"{name}.{request.format}",
        )

    async def _drawn(self, document: InvoiceDocument, form: str) -> bytes:
        if form == "pdf":
            return await self._drawing.pdf(document)
        page = render_html(document)
        if len(page) > LARGEST_PDF_BYTES:
            raise NotDrawn(f"a page has at most {LARGEST_PDF_BYTES} bytes")
        return page


def _buyer(profile: ProfileRow | None) -> dict[str, object]:
    return profile.buyer if profile else {}


async def list_credit_notes(request: ListCreditNotes, db: Db) -> CreditNotes:
    """The corrections of an organization's invoices."""
    profile = await find_profile(db, request.organization_id)
    if profile is None:
        return CreditNotes(credit_notes=())
    rows = await list_notes(db, request.organization_id, request.invoice_id)
    return CreditNotes(credit_notes=tuple(note_of(row, profile) for row in rows))

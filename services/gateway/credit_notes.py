"""Corrections of invoices: listed, and to look at as PDF or as a page."""

from typing import Annotated

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from services.gateway.asks import Caller
from services.gateway.document_routes import document_route, rendered
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.invoice_responses import CreditNoteResponse
from services.gateway.invoice_translations import credit_note
from services.gateway.parameters import TEXT_PATTERN, Given, OrganizationId, text_query
from services.gateway.slots import Slots
from shared.contracts.invoicing import DocumentFormat, ListCreditNotes, RenderCreditNote

CreditNoteId = Annotated[
    str,
    PathParameter(
        description="The credit note.", pattern=TEXT_PATTERN, min_length=1, max_length=128
    ),
]


@get(
    "/account/{organization_id:str}/credit-notes",
    operation_id="list_credit_notes",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["invoices"],
)
async def list_credit_notes(
    organization_id: OrganizationId,
    caller: Given[Caller],
    invoice_id: Annotated[str | None, text_query("Only those of this invoice.")] = None,
) -> list[CreditNoteResponse]:
    """List the corrections of invoices, newest first, at most 200."""
    found = await caller.ask(
        ListCreditNotes(organization_id=organization_id, invoice_id=invoice_id)
    )
    return [credit_note(note) for note in found.credit_notes]


def _shows(form: DocumentFormat, told: str) -> HTTPRouteHandler:
    async def show(
        organization_id: OrganizationId,
        credit_note_id: CreditNoteId,
        caller: Given[Caller],
        document_slots: Given[Slots],
    ) -> Response[bytes]:
        request = RenderCreditNote(
            organization_id=organization_id, credit_note_id=credit_note_id, format=form
        )
        return await rendered(request, form, caller, document_slots)

    show.__doc__ = told
    path = "/account/{organization_id:str}/credit-notes/{credit_note_id:str}"
    return document_route(path, "credit note", form, "read")(show)


get_credit_note_pdf = _shows("pdf", "Get a credit note as PDF.")
get_credit_note_html = _shows("html", "Get a credit note as a page.")

"""Corrections of invoices: listed, and to look at as PDF or as a page."""

from typing import Annotated

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.invoice_documents import HTML, PDF, RENDER_SECONDS, document_response
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


@get(
    "/account/{organization_id:str}/credit-notes/{credit_note_id:str}/pdf",
    operation_id="get_credit_note_pdf",
    opt={"permission": "read", "no_compression": True},
    media_type=PDF,
    responses={
        200: ResponseSpec(
            bytes, media_type=PDF, generate_examples=False, description="The credit note as PDF."
        ),
        **declared(409, *ASKING_STATUSES),
    },
    tags=["invoices"],
)
async def get_credit_note_pdf(
    organization_id: OrganizationId,
    credit_note_id: CreditNoteId,
    caller: Given[Caller],
    document_slots: Given[Slots],
) -> Response[bytes]:
    """Get a credit note as PDF."""
    with document_slots.taken(caller.principal.name):
        return await _rendered(organization_id, credit_note_id, "pdf", caller)


@get(
    "/account/{organization_id:str}/credit-notes/{credit_note_id:str}/html",
    operation_id="get_credit_note_html",
    opt={"permission": "read"},
    media_type=HTML,
    responses={
        200: ResponseSpec(
            bytes, media_type=HTML, generate_examples=False, description="It as a page."
        ),
        **declared(409, *ASKING_STATUSES),
    },
    tags=["invoices"],
)
async def get_credit_note_html(
    organization_id: OrganizationId,
    credit_note_id: CreditNoteId,
    caller: Given[Caller],
    document_slots: Given[Slots],
) -> Response[bytes]:
    """Get a credit note as a page."""
    with document_slots.taken(caller.principal.name):
        return await _rendered(organization_id, credit_note_id, "html", caller)


async def _rendered(
    organization_id: str, credit_note_id: str, form: DocumentFormat, caller: Caller
) -> Response[bytes]:
    request = RenderCreditNote(
        organization_id=organization_id, credit_note_id=credit_note_id, format=form
    )
    return document_response(await caller.ask(request, timeout_seconds=RENDER_SECONDS), form)

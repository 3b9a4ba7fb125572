"""An invoice to look at: as PDF, and as a page that may run and load nothing."""

import re

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.invoices import InvoiceId
from services.gateway.parameters import Given
from services.gateway.slots import Slots
from shared.contracts.invoicing import Document, DocumentFormat, RenderInvoice

# Laying out hundreds of lines takes a while.
RENDER_SECONDS = 15.0
PDF = "application/pdf"
HTML = "text/html"
CONTENT_SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@get(
    "/invoices/{invoice_id:str}/pdf",
    operation_id="get_invoice_pdf",
    opt={"permission": "read_found", "no_compression": True},
    media_type=PDF,
    responses={
        200: ResponseSpec(
            bytes, media_type=PDF, generate_examples=False, description="The invoice as PDF."
        ),
        **declared(409, *ASKING_STATUSES),
    },
    tags=["invoices"],
)
async def get_invoice_pdf(
    invoice_id: InvoiceId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    document_slots: Given[Slots],
) -> Response[bytes]:
    """Get a finalized invoice as PDF; a draft is a 409."""
    with document_slots.taken(caller.principal.name):
        return await _rendered(invoice_id, "pdf", caller, invoice_desk)


@get(
    "/invoices/{invoice_id:str}/html",
    operation_id="get_invoice_html",
    opt={"permission": "read_found"},
    media_type=HTML,
    responses={
        200: ResponseSpec(
            bytes, media_type=HTML, generate_examples=False, description="The invoice as a page."
        ),
        **declared(409, *ASKING_STATUSES),
    },
    tags=["invoices"],
)
async def get_invoice_html(
    invoice_id: InvoiceId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    document_slots: Given[Slots],
) -> Response[bytes]:
    """Get a finalized invoice as a page; a draft is a 409."""
    with document_slots.taken(caller.principal.name):
        return await _rendered(invoice_id, "html", caller, invoice_desk)


async def _rendered(
    invoice_id: str, form: DocumentFormat, caller: Caller, desk: InvoiceDesk
) -> Response[bytes]:
    found = await caller.ask(
        RenderInvoice(organization_ids=desk.organizations, invoice_id=invoice_id, format=form),
        timeout_seconds=RENDER_SECONDS,
    )
    return document_response(found, form)


def document_response(found: Document, form: DocumentFormat) -> Response[bytes]:
    """A document as browsers show it, under a name that breaks no header."""
    name = UNSAFE_IN_NAMES.sub("_", found.file_name)
    return Response(
        found.content,
        media_type=PDF if form == "pdf" else HTML,
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Security-Policy": CONTENT_SECURITY,
            # Its lines never change, but whether it is paid does.
            "Cache-Control": "private, no-cache",
        },
    )

"""An invoice to look at."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler

from services.gateway.asks import Caller
from services.gateway.document_routes import document_route, rendered
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.invoices import InvoiceId
from services.gateway.parameters import Given
from services.gateway.slots import Slots
from shared.contracts.invoicing import DocumentFormat, RenderInvoice


def _shows(form: DocumentFormat, told: str) -> HTTPRouteHandler:
    async def show(
        invoice_id: InvoiceId,
        caller: Given[Caller],
        invoice_desk: Given[InvoiceDesk],
        document_slots: Given[Slots],
    ) -> Response[bytes]:
        request = RenderInvoice(
            organization_ids=invoice_desk.organizations, invoice_id=invoice_id, format=form
        )
        return await rendered(request, form, caller, document_slots)

    show.__doc__ = told
    return document_route("/invoices/{invoice_id:str}", "invoice", form, "read_found")(show)


get_invoice_pdf = _shows("pdf", "Get a finalized invoice as PDF; a draft is a 409.")
get_invoice_html = _shows("html", "Get a finalized invoice as a page; a draft is a 409.")

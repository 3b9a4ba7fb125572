"""What was used: of an organization, and behind an invoice or one of its lines."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.invoice_responses import UsageRecordResponse
from services.gateway.invoices import InvoiceId
from services.gateway.paging import PageRequest, page
from services.gateway.parameters import Cursor, Given, Limit, OrganizationId
from shared.contracts.invoicing import ListInvoiceUsage, ListUsageRecords


@get(
    "/account/{organization_id:str}/usage",
    operation_id="list_usage",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["usage"],
)
async def list_usage(
    request: PageRequest,
    organization_id: OrganizationId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    billed: Annotated[
        bool | None, QueryParameter(description="Only what is billed, or only what is not.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[UsageRecordResponse]]:
    """List usage records, newest first; `Link` leads to the page that follows."""
    found = await caller.ask(
        ListUsageRecords(organization_id=organization_id, billed=billed, limit=limit, cursor=cursor)
    )
    return page(request, await invoice_desk.list_usage(found.records), found.next_cursor)


@get(
    "/invoices/{invoice_id:str}/usage",
    operation_id="list_invoice_usage",
    opt={"permission": "read_found"},
    responses=declared(*ASKING_STATUSES),
    tags=["usage"],
)
async def list_invoice_usage(
    request: PageRequest,
    invoice_id: InvoiceId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    position: Annotated[
        int | None,
        QueryParameter(description="Only behind the line at this position.", ge=1, le=100_000),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[UsageRecordResponse]]:
    """List the usage records that an invoice bills, newest first."""
    found = await caller.ask(
        ListInvoiceUsage(
            organization_ids=invoice_desk.organizations,
            invoice_id=invoice_id,
            position=position,
            limit=limit,
            cursor=cursor,
        )
    )
    return page(request, await invoice_desk.list_usage(found.records), found.next_cursor)

"""Invoices: listed, read, made of what was used, and paid."""

from typing import Annotated

from litestar import Response, get, post
from litestar.params import FromQuery, JSONBody, PathParameter
from msgspec import Meta

from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.dollars import dollars_of_cents
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.invoice_responses import (
    InvoiceResponse,
    PaymentResponse,
    UpcomingInvoiceResponse,
)
from services.gateway.paging import PageRequest, page
from services.gateway.parameters import (
    ID_PATTERN,
    Cursor,
    Given,
    IdempotencyKey,
    Limit,
    OrganizationId,
    RequestBody,
)
from services.gateway.payment_methods import STRIPE_ID_PATTERN
from services.gateway.rate_limits import HourlyLimit
from shared.contracts.invoicing import (
    GenerateInvoice,
    InvoiceStatus,
    ListInvoices,
    ListPayments,
    PayInvoice,
    PreviewInvoice,
)

InvoiceId = Annotated[str, PathParameter(description="The invoice.", pattern=ID_PATTERN)]


class PayInvoiceBody(RequestBody, frozen=True, kw_only=True):
    """What to pay with; without it, the default."""

    payment_method_id: Annotated[str, Meta(pattern=STRIPE_ID_PATTERN)] | None = None


@get(
    "/account/{organization_id:str}/invoices",
    operation_id="list_invoices",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["invoices"],
)
async def list_invoices(
    request: PageRequest,
    organization_id: OrganizationId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    status: FromQuery[InvoiceStatus | None] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[InvoiceResponse]]:
    """List invoices, Stripe's among them, newest first; `Link` leads to the page that follows."""
    found = await caller.ask(
        ListInvoices(organization_id=organization_id, status=status, limit=limit, cursor=cursor)
    )
    return page(request, await invoice_desk.list_invoices(found.invoices), found.next_cursor)


@get(
    "/account/{organization_id:str}/invoices/upcoming",
    operation_id="get_upcoming_invoice",
    opt={"permission": "read"},
    responses=declared(409, *ASKING_STATUSES),
    tags=["invoices"],
)
async def get_upcoming_invoice(
    organization_id: OrganizationId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
) -> UpcomingInvoiceResponse:
    """Tell what would be billed now; nothing is changed."""
    found = await caller.ask(PreviewInvoice(organization_id=organization_id))
    return UpcomingInvoiceResponse(
        invoice=None if found.invoice is None else await invoice_desk.tell(found.invoice),
        carried=dollars_of_cents(found.carried_cents),
    )


@post(
    "/account/{organization_id:str}/invoices/generate",
    operation_id="generate_invoice",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["invoices"],
)
async def generate_invoice(
    organization_id: OrganizationId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    generate_limit: Given[HourlyLimit],
    idempotency_key: IdempotencyKey = None,
) -> InvoiceResponse | None:
    """Bill what is not billed yet; null when that is nothing. Many at once make one invoice."""
    generate_limit.take(organization_id)
    made = await caller.ask(
        GenerateInvoice(organization_id=organization_id, requested_by=caller.principal.name),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return None if made.invoice is None else await invoice_desk.tell(made.invoice)


@get(
    "/invoices/{invoice_id:str}",
    operation_id="get_invoice",
    opt={"permission": "read_found"},
    responses=declared(*ASKING_STATUSES),
    tags=["invoices"],
)
async def get_invoice(invoice_id: InvoiceId, invoice_desk: Given[InvoiceDesk]) -> InvoiceResponse:
    """Get an invoice of any organization that the token names."""
    return await invoice_desk.tell(await invoice_desk.find(invoice_id))


@post(
    "/invoices/{invoice_id:str}/pay",
    operation_id="pay_invoice",
    opt={"permission": "manage_found"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["invoices"],
)
async def pay_invoice(
    invoice_id: InvoiceId,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    pay_limit: Given[HourlyLimit],
    data: JSONBody[PayInvoiceBody | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> PaymentResponse:
    """Pay an invoice; a declined card is an answer whose status is `failed`.

    Many at once make one charge.
    """
    invoice = await invoice_desk.find_to_pay(invoice_id)
    pay_limit.take(invoice.organization_id)
    payment = await caller.ask(
        PayInvoice(
            organization_id=invoice.organization_id,
            invoice_id=invoice.invoice_id,
            payment_method_id=None if data is None else data.payment_method_id,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return await invoice_desk.tell_payment(payment)


@get(
    "/invoices/{invoice_id:str}/payments",
    operation_id="list_payments",
    opt={"permission": "read_found"},
    responses=declared(*ASKING_STATUSES),
    tags=["invoices"],
)
async def list_payments(
    invoice_id: InvoiceId, caller: Given[Caller], invoice_desk: Given[InvoiceDesk]
) -> list[PaymentResponse]:
    """List every attempt to collect an invoice, newest first."""
    invoice = await invoice_desk.find(invoice_id)
    found = await caller.ask(
        ListPayments(organization_id=invoice.organization_id, invoice_id=invoice.invoice_id)
    )
    return await invoice_desk.list_payments(found.payments)

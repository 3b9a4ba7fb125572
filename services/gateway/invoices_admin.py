"""What operators do about invoices: take back, correct, refund; and how each is billed."""

import hashlib
from datetime import datetime
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from services.gateway.amounts import cents_of, number_text
from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared, invalid
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.invoice_responses import (
    CreditNoteResponse,
    InvoiceResponse,
    PaymentResponse,
)
from services.gateway.invoice_translations import credit_note
from services.gateway.invoices import InvoiceId
from services.gateway.paging import PageRequest
from services.gateway.parameters import (
    ID_PATTERN,
    TEXT_PATTERN,
    AwareTime,
    Given,
    Id,
    IdempotencyKey,
    RequestBody,
    Text,
    time_range,
)
from shared.contracts.invoicing import (
    BasisPoints,
    BillingTerms,
    CreditNoteKind,
    GetBillingTerms,
    IssueCreditNote,
    ListPayments,
    SetBillingTerms,
    VoidInvoice,
)

MOST_CORRECTION_CENTS = 10**12
Reason = Annotated[str, Meta(pattern=TEXT_PATTERN, min_length=1, max_length=500)]
WhoseInvoice = Annotated[str, QueryParameter(description="Whose it is.", pattern=ID_PATTERN)]


class VoidBody(RequestBody, frozen=True, kw_only=True):
    """Whose invoice to take back, and why."""

    organization_id: Id
    reason: Reason


class CreditNoteBody(RequestBody, frozen=True, kw_only=True):
    """What to give back, in dollars with at most two decimals; `credit_note_id` once only.

    A `refund` gives money back; a `credit` lessens what is due, or is granted as credits.
    """

    organization_id: Id
    credit_note_id: Text
    kind: CreditNoteKind
    amount_usd: float
    reason: Reason


class BillingTermsBody(RequestBody, frozen=True, kw_only=True):
    """Discount, tax or both for invoices to come, 10,000 being 100%; what is left out stays.

    The end of a discount and the name of a tax are said together with them, or there is none.
    """

    organization_id: Id
    discount_basis_points: BasisPoints | None = None
    discount_until: AwareTime | None = None
    tax_basis_points: BasisPoints | None = None
    tax_name: Text | None = None


@post(
    "/invoices/{invoice_id:str}/void",
    operation_id="void_invoice",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def void_invoice(
    invoice_id: InvoiceId,
    data: JSONBody[VoidBody],
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
    idempotency_key: IdempotencyKey = None,
) -> InvoiceResponse:
    """Take an unpaid invoice back: its credits are restored, its usage may be billed again."""
    taken_back = await caller.ask(
        VoidInvoice(
            organization_id=data.organization_id,
            invoice_id=invoice_id,
            reason=data.reason,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return await invoice_desk.tell(taken_back)


def _key_of(credit_note_id: str) -> str:
    return f"credit-note:{hashlib.sha256(credit_note_id.encode()).hexdigest()}"


@post(
    "/invoices/{invoice_id:str}/credit-notes",
    operation_id="issue_credit_note",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["admin"],
)
async def issue_credit_note(
    request: PageRequest,
    invoice_id: InvoiceId,
    data: JSONBody[CreditNoteBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> CreditNoteResponse:
    """Correct a finalized invoice, in whole or in part, by credit or refund."""
    text = number_text(await request.body(), "amount_usd")
    note = await caller.ask(
        IssueCreditNote(
            organization_id=data.organization_id,
            invoice_id=invoice_id,
            credit_note_id=data.credit_note_id,
            kind=data.kind,
            amount_cents=cents_of(
                text, "amount_usd", least_cents=1, most_cents=MOST_CORRECTION_CENTS
            ),
            reason=data.reason,
            requested_by=caller.principal.name,
        ),
        # Its id makes it one, also for who sends no key: twice at once is the same step.
        idempotency_key=idempotency_key or _key_of(data.credit_note_id),
        timeout_seconds=STRIPE_SECONDS,
    )
    return credit_note(note)


@get(
    "/invoices/{invoice_id:str}/payments",
    operation_id="list_payments_of_invoice",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_payments_of_invoice(
    invoice_id: InvoiceId,
    organization_id: WhoseInvoice,
    caller: Given[Caller],
    invoice_desk: Given[InvoiceDesk],
) -> list[PaymentResponse]:
    """List every attempt to collect an invoice, newest first."""
    found = await caller.ask(ListPayments(organization_id=organization_id, invoice_id=invoice_id))
    return await invoice_desk.list_payments(found.payments)


@get(
    "/billing-terms",
    operation_id="get_billing_terms",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def get_billing_terms(organization_id: WhoseInvoice, caller: Given[Caller]) -> BillingTerms:
    """Tell how an organization is billed: discount, tax, whether it is suspended or parked."""
    return await caller.ask(GetBillingTerms(organization_id=organization_id))


@post(
    "/billing-terms",
    operation_id="set_billing_terms",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def set_billing_terms(
    data: JSONBody[BillingTermsBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> BillingTerms:
    """Set the discount and the tax rate of an organization, for invoices to come."""
    for name, of in (
        ("discount_until", "discount_basis_points"),
        ("tax_name", "tax_basis_points"),
    ):
        if getattr(data, name) is not None and getattr(data, of) is None:
            raise invalid(name, f"needs `{of}`", "body")
    until: datetime | None = time_range(
        None, data.discount_until, names=("", "discount_until"), source="body"
    ).end
    return await caller.ask(
        SetBillingTerms(
            organization_id=data.organization_id,
            discount_basis_points=data.discount_basis_points,
            discount_until=until,
            tax_basis_points=data.tax_basis_points,
            tax_name=data.tax_name,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )

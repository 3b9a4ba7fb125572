"""Billing accounts: how they stand, their settings, their credits."""

import asyncio
from typing import Annotated

import msgspec
from litestar import Request, Response, get, patch
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType

from services.gateway.account_responses import BillingAccountResponse, CreditEntryResponse
from services.gateway.account_translations import billing_account, credit_entry
from services.gateway.amounts import cents_of, number_text
from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.free_workflows import FreeWorkflowCounter
from services.gateway.paging import PageRequest, page
from services.gateway.parameters import (
    END,
    Cursor,
    Given,
    IdempotencyKey,
    Limit,
    OrganizationId,
    RequestBody,
)
from services.gateway.permissions import Principal
from shared.clock import Clock
from shared.contracts.account import Buyer, GetAccount, ListCreditEntries, UpdateAccount

# The same rules as the contract's, in a form that JavaScript reads too.
Email = Annotated[
    str,
    Meta(pattern=rf"^[^@\s\u0000-\u001f\u007f]{{1,64}}@[^@\s\u0000-\u001f\u007f]{{1,189}}{END}"),
]
Line = Annotated[str, Meta(pattern=rf"^[^\u0000-\u001f\u007f]*{END}", max_length=200)]
Country = Annotated[str, Meta(pattern=rf"^[A-Z]{{2}}{END}")]

LIMIT = "auto_billing_monthly_limit"
MOST_LIMIT_CENTS = 100_000_000


class AddressBody(RequestBody, frozen=True, kw_only=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: Line
    line2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    postal_code: Line | None = None
    country: Country


class BuyerBody(RequestBody, frozen=True, kw_only=True):
    """Who invoices are made out to, as a whole: what is left out is empty then."""

    name: Line | None = None
    address: AddressBody | None = None
    tax_id: Line | None = None


class AccountSettingsBody(RequestBody, frozen=True, kw_only=True):
    """What to change; what is left out stays. The limit is in dollars a month, null for none."""

    billing_email: Email | UnsetType | None = UNSET
    auto_billing_enabled: bool | UnsetType = UNSET
    auto_billing_monthly_limit: float | UnsetType | None = UNSET
    buyer: BuyerBody | UnsetType = UNSET


@get(
    "/account/{organization_id:str}",
    operation_id="get_account",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["account"],
)
async def get_account(
    organization_id: OrganizationId,
    caller: Given[Caller],
    clock: Given[Clock],
    free_workflows: Given[FreeWorkflowCounter],
) -> BillingAccountResponse:
    """Get the organization's billing account; the first to ask opens it."""
    account, free = await asyncio.gather(
        caller.ask(GetAccount(organization_id=organization_id)),
        free_workflows.count(caller, organization_id, clock.now()),
    )
    return billing_account(account, free)


@patch(
    "/account/{organization_id:str}",
    operation_id="update_account",
    opt={"permission": "manage"},
    responses=declared(*WRITING_STATUSES),
    tags=["account"],
)
async def update_account(
    request: Request[Principal, None, State],
    organization_id: OrganizationId,
    data: JSONBody[AccountSettingsBody],
    caller: Given[Caller],
    clock: Given[Clock],
    free_workflows: Given[FreeWorkflowCounter],
    idempotency_key: IdempotencyKey = None,
) -> BillingAccountResponse:
    """Change where invoices go, whom they name, and whether and how far to charge by itself."""
    limit: int | UnsetType | None
    if isinstance(data.auto_billing_monthly_limit, float):
        text = number_text(await request.body(), LIMIT)
        limit = cents_of(text, LIMIT, least_cents=1, most_cents=MOST_LIMIT_CENTS)
    else:
        limit = data.auto_billing_monthly_limit
    # First, so that an account that cannot be shown is not changed behind a 503.
    free = await free_workflows.count(caller, organization_id, clock.now())
    account = await caller.ask(
        UpdateAccount(
            organization_id=organization_id,
            requested_by=caller.principal.name,
            billing_email=data.billing_email,
            auto_billing_enabled=data.auto_billing_enabled,
            auto_billing_monthly_limit_cents=limit,
            buyer=_buyer(data.buyer),
        ),
        idempotency_key=idempotency_key,
    )
    return billing_account(account, free)


def _buyer(body: BuyerBody | UnsetType) -> Buyer | UnsetType:
    if isinstance(body, UnsetType):
        return body
    return msgspec.convert(msgspec.to_builtins(body), Buyer)


@get(
    "/account/{organization_id:str}/credits",
    operation_id="list_credits",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["account"],
)
async def list_credits(
    request: PageRequest,
    organization_id: OrganizationId,
    caller: Given[Caller],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[CreditEntryResponse]]:
    """List the credit ledger, newest first; `Link: <…>; rel="next"` leads to the next page."""
    found = await caller.ask(
        ListCreditEntries(organization_id=organization_id, limit=limit, cursor=cursor)
    )
    return page(request, [credit_entry(entry) for entry in found.entries], found.next_cursor)

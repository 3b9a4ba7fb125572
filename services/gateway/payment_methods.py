"""What an organization pays with."""

from collections.abc import Sequence
from typing import Annotated

from litestar import delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from services.gateway.account_responses import (
    PaymentMethodResponse,
    SetupIntentResponse,
    StatusResponse,
)
from services.gateway.account_translations import payment_method
from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, ApiError, declared
from services.gateway.parameters import (
    END,
    Given,
    IdempotencyKey,
    OrganizationId,
    RequestBody,
)
from services.gateway.rate_limits import HourlyLimit
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    CreateSetupIntent,
    DetachPaymentMethod,
    ListPaymentMethods,
    PaymentMethod,
)

STRIPE_ID_PATTERN = rf"^[A-Za-z0-9_]{{1,255}}{END}"


class PaymentMethodBody(RequestBody, frozen=True, kw_only=True):
    """A payment method that Stripe.js made, or one that is attached already."""

    payment_method_id: Annotated[str, Meta(pattern=STRIPE_ID_PATTERN)]
    set_as_default: bool = True


@get(
    "/account/{organization_id:str}/payment-methods",
    operation_id="list_payment_methods",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["payment methods"],
)
async def list_payment_methods(
    organization_id: OrganizationId, caller: Given[Caller]
) -> list[PaymentMethodResponse]:
    """List what is saved, the default first."""
    found = await caller.ask(ListPaymentMethods(organization_id=organization_id))
    return [payment_method(method) for method in found.payment_methods]


@post(
    "/account/{organization_id:str}/payment-method",
    operation_id="attach_payment_method",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["payment methods"],
)
async def attach_payment_method(
    organization_id: OrganizationId,
    data: JSONBody[PaymentMethodBody],
    caller: Given[Caller],
    attach_limit: Given[HourlyLimit],
    idempotency_key: IdempotencyKey = None,
) -> PaymentMethodResponse:
    """Save a payment method, or make a saved one the default; harmless when repeated."""
    attach_limit.take(organization_id)
    found = await caller.ask(
        AttachPaymentMethod(
            organization_id=organization_id,
            payment_method_id=data.payment_method_id,
            set_as_default=data.set_as_default,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return payment_method(_attached(found.payment_methods, data))


def _attached(methods: Sequence[PaymentMethod], data: PaymentMethodBody) -> PaymentMethod:
    for method in methods:
        if method.payment_method_id == data.payment_method_id:
            return method
    if not methods:
        # It was saved, and removed again before it could be looked at.
        raise ApiError(404, "payment_method_not_found", "There is no such payment method.")
    # The name of a test card (`pm_card_visa`) becomes a method of its own: the default, which is
    # listed first, or else the newest, which is listed next.
    return methods[0] if data.set_as_default else methods[:2][-1]


@delete(
    "/account/{organization_id:str}/payment-methods/{payment_method_id:str}",
    operation_id="detach_payment_method",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["payment methods"],
)
async def detach_payment_method(
    organization_id: OrganizationId,
    payment_method_id: Annotated[
        str, PathParameter(description="The payment method.", pattern=STRIPE_ID_PATTERN)
    ],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Remove a payment method; without the default, the newest left becomes it."""
    await caller.ask(
        DetachPaymentMethod(
            organization_id=organization_id,
            payment_method_id=payment_method_id,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return StatusResponse(message="Payment method removed")


@post(
    "/account/{organization_id:str}/setup-intent",
    operation_id="create_setup_intent",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["payment methods"],
)
async def create_setup_intent(
    organization_id: OrganizationId,
    caller: Given[Caller],
    setup_limit: Given[HourlyLimit],
    idempotency_key: IdempotencyKey = None,
) -> SetupIntentResponse:
    """Begin to save a card with Payment Element."""
    setup_limit.take(organization_id)
    made = await caller.ask(
        CreateSetupIntent(organization_id=organization_id, requested_by=caller.principal.name),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return SetupIntentResponse(
        setup_intent_id=made.setup_intent_id, client_secret=made.client_secret
    )

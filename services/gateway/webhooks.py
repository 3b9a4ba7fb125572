"""Events of Stripe's: handed on as they came, to the service that can tell whether they are."""

from typing import Annotated, Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.params import HeaderParameter

from services.gateway.account_responses import WebhookResponse
from services.gateway.asks import Caller
from services.gateway.errors import ApiError, declared
from services.gateway.parameters import Given
from services.gateway.slots import Slots
from shared.contracts.stripe_gateway import MAX_WEBHOOK_BYTES, ReceiveWebhook

MAX_SIGNATURE_CHARACTERS = 4096
# Stripe itself gives up after 20.
PATIENCE_SECONDS = 10.0


@post(
    "/webhooks/stripe",
    operation_id="receive_stripe_webhook",
    # A burst of events at the first of a month is no attack, so slots bound it and no rate.
    opt={"permission": "webhook", "unlimited": True},
    security=[{}],
    status_code=200,
    request_max_body_size=MAX_WEBHOOK_BYTES,
    responses=declared(400, 409, 413, 422, 429, 503, 504),
    tags=["webhooks"],
)
async def receive_stripe_webhook(
    request: Request[Any, Any, State],
    caller: Given[Caller],
    webhook_slots: Given[Slots],
    signature: Annotated[
        str | None,
        HeaderParameter(name="Stripe-Signature", description="Over the exact bytes of the body."),
    ] = None,
) -> WebhookResponse:
    """Keep an event; any answer but 200 makes Stripe send it again."""
    if not signature or len(signature) > MAX_SIGNATURE_CHARACTERS:
        raise ApiError(400, "signature_missing", "This needs the header Stripe-Signature.")
    with webhook_slots.taken("stripe"):
        event = ReceiveWebhook(body=await request.body(), signature=signature)
        await caller.ask(event, timeout_seconds=PATIENCE_SECONDS)
    return WebhookResponse()

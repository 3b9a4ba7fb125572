"""Webhooks: verified, kept by their id, answered; what they hint at is looked at afterwards."""

from services.stripe_gateway.handlers.looks import order_look
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import IncomingEvent
from services.stripe_gateway.rules.webhooks import subject_of
from services.stripe_gateway.store.webhooks import add_event
from services.stripe_gateway.stripe_api.events import parse, verified
from shared.contracts.base import Done, Refusal
from shared.contracts.stripe_gateway import MAX_WEBHOOK_BYTES, ReceiveWebhook
from shared.database import Db

INVALID = Refusal(
    code="invalid_webhook", detail="This is not an event that Stripe signed for us.", status=400
)
TOO_LARGE = Refusal(
    code="webhook_too_large", detail="This is larger than any event of Stripe's.", status=413
)
WRONG_MODE = Refusal(
    code="wrong_mode", detail="This event is of the other mode, live or test.", status=400
)


class Webhooks:
    """Receives events from the gateway, as raw bytes."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def receive(self, request: ReceiveWebhook, db: Db) -> Done | Refusal:
        """Keep an event that is really Stripe's, once; `affected` is 0 for one that is known."""
        settings = self._workshop.settings
        body = request.body
        if len(body) > MAX_WEBHOOK_BYTES:
            return TOO_LARGE
        if not verified(body, request.signature, settings.webhook_secrets):
            return INVALID
        event = parse(body)
        if event is None:
            return INVALID
        if event.livemode != settings.livemode:
            return WRONG_MODE
        return Done(affected=int(await keep_event(event, body, db)), at=db.now)


async def keep_event(event: IncomingEvent, body: bytes, db: Db) -> bool:
    """Keep an event and have its object looked at; False when it is known."""
    subject, object_id = subject_of(event.kind), event.object_id
    if subject is None or object_id is None:
        return await add_event(db, event, body, "ignored")
    if not await add_event(db, event, body, "waiting"):
        return False
    await order_look(
        db,
        subject,
        object_id,
        name=f"event:{event.id}",
        kind=event.kind,
        customer_id=event.customer_id,
        event_id=event.id,
    )
    return True

"""Events: bodies that are really Stripe's, and the list of what happened."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import stripe

from services.stripe_gateway.rules.objects import IncomingEvent
from services.stripe_gateway.stripe_api.connection import StripeApi

if TYPE_CHECKING:
    from stripe.params import EventListParams

TOLERANCE_SECONDS = 300
# The most that Stripe lists at once.
PAGE = 100


def verified(body: bytes, signature: str, secrets: tuple[str, ...]) -> bool:
    """Whether one of our secrets signed these bytes within the last five minutes."""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            continue
        return True
    return False


def parse(body: bytes) -> IncomingEvent | None:
    """A verified body; None for what is no event, whatever else it is."""
    try:
        event = msgspec.json.decode(body, type=IncomingEvent)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return event if event.object in {"event", "v2.core.event"} else None


async def walk(
    api: StripeApi, since: datetime, until: datetime
) -> AsyncIterator[tuple[IncomingEvent, bytes]]:
    """What happened from one moment to another, newest first, with each event's body."""
    params: EventListParams = {
        "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
        "limit": PAGE,
    }
    more = True
    while more:
        page = await api.send(partial(api.v1.events.list_async, params))
        for each in page.data:
            body = json.dumps(each.to_dict(), default=str).encode()
            event = parse(body)
            if event is not None:
                yield event, body
        more = page.has_more and bool(page.data)
        if more:
            params["starting_after"] = page.data[-1].id

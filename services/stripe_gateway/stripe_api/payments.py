"""Payments without a hosted page, and money that goes back."""

import msgspec

from services.stripe_gateway.rules.objects import Dispute, Intent, Refund
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, StripeRefused, read

# Refunds and disputes of one payment that are looked at.
MOST_REVERSALS = 100


async def collect(
    api: StripeApi,
    mark: Mark,
    *,
    organization_id: str,
    charge_id: str,
    customer_id: str,
    method_id: str,
    amount_cents: int,
    description: str,
    off_session: bool,
) -> Intent:
    """Charge a customer once. Raises StripeRefused, with the payment's id when it was declined."""

    async def make(key: str) -> Intent:
        made = await api.v1.payment_intents.create_async(
            {
                "amount": amount_cents,
                "currency": "usd",
                "customer": customer_id,
                "payment_method": method_id,
                "confirm": True,
                "off_session": off_session,
                "description": description,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "metadata": api.metadata(organization_id, charge_id=charge_id),
                "expand": ["payment_method"],
            },
            {"idempotency_key": key},
        )
        return read(Intent, made)

    async def find() -> Intent | None:
        found = await api.send(
            lambda: api.v1.payment_intents.list_async(
                {"customer": customer_id, "limit": 100, "expand": ["data.payment_method"]}
            )
        )
        for each in found.data:
            intent = read(Intent, each)
            if intent.metadata.get("charge_id") == charge_id:
                return intent
        return None

    return await api.once(mark, "charge", make, find)


async def fetch_intent(api: StripeApi, intent_id: str) -> Intent:
    """A payment as it stands."""
    found = await api.send(
        lambda: api.v1.payment_intents.retrieve_async(intent_id, {"expand": ["payment_method"]})
    )
    return read(Intent, found)


async def end_intent(api: StripeApi, mark: Mark, intent: Intent) -> Intent:
    """Make sure that a failed payment never succeeds; it keeps its reason."""

    async def make(key: str) -> Intent:
        canceled = await api.v1.payment_intents.cancel_async(
            intent.id, {"expand": ["payment_method"]}, {"idempotency_key": key}
        )
        return read(Intent, canceled)

    try:
        canceled = await api.once(mark, "end_payment", make)
    except StripeRefused:
        # It was paid or ended a moment ago: what it is now is the truth.
        return await fetch_intent(api, intent.id)
    return msgspec.structs.replace(
        canceled,
        last_payment_error=canceled.last_payment_error or intent.last_payment_error,
    )


async def refund(
    api: StripeApi,
    mark: Mark,
    *,
    organization_id: str,
    refund_id: str,
    intent_id: str,
    amount_cents: int,
) -> Refund:
    """Give money back once, for its `refund_id`: it is looked for first, so that a mark may change
    with the hour. Raises StripeRefused when there is not so much left.
    """

    async def make(key: str) -> Refund:
        made = await api.v1.refunds.create_async(
            {
                "payment_intent": intent_id,
                "amount": amount_cents,
                "metadata": api.metadata(organization_id, refund_id=refund_id),
            },
            {"idempotency_key": key},
        )
        return read(Refund, made)

    async def find() -> Refund | None:
        for each in await list_refunds(api, intent_id):
            if (each.metadata or {}).get("refund_id") == refund_id:
                return each
        return None

    found = await find()
    return await api.once(mark, "refund", make, find) if found is None else found


async def list_refunds(api: StripeApi, intent_id: str) -> list[Refund]:
    """All refunds of a payment."""
    found = await api.send(
        lambda: api.v1.refunds.list_async({"payment_intent": intent_id, "limit": MOST_REVERSALS})
    )
    return [read(Refund, each) for each in found.data]


async def list_disputes(api: StripeApi, intent_id: str) -> list[Dispute]:
    """All disputes of a payment."""
    found = await api.send(
        lambda: api.v1.disputes.list_async({"payment_intent": intent_id, "limit": MOST_REVERSALS})
    )
    return [read(Dispute, each) for each in found.data]


async def fetch_refund(api: StripeApi, refund_id: str) -> Refund:
    """A refund as it stands."""
    return read(Refund, await api.send(lambda: api.v1.refunds.retrieve_async(refund_id)))


async def fetch_dispute(api: StripeApi, dispute_id: str) -> Dispute:
    """A dispute as it stands."""
    return read(Dispute, await api.send(lambda: api.v1.disputes.retrieve_async(dispute_id)))

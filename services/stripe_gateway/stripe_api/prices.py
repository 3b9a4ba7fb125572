"""Prices of plans: each tier and amount has one, by its lookup key."""

from services.stripe_gateway.rules.objects import Price
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, read


async def ensure_price(api: StripeApi, mark: Mark, tier: str, amount_cents: int) -> Price:
    """The monthly price of a tier; made by whoever needs it first."""
    lookup = f"plan_{tier}_{amount_cents}_month"
    found = await api.send(
        lambda: api.v1.prices.list_async({"lookup_keys": [lookup], "active": True, "limit": 1})
    )
    if found.data:
        return read(Price, found.data[0])

    async def make(key: str) -> Price:
        made = await api.v1.prices.create_async(
            {
                "currency": "usd",
                "unit_amount": amount_cents,
                "recurring": {"interval": "month"},
                "product_data": {"name": f"{tier.capitalize()} plan"},
                "lookup_key": lookup,
                "transfer_lookup_key": True,
                "metadata": {"tier": tier, "environment": api.environment},
            },
            {"idempotency_key": key},
        )
        return read(Price, made)

    # Two who make it at once make two, of which the later has the lookup key: harmless.
    return await api.once(mark, "price", make)

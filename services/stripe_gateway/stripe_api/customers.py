"""Customers and their payment methods."""

from datetime import timedelta

from services.stripe_gateway.rules.objects import Customer, Method, SetupIntent
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, read

# More cards than this on one customer are not shown.
MOST_METHODS = 100
# Our clock and Stripe's differ by less than this.
CLOCK_DIFFERENCE = timedelta(minutes=5)


async def create_customer(
    api: StripeApi, mark: Mark, organization_id: str, billing_account_id: str
) -> Customer:
    """The customer of a billing account, made once."""
    metadata = api.metadata(
        organization_id, billing_account_id=billing_account_id, mark=mark.local_id
    )

    async def make(key: str) -> Customer:
        made = await api.v1.customers.create_async(
            {"metadata": metadata, "name": organization_id}, {"idempotency_key": key}
        )
        return read(Customer, made)

    async def find() -> Customer | None:
        since = int((mark.begun_at - CLOCK_DIFFERENCE).timestamp())
        newest = await api.send(
            lambda: api.v1.customers.list_async({"created": {"gte": since}, "limit": 100})
        )
        async for each in newest.auto_paging_iter():
            customer = read(Customer, each)
            if customer.metadata.get("mark") == mark.local_id:
                return customer
        return None

    return await api.once(mark, "customer", make, find)


async def fetch_customer(api: StripeApi, customer_id: str) -> Customer:
    """A customer, perhaps a deleted one."""
    return read(Customer, await api.send(lambda: api.v1.customers.retrieve_async(customer_id)))


async def list_methods(api: StripeApi, customer_id: str) -> list[Method]:
    """What a customer pays with, newest first."""
    found = await api.send(
        lambda: api.v1.customers.payment_methods.list_async(customer_id, {"limit": MOST_METHODS})
    )
    return [read(Method, each) for each in found.data]


async def fetch_method(api: StripeApi, method_id: str) -> Method:
    """A payment method."""
    return read(Method, await api.send(lambda: api.v1.payment_methods.retrieve_async(method_id)))


async def attach_method(api: StripeApi, mark: Mark, customer_id: str, method_id: str) -> Method:
    """Attach; one of Stripe's test tokens becomes a method of its own."""

    async def make(key: str) -> Method:
        attached = await api.v1.payment_methods.attach_async(
            method_id, {"customer": customer_id}, {"idempotency_key": key}
        )
        return read(Method, attached)

    async def find() -> Method | None:
        found = await fetch_method(api, method_id)
        return found if found.customer == customer_id else None

    return await api.once(mark, "attach", make, find)


async def detach_method(api: StripeApi, mark: Mark, method_id: str) -> None:
    """Detach; who calls has looked that it is attached."""

    async def make(key: str) -> object:
        return await api.v1.payment_methods.detach_async(method_id, {}, {"idempotency_key": key})

    await api.once(mark, "detach", make)


async def set_default(api: StripeApi, mark: Mark, customer_id: str, method_id: str) -> None:
    """Make an attached method the default of a customer and of its invoices."""

    async def make(key: str) -> object:
        return await api.v1.customers.update_async(
            customer_id,
            {"invoice_settings": {"default_payment_method": method_id}},
            {"idempotency_key": key},
        )

    await api.once(mark, "set_default", make)


async def create_setup_intent(
    api: StripeApi, mark: Mark, organization_id: str, customer_id: str
) -> SetupIntent:
    """Begin to save a card for use without the customer."""

    async def make(key: str) -> SetupIntent:
        made = await api.v1.setup_intents.create_async(
            {
                "customer": customer_id,
                "usage": "off_session",
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "metadata": api.metadata(organization_id),
            },
            {"idempotency_key": key},
        )
        return read(SetupIntent, made)

    return await api.once(mark, "setup_intent", make)


async def fetch_setup_customer(api: StripeApi, setup_intent_id: str) -> str | None:
    """Whose card is being saved."""
    found = await api.send(lambda: api.v1.setup_intents.retrieve_async(setup_intent_id))
    return found.customer if isinstance(found.customer, str) else None

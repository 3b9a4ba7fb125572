"""Lists, pages, search and expansion."""

from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.examples import add_customer, add_price, add_subscription, pay, unique
from tests.stripe_sandbox.running import Running


async def test_pages_are_newest_first_and_complete(client: stripe.StripeClient) -> None:
    email = f"{unique()}@example.com"
    made = [(await add_customer(client, card="", email=email)).id for _ in range(7)]
    first = await client.v1.customers.list_async({"email": email, "limit": 3})
    assert [each.id for each in first.data] == made[:3:-1]
    assert first.has_more
    walked = [each.id async for each in first.auto_paging_iter()]
    assert walked == made[::-1]
    back = await client.v1.customers.list_async(
        {"email": email, "limit": 2, "ending_before": made[3]}
    )
    assert [each.id for each in back.data] == [made[5], made[4]]
    assert back.has_more


async def test_a_list_has_ten_by_default_and_a_hundred_at_most(
    client: stripe.StripeClient,
) -> None:
    email = f"{unique()}@example.com"
    for _ in range(11):
        await add_customer(client, card="", email=email)
    found = await client.v1.customers.list_async({"email": email})
    assert (len(found.data), found.has_more) == (10, True)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.list_async({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.list_async({"starting_after": "cus_no"})
    assert caught.value.param == "starting_after"


async def test_lists_filter_by_time(client: stripe.StripeClient) -> None:
    email = f"{unique()}@example.com"
    customer = await add_customer(client, card="", email=email)

    async def listed(**created: int) -> list[str]:
        params: Any = {"email": email, "created": created}
        return [each.id for each in (await client.v1.customers.list_async(params)).data]

    assert await listed(gte=customer.created, lte=customer.created) == [customer.id]
    assert await listed(gt=customer.created) == []
    assert await listed(lt=customer.created) == []


async def test_search_finds_by_metadata_and_more(client: stripe.StripeClient) -> None:
    order = unique()
    one = await pay(client, 1500, metadata={"order": order, "part": "it's 1"})
    two = await pay(client, 2500, metadata={"order": order, "part": "2"})

    async def search(query: str) -> set[str]:
        found = await client.v1.payment_intents.search_async({"query": query})
        return {each.id for each in found.data}

    assert await search(f"metadata['order']:'{order}'") == {one.id, two.id}
    assert await search(f'metadata["order"]:"{order}" AND amount>2000') == {two.id}
    assert await search(f"metadata['order']:'{order}' AND metadata['part']:'it\\'s 1'") == {one.id}
    assert await search(f"metadata['order']:'{order}' AND -metadata['part']:'2'") == {one.id}
    assert await search(f"metadata['order']~'{order[:6]}'") >= {one.id, two.id}
    assert await search(f"metadata['order']:'{unique()}'") == set()
    for wrong in ("metadata[order", "a:'1' AND b:'2' OR c:'3'", "=="):
        with pytest.raises(stripe.InvalidRequestError):
            await search(wrong)


async def test_search_pages_too(client: stripe.StripeClient) -> None:
    group = unique()
    made = {(await add_customer(client, "", metadata={"group": group})).id for _ in range(5)}
    first = await client.v1.customers.search_async(
        {"query": f"metadata['group']:'{group}'", "limit": 2}
    )
    assert first.has_more
    assert {each.id async for each in first.auto_paging_iter()} == made


async def test_search_may_lag_as_at_stripe(client: stripe.StripeClient, sandbox: Running) -> None:
    group = unique()
    await add_customer(client, "", metadata={"group": group})
    sandbox.control("settings", search_lag_seconds=60)
    found = await client.v1.customers.search_async({"query": f"metadata['group']:'{group}'"})
    sandbox.control("settings", search_lag_seconds=0)
    assert found.data == []


async def test_what_is_asked_for_is_expanded(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    price = await add_price(client, 2900, name="Starter")
    begun = await add_subscription(
        client,
        customer.id,
        price.id,
        expand=[
            "latest_invoice.payments.data.payment",
            "latest_invoice.confirmation_secret",
            "customer.invoice_settings.default_payment_method",
            "items.data.price.product",
        ],
    )
    invoice: Any = begun.latest_invoice
    (payment,) = invoice.payments.data
    deeper = await client.v1.invoice_payments.retrieve_async(
        payment.id, {"expand": ["payment.payment_intent.latest_charge"]}
    )
    charge: Any = deeper
    assert charge.payment.payment_intent.latest_charge.amount == 2900
    assert invoice.confirmation_secret.client_secret.startswith("pi_")
    lines = await client.v1.invoices.line_items.list_async(
        invoice.id, {"expand": ["data.pricing.price_details.price"]}
    )
    priced: Any = lines.data[0]
    assert priced.pricing.price_details.price.unit_amount == 2900
    whole: Any = begun
    assert whole.customer.invoice_settings.default_payment_method.card.last4 == "4242"
    assert whole.items.data[0].price.product.name == "Starter"


async def test_lists_expand_what_they_hold(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    paid = await pay(client, 500, customer=customer.id)
    found = await client.v1.payment_intents.list_async(
        {"customer": customer.id, "expand": ["data.customer", "data.latest_charge"]}
    )
    (one,) = found.data
    assert one.id == paid.id
    assert isinstance(one.customer, stripe.Customer)
    assert isinstance(one.latest_charge, stripe.Charge)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.payment_intents.list_async({"expand": ["data.amount"]})


async def test_prices_are_found_by_lookup_key(client: stripe.StripeClient) -> None:
    key = unique()
    product = await client.v1.products.create_async({"name": "Team"})
    first = await client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1, "product": product.id, "lookup_key": key}
    )
    found = await client.v1.prices.list_async({"lookup_keys": [key, unique()]})
    assert [each.id for each in found.data] == [first.id]
    again: Any = {"currency": "usd", "unit_amount": 2, "product": product.id, "lookup_key": key}
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.prices.create_async(again)
    again["transfer_lookup_key"] = True
    second = await client.v1.prices.create_async(again)
    found = await client.v1.prices.list_async({"lookup_keys": [key]})
    assert [each.id for each in found.data] == [second.id]


async def test_a_deleted_customer_says_so(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    await client.v1.customers.delete_async(customer.id)
    gone = await client.v1.customers.retrieve_async(customer.id)
    assert gone.deleted is True
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.update_async(customer.id, {"name": "x"})
    with pytest.raises(stripe.InvalidRequestError):
        await pay(client, 500, customer=customer.id)
    found = await client.v1.customers.list_async({"limit": 100})
    assert customer.id not in [each.id for each in found.data]

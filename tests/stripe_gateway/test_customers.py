"""Customers: made once, in the background, whatever happens."""

from shared.contracts.stripe_gateway import CustomerLinked
from tests.stripe_gateway.shop import Shop


async def test_an_account_gets_its_customer_in_the_background(
    shop: Shop, organization: str
) -> None:
    customer_id = await shop.open_account(organization)
    customer = await shop.stripe.customers.retrieve_async(customer_id)
    assert customer.metadata is not None
    assert customer.metadata.to_dict()["organization_id"] == organization
    assert customer.metadata.to_dict()["billing_account_id"] == f"ba-{organization}"
    assert [fact.version for fact in shop.facts.all(CustomerLinked, organization)] == [1]

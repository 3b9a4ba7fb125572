"""Customers: made once, in the background, whatever happens."""

import asyncio

from shared.contracts.stripe_gateway import CreateSetupIntent, CustomerLinked, PaymentMethodsChanged
from tests.stack import until
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


async def test_fifty_announcements_make_one_customer(shop: Shop, organization: str) -> None:
    await asyncio.gather(*(shop.announce_account(organization) for _ in range(50)))
    await shop.facts.wait(CustomerLinked, organization)
    made = shop.sandbox.ledger(kind="customer", organization_id=organization)["entries"]
    assert len(made) == 1


async def test_a_customer_that_is_needed_at_once_is_the_one_made_in_the_background(
    shop: Shop, organization: str
) -> None:
    await shop.announce_account(organization)
    request = CreateSetupIntent(organization_id=organization, requested_by="user-1")

    async def secret() -> str:
        answer = await shop.bus.ask(request, timeout_seconds=20)
        return getattr(answer, "client_secret", "")

    assert await until(secret, bool)
    made = shop.sandbox.ledger(kind="customer", organization_id=organization)["entries"]
    assert len(made) == 1
    assert len(await shop.facts.wait(CustomerLinked, organization)) == 1


async def test_a_customer_is_made_after_an_outage(shop: Shop, organization: str) -> None:
    shop.sandbox.control("faults", kind="reset_before", target="POST /v1/customers", count=9)
    await shop.announce_account(organization)

    async def failed() -> list[object]:
        return await shop.rows(
            "SELECT 1 FROM steps WHERE step_id LIKE :name AND attempts > 1",
            name=f"customer:ba-{organization}%",
        )

    await until(failed, bool, 40)
    await shop.pass_time()
    assert (await shop.facts.wait(CustomerLinked, organization))[0].stripe_customer_id


async def test_a_deleted_customer_is_replaced_and_its_late_events_change_nothing(
    shop: Shop, organization: str
) -> None:
    first = await shop.open_account(organization)
    await shop.attach(organization)
    await shop.stripe.customers.delete_async(first)
    facts = await shop.facts.wait(CustomerLinked, organization, 3)
    assert [fact.stripe_customer_id for fact in facts][1] is None
    second = facts[2].stripe_customer_id
    assert second not in {None, first}
    assert [fact.version for fact in facts] == [1, 2, 3]
    told = shop.facts.all(PaymentMethodsChanged, organization)
    assert told[-1].has_payment_method is False
    for kind in ("customer.updated", "payment_method.attached"):
        for event in await shop.events(kind, first):
            assert await shop.deliver({**event, "id": f"{event['id']}again"}) == 200
    await shop.idle()
    assert len(shop.facts.all(CustomerLinked, organization)) == 3
    assert shop.facts.all(PaymentMethodsChanged, organization) == told

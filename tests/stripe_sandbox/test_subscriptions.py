"""The life of subscriptions on a test clock: periods, prorations, failures, ends."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.examples import add_customer, add_price, add_subscription, default_card
from tests.stripe_sandbox.running import Running, Webhooks
from tests.stripe_sandbox.test_periods import at

DAY = 24 * 3600
HOUR = 3600


class Life:
    """A customer on a test clock, from some day on."""

    def __init__(self, client: stripe.StripeClient, clock: str, customer: str) -> None:
        self.client = client
        self.clock = clock
        self.customer = customer

    async def until(self, moment: int) -> None:
        """Let time pass."""
        await self.client.v1.test_helpers.test_clocks.advance_async(
            self.clock, {"frozen_time": moment}
        )

    async def subscribe(self, price: str, **params: Any) -> stripe.Subscription:
        """Begin a subscription."""
        return await add_subscription(self.client, self.customer, price, **params)

    async def now(self, subscription: str, *expand: str) -> Any:
        """A subscription as it is now."""
        return await self.client.v1.subscriptions.retrieve_async(
            subscription, {"expand": list(expand)}
        )

    async def invoices(self) -> list[Any]:
        """All invoices, oldest first."""
        found = await self.client.v1.invoices.list_async({"customer": self.customer, "limit": 100})
        return list(reversed(found.data))

    async def change(self, subscription: str, price: str, **params: Any) -> Any:
        """Change what is subscribed."""
        current = await self.now(subscription)
        item = current.items.data[0].id
        given: Any = {"items": [{"id": item, "price": price}], **params}
        return await self.client.v1.subscriptions.update_async(subscription, given)

    async def use(self, card: str) -> None:
        """Make a test card the default."""
        method = await self.client.v1.payment_methods.attach_async(
            f"pm_card_{card}", {"customer": self.customer}
        )
        await self.client.v1.customers.update_async(
            self.customer, {"invoice_settings": {"default_payment_method": method.id}}
        )


async def begin(client: stripe.StripeClient, day: str, card: str = "visa") -> Life:
    """A life that begins on a day."""
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": at(day)})
    customer = await add_customer(client, card, test_clock=clock.id)
    return Life(client, clock.id, customer.id)


def day(moment: int) -> str:
    """The day of a moment."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


async def test_it_renews_through_month_ends(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-12-31T10:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    assert begun.status == "active"
    await life.until(at("2028-05-02T00:00"))
    periods = [
        (day(line.period.start), day(line.period.end))
        for invoice in await life.invoices()
        for line in invoice.lines.data
    ]
    assert periods == [
        ("2027-12-31", "2028-01-31"),
        ("2028-01-31", "2028-02-29"),
        ("2028-02-29", "2028-03-31"),
        ("2028-03-31", "2028-04-30"),
        ("2028-04-30", "2028-05-31"),
    ]
    reasons = [each.billing_reason for each in await life.invoices()]
    assert reasons == ["subscription_create", *["subscription_cycle"] * 4]
    assert {each.status for each in await life.invoices()} == {"paid"}
    assert sandbox.ledger(customer=life.customer, kind="charge")["charged"] == 5 * 2900
    numbers = [each.number for each in await life.invoices()]
    assert [each.rpartition("-")[2] for each in numbers] == ["0001", "0002", "0003", "0004", "0005"]
    await webhooks.wait_for(
        life.customer, lambda events: [e["type"] for e in events].count("invoice.paid") == 5
    )


async def test_a_renewal_is_a_draft_for_an_hour(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-03-10T00:00")
    price = await add_price(client, 2900)
    await life.subscribe(price.id)
    await life.until(at("2027-04-10T00:30"))
    assert [each.status for each in await life.invoices()] == ["paid", "draft"]
    await life.until(at("2027-04-10T01:00"))
    assert [each.status for each in await life.invoices()] == ["paid", "paid"]


async def test_an_upgrade_is_previewed_and_charged_to_the_cent(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(starter.id)
    moment = at("2027-04-11T06:00")
    await life.until(moment)
    rest = (at("2027-05-01T00:00") - moment) / (30 * DAY)
    expected = [-round(2900 * rest), round(19900 * rest)]
    details: Any = {
        "items": [{"id": begun.items.data[0].id, "price": team.id}],
        "proration_behavior": "always_invoice",
        "proration_date": moment,
    }
    preview = await client.v1.invoices.create_preview_async(
        {"subscription": begun.id, "subscription_details": details}
    )
    assert [each.amount for each in preview.lines.data] == expected
    assert preview.amount_due == sum(expected)
    changed = await life.change(
        begun.id,
        team.id,
        proration_behavior="always_invoice",
        proration_date=moment,
        payment_behavior="pending_if_incomplete",
        expand=["latest_invoice"],
    )
    assert changed.items.data[0].price.id == team.id
    assert changed.pending_update is None
    invoice = changed.latest_invoice
    assert (invoice.status, invoice.amount_paid) == ("paid", sum(expected))
    assert invoice.billing_reason == "subscription_update"
    assert [each.amount for each in invoice.lines.data] == expected
    assert sandbox.ledger(customer=life.customer, kind="charge")["charged"] == 2900 + sum(expected)
    await life.until(at("2027-05-01T02:00"))
    assert (await life.invoices())[-1].amount_paid == 19900


async def test_an_upgrade_that_is_not_paid_changes_nothing(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(starter.id)
    await life.until(at("2027-04-11T00:00"))
    await life.use("chargeCustomerFail")
    pending: Any = {
        "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete",
    }
    changed = await life.change(begun.id, team.id, **pending)
    assert changed.items.data[0].price.id == starter.id
    assert changed.pending_update.subscription_items[0].price.id == team.id
    assert changed.status == "active"
    await life.until(at("2027-04-12T00:00"))
    after = await life.now(begun.id, "latest_invoice")
    assert (after.pending_update, after.items.data[0].price.id) == (None, starter.id)
    assert after.latest_invoice.status == "void"
    await webhooks.wait_for_type(begun.id, "customer.subscription.pending_update_expired")
    with pytest.raises(stripe.CardError):
        await life.change(
            begun.id,
            team.id,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )
    assert (await life.now(begun.id)).items.data[0].price.id == starter.id


async def test_a_pending_upgrade_is_off_when_its_invoice_is_voided(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(starter.id)
    await life.use("chargeCustomerFail")
    changed = await life.change(
        begun.id,
        team.id,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
    )
    await client.v1.invoices.void_invoice_async(changed.latest_invoice)
    after = await life.now(begun.id)
    assert (after.pending_update, after.items.data[0].price.id) == (None, starter.id)
    assert after.status == "active"
    await webhooks.wait_for_type(begun.id, "customer.subscription.pending_update_expired")


async def test_a_pending_upgrade_is_done_once_it_is_paid(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(starter.id)
    await life.use("chargeCustomerFail")
    changed = await life.change(
        begun.id,
        team.id,
        proration_behavior="always_invoice",
        payment_behavior="pending_if_incomplete",
        expand=["latest_invoice"],
    )
    await life.use("visa")
    await client.v1.invoices.pay_async(changed.latest_invoice.id)
    after = await life.now(begun.id)
    assert (after.pending_update, after.items.data[0].price.id) == (None, team.id)
    assert after.status == "active"


async def test_a_downgrade_credits_the_next_invoice(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(team.id)
    await life.until(at("2027-04-16T00:00"))
    await life.change(begun.id, starter.id, proration_behavior="create_prorations")
    assert len(await life.invoices()) == 1
    coming = await client.v1.invoices.create_preview_async({"subscription": begun.id})
    assert sorted(each.amount for each in coming.lines.data) == [-9950, 1450, 2900]
    await life.until(at("2027-05-01T02:00"))
    last = (await life.invoices())[-1]
    assert (last.total, last.amount_due, last.status) == (-5600, 0, "paid")
    customer = await client.v1.customers.retrieve_async(life.customer)
    assert customer.balance == -5600
    await life.until(at("2027-06-01T02:00"))
    customer = await client.v1.customers.retrieve_async(life.customer)
    assert customer.balance == -2700
    assert (await life.invoices())[-1].starting_balance == -5600
    changes = await client.v1.customers.balance_transactions.list_async(life.customer)
    assert [each.amount for each in changes.data] == [2900, -5600]


async def test_a_change_without_proration_costs_from_the_next_period_on(
    client: stripe.StripeClient,
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    starter, team = await add_price(client, 2900), await add_price(client, 19900)
    begun = await life.subscribe(team.id)
    await life.change(begun.id, starter.id, proration_behavior="none")
    await life.until(at("2027-05-01T02:00"))
    assert [each.amount_paid for each in await life.invoices()] == [19900, 2900]


async def test_another_interval_begins_a_new_period_at_once(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    monthly, yearly = await add_price(client, 3000), await add_price(client, 30000, "year")
    begun = await life.subscribe(monthly.id)
    await life.until(at("2027-04-16T00:00"))
    await life.change(begun.id, yearly.id)
    assert [each.amount_paid for each in await life.invoices()] == [3000, 28500]
    after = await life.now(begun.id)
    assert day(after.items.data[0].current_period_end) == "2028-04-16"


async def test_a_failed_renewal_is_past_due_and_paying_lifts_it(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    await life.use("chargeCustomerFail")
    await life.until(at("2027-05-01T02:00"))
    after = await life.now(begun.id, "latest_invoice")
    assert (after.status, after.latest_invoice.status) == ("past_due", "open")
    assert after.latest_invoice.attempt_count == 1
    assert day(after.latest_invoice.next_payment_attempt) == "2027-05-04"
    await webhooks.wait_for_type(life.customer, "invoice.payment_failed")
    await life.until(at("2027-05-04T02:00"))
    after = await life.now(begun.id, "latest_invoice")
    assert after.latest_invoice.attempt_count == 2
    await life.use("visa")
    paid = await client.v1.invoices.pay_async(after.latest_invoice.id)
    assert paid.status == "paid"
    assert (await life.now(begun.id)).status == "active"


@pytest.mark.parametrize(
    ("then", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")]
)
async def test_after_the_last_retry_the_account_decides(
    then: str, status: str, client: stripe.StripeClient, sandbox: Running
) -> None:
    sandbox.control("settings", after_failed_retries=then)
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    await life.use("chargeCustomerFail")
    await life.until(at("2027-05-20T00:00"))
    sandbox.control("settings", after_failed_retries="cancel")
    after = await life.now(begun.id, "latest_invoice")
    assert after.status == status
    assert after.latest_invoice.attempt_count == 4
    if status == "canceled":
        assert after.cancellation_details.reason == "payment_failed"
    if status == "unpaid":
        await life.until(at("2027-06-02T00:00"))
        assert (await life.invoices())[-1].status == "draft"


async def test_a_renewal_that_needs_3d_secure_waits_for_the_customer(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    await life.use("authenticationRequired")
    await life.until(at("2027-05-01T02:00"))
    after = await life.now(begun.id, "latest_invoice.payments.data.payment")
    assert after.status == "past_due"
    await webhooks.wait_for_type(life.customer, "invoice.payment_action_required")
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.invoices.pay_async(after.latest_invoice.id)
    assert caught.value.code == "invoice_payment_intent_requires_action"


async def test_it_ends_with_its_period(client: stripe.StripeClient, webhooks: Webhooks) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    ending: Any = await client.v1.subscriptions.update_async(
        begun.id, {"cancel_at_period_end": True}
    )
    assert ending.cancel_at == ending.items.data[0].current_period_end
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.invoices.create_preview_async({"subscription": begun.id})
    assert caught.value.code == "invoice_upcoming_none"
    await life.until(at("2027-05-01T00:00"))
    after = await life.now(begun.id)
    assert after.status == "canceled"
    assert after.ended_at == at("2027-05-01T00:00")
    assert len(await life.invoices()) == 1
    await webhooks.wait_for_type(begun.id, "customer.subscription.deleted")
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscriptions.update_async(begun.id, {"cancel_at_period_end": False})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscriptions.cancel_async(begun.id)


async def test_it_goes_on_when_the_end_is_taken_back(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    at_end: Any = {"cancel_at": "min_period_end"}
    ending = await client.v1.subscriptions.update_async(begun.id, at_end)
    assert ending.cancel_at == at("2027-05-01T00:00")
    kept = await client.v1.subscriptions.update_async(begun.id, {"cancel_at": ""})
    assert (kept.cancel_at, kept.cancel_at_period_end) == (None, False)
    await life.until(at("2027-05-01T02:00"))
    assert (await life.now(begun.id)).status == "active"


async def test_it_ends_at_once_and_refunds_nothing(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    ended = await client.v1.subscriptions.cancel_async(
        begun.id, {"cancellation_details": {"feedback": "too_expensive"}}
    )
    assert ended.status == "canceled"
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.feedback == "too_expensive"
    await life.until(at("2027-06-01T00:00"))
    assert len(await life.invoices()) == 1
    assert sandbox.ledger(customer=life.customer)["net"] == 2900
    assert (await client.v1.subscriptions.list_async({"customer": life.customer})).data == []
    ended_ones = await client.v1.subscriptions.list_async(
        {"customer": life.customer, "status": "all"}
    )
    assert [each.id for each in ended_ones.data] == [begun.id]


async def test_a_trial_costs_nothing_until_it_ends(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id, trial_period_days=14)
    assert begun.status == "trialing"
    await life.until(at("2027-04-12T00:00"))
    await webhooks.wait_for_type(begun.id, "customer.subscription.trial_will_end")
    await life.until(at("2027-04-15T02:00"))
    assert (await life.now(begun.id)).status == "active"
    assert [each.amount_paid for each in await life.invoices()] == [0, 2900]
    assert day((await life.now(begun.id)).items.data[0].current_period_end) == "2027-05-15"


@pytest.mark.parametrize(("then", "status"), [("cancel", "canceled"), ("pause", "paused")])
async def test_a_trial_without_a_card_ends_as_was_asked(
    then: str, status: str, client: stripe.StripeClient, sandbox: Running
) -> None:
    life = await begin(client, "2027-04-01T00:00", card="")
    price = await add_price(client, 2900)
    begun = await life.subscribe(
        price.id,
        trial_period_days=14,
        trial_settings={"end_behavior": {"missing_payment_method": then}},
    )
    await life.until(at("2027-04-16T00:00"))
    assert (await life.now(begun.id)).status == status
    if status == "paused":
        await life.use("visa")
        resumed = await client.v1.subscriptions.resume_async(
            begun.id, {"billing_cycle_anchor": {"type": "now"}}
        )
        assert resumed.status == "active"
        assert sandbox.ledger(customer=life.customer, kind="charge")["charged"] == 2900


async def test_a_first_payment_that_fails_leaves_it_incomplete(
    client: stripe.StripeClient,
) -> None:
    life = await begin(client, "2027-04-01T00:00", card="chargeCustomerFail")
    price = await add_price(client, 2900)
    first = await life.subscribe(price.id)
    assert first.status == "incomplete"
    second = await life.subscribe(price.id)
    with pytest.raises(stripe.CardError):
        await life.subscribe(price.id, payment_behavior="error_if_incomplete")
    await life.use("visa")
    await client.v1.invoices.pay_async(str(second.latest_invoice))
    assert (await life.now(second.id)).status == "active"
    await life.until(at("2027-04-01T23:30"))
    after = await life.now(first.id, "latest_invoice")
    assert (after.status, after.latest_invoice.status) == ("incomplete_expired", "void")
    everything = await client.v1.subscriptions.list_async(
        {"customer": life.customer, "status": "all"}
    )
    assert len(everything.data) == 2


async def test_a_subscription_without_any_card_is_refused(client: stripe.StripeClient) -> None:
    customer, price = await add_customer(client, card=""), await add_price(client, 2900)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await add_subscription(client, customer.id, price.id)
    assert "no attached payment source" in str(caught.value.user_message)
    begun: Any = await add_subscription(
        client,
        customer.id,
        price.id,
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    assert begun.status == "incomplete"
    secret = begun.latest_invoice.confirmation_secret.client_secret
    await client.v1.payment_intents.confirm_async(
        secret.split("_secret_")[0], {"payment_method": "pm_card_visa"}
    )
    after = await client.v1.subscriptions.retrieve_async(begun.id)
    assert after.status == "active"
    assert after.default_payment_method is not None


async def test_collection_can_be_paused(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    paused = await client.v1.subscriptions.update_async(
        begun.id, {"pause_collection": {"behavior": "void", "resumes_at": at("2027-05-20T00:00")}}
    )
    assert paused.status == "active"
    await life.until(at("2027-06-02T00:00"))
    assert [each.status for each in await life.invoices()] == ["paid", "void", "paid"]
    assert (await life.now(begun.id)).pause_collection is None


async def test_it_can_be_paused_and_resumed(client: stripe.StripeClient) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id)
    paused = await client.v1.subscriptions.pause_async(begun.id, {"type": "subscription"})
    assert paused.status == "paused"
    await life.until(at("2027-06-10T00:00"))
    assert len(await life.invoices()) == 1
    resumed = await client.v1.subscriptions.resume_async(begun.id)
    assert resumed.status == "active"
    assert day(resumed.items.data[0].current_period_start) == "2027-06-10"
    assert len(await life.invoices()) == 2


async def test_an_invoice_that_is_sent_turns_overdue(
    client: stripe.StripeClient, webhooks: Webhooks
) -> None:
    life = await begin(client, "2027-04-01T00:00")
    price = await add_price(client, 2900)
    begun = await life.subscribe(price.id, collection_method="send_invoice", days_until_due=7)
    assert begun.status == "active"
    (invoice,) = await life.invoices()
    assert (invoice.status, day(invoice.due_date)) == ("open", "2027-04-08")
    await life.until(at("2027-04-09T00:00"))
    await webhooks.wait_for_type(life.customer, "invoice.overdue")
    assert (await life.now(begun.id)).status == "past_due"


async def test_a_preview_of_a_first_invoice_keeps_nothing(client: stripe.StripeClient) -> None:
    customer, price = await add_customer(client), await add_price(client, 7900)
    details: Any = {"items": [{"price": price.id}]}
    preview = await client.v1.invoices.create_preview_async(
        {"customer": customer.id, "subscription_details": details}
    )
    assert (preview.amount_due, preview.status) == (7900, "draft")
    assert (await client.v1.invoices.list_async({"customer": customer.id})).data == []
    assert await default_card(client, customer.id)

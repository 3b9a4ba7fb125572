"""Invoices made by hand, as we collect our own amounts through Stripe; credit notes."""

from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.examples import add_customer, add_price, unique
from tests.stripe_sandbox.running import Running, Webhooks


async def draft_of(
    client: stripe.StripeClient, customer: str, *cents: int, **params: Any
) -> stripe.Invoice:
    """A draft with a line for each amount."""
    given: Any = {
        "customer": customer,
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        **params,
    }
    made = await client.v1.invoices.create_async(given)
    for each in cents:
        await client.v1.invoice_items.create_async(
            {"customer": customer, "invoice": made.id, "amount": each, "currency": "usd"}
        )
    return await client.v1.invoices.retrieve_async(made.id)


async def test_a_draft_is_finalized_and_paid(
    client: stripe.StripeClient, sandbox: Running, webhooks: Webhooks
) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 1250, 749, metadata={"invoice_id": "INV-1"})
    assert (draft.status, draft.total, draft.number) == ("draft", 1999, None)
    opened = await client.v1.invoices.finalize_invoice_async(
        draft.id, {"auto_advance": False, "expand": ["payments.data.payment"]}
    )
    assert (opened.status, opened.amount_due) == ("open", 1999)
    assert opened.number
    paid = await client.v1.invoices.pay_async(draft.id, {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1999, 0)
    assert paid.payments is not None
    (payment,) = paid.payments.data
    assert (payment.status, payment.amount_paid) == ("paid", 1999)
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 1999
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(draft.id)
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 1999
    await webhooks.wait_for_type(draft.id, "invoice.paid")
    told = [each["type"] for each in webhooks.events(draft.id)]
    kinds = ["invoice.created", "invoice.finalized", "invoice.paid"]
    assert [each for each in told if each in kinds] == kinds


async def test_a_decline_leaves_it_open_and_a_named_card_pays(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client, "chargeCustomerFail")
    draft = await draft_of(client, customer.id, 5000)
    await client.v1.invoices.finalize_invoice_async(draft.id)
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.invoices.pay_async(draft.id)
    assert caught.value.error is not None
    assert caught.value.error.payment_intent is not None
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.attempt_count, after.amount_remaining) == ("open", 1, 5000)
    card = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    paid = await client.v1.invoices.pay_async(draft.id, {"payment_method": card.id})
    assert paid.status == "paid"
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 5000


async def test_without_any_card_it_cannot_be_collected(client: stripe.StripeClient) -> None:
    customer = await add_customer(client, card="")
    draft = await draft_of(client, customer.id, 5000)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.invoices.pay_async(draft.id)
    assert "no attached payment source" in str(caught.value.user_message)


async def test_what_is_void_or_written_off_is_so_for_good(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    one, two = await draft_of(client, customer.id, 900), await draft_of(client, customer.id, 900)
    for each in (one, two):
        await client.v1.invoices.finalize_invoice_async(each.id)
    voided = await client.v1.invoices.void_invoice_async(one.id)
    assert voided.status == "void"
    for refused in (client.v1.invoices.pay_async, client.v1.invoices.finalize_invoice_async):
        with pytest.raises(stripe.InvalidRequestError):
            await refused(one.id)
    written_off = await client.v1.invoices.mark_uncollectible_async(two.id)
    assert written_off.status == "uncollectible"
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 0
    paid = await client.v1.invoices.pay_async(two.id)
    assert paid.status == "paid"


async def test_what_a_balance_has_paid_of_a_void_invoice_is_the_customers_again(
    client: stripe.StripeClient,
) -> None:
    customer = await add_customer(client, balance=-300)
    draft = await draft_of(client, customer.id, 900)
    opened = await client.v1.invoices.finalize_invoice_async(draft.id)
    assert (opened.amount_due, opened.ending_balance) == (600, 0)
    await client.v1.invoices.void_invoice_async(draft.id)
    assert (await client.v1.customers.retrieve_async(customer.id)).balance == -300
    changes = await client.v1.customers.balance_transactions.list_async(customer.id)
    assert [(each.type, each.amount) for each in changes.data] == [
        ("unapplied_from_invoice", -300),
        ("applied_to_invoice", 300),
    ]


async def test_a_finalized_invoice_does_not_change(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 900)
    await client.v1.invoices.update_async(draft.id, {"description": "May", "footer": "Thanks"})
    await client.v1.invoices.finalize_invoice_async(draft.id)
    for params in ({"description": "June"}, {"due_date": 1}):
        changed: Any = params
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await client.v1.invoices.update_async(draft.id, changed)
        assert caught.value.code == "invoice_not_editable"
    await client.v1.invoices.update_async(draft.id, {"metadata": {"a": "1"}})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoice_items.create_async(
            {"customer": customer.id, "invoice": draft.id, "amount": 1, "currency": "usd"}
        )
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.delete_async(draft.id)


async def test_lines_come_from_prices_and_exact_amounts(client: stripe.StripeClient) -> None:
    customer, price = await add_customer(client), await add_price(client, 1000, None)
    draft = await draft_of(client, customer.id)
    await client.v1.invoice_items.create_async(
        {
            "customer": customer.id,
            "invoice": draft.id,
            "pricing": {"price": price.id},
            "quantity": 3,
        }
    )
    exact: Any = {"customer": customer.id, "invoice": draft.id, "currency": "usd"}
    exact |= {"unit_amount_decimal": "0.125", "quantity": 100}
    await client.v1.invoice_items.create_async(exact)
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert [each.amount for each in after.lines.data] == [3000, 13]


async def test_more_than_ten_lines_come_in_pages(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, *range(100, 112))
    assert (len(draft.lines.data), draft.lines.has_more) == (10, True)
    page = await client.v1.invoices.line_items.list_async(draft.id, {"limit": 5})
    assert [each.amount async for each in page.auto_paging_iter()] == list(range(100, 112))
    assert draft.total == sum(range(100, 112))


async def test_pending_items_wait_for_the_next_invoice(client: stripe.StripeClient) -> None:
    customer = await add_customer(client)
    waiting = await client.v1.invoice_items.create_async(
        {"customer": customer.id, "amount": 700, "currency": "usd"}
    )
    kept = await draft_of(client, customer.id)
    assert kept.total == 0
    preview = await client.v1.invoices.create_preview_async({"customer": customer.id})
    assert preview.amount_due == 700
    taken = await draft_of(client, customer.id, pending_invoice_items_behavior="include")
    assert taken.total == 700
    await client.v1.invoices.delete_async(taken.id)
    again = await client.v1.invoice_items.retrieve_async(waiting.id)
    assert again.invoice is None
    await client.v1.invoice_items.delete_async(waiting.id)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.create_preview_async({"customer": customer.id})


async def test_too_little_to_charge_waits_as_a_debt(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    small = await draft_of(client, customer.id, 49)
    paid = await client.v1.invoices.finalize_invoice_async(small.id)
    assert (paid.status, paid.amount_due, paid.total) == ("paid", 0, 49)
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 0
    more = await draft_of(client, customer.id, 100)
    opened = await client.v1.invoices.finalize_invoice_async(more.id)
    assert opened.amount_due == 149


async def test_paid_elsewhere_charges_nothing(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 900)
    paid = await client.v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    assert paid.status == "paid"
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 0


async def test_a_credit_note_lowers_what_is_open(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 5000)
    await client.v1.invoices.finalize_invoice_async(draft.id)
    note = await client.v1.credit_notes.create_async(
        {"invoice": draft.id, "amount": 2000, "reason": "order_change"}
    )
    assert (note.status, note.type, note.pre_payment_amount) == ("issued", "pre_payment", 2000)
    paid = await client.v1.invoices.pay_async(draft.id)
    assert (paid.amount_paid, paid.pre_payment_credit_notes_amount) == (3000, 2000)
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 3000


async def test_a_credit_note_on_a_paid_invoice_refunds_or_credits(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 5000)
    await client.v1.invoices.pay_async(draft.id)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.credit_notes.create_async({"invoice": draft.id, "amount": 2000})
    note = await client.v1.credit_notes.create_async(
        {"invoice": draft.id, "amount": 2000, "refund_amount": 1500, "credit_amount": 500}
    )
    assert note.type == "post_payment"
    after = await client.v1.customers.retrieve_async(customer.id)
    assert after.balance == -500
    assert sandbox.ledger(customer=customer.id)["net"] == 3500
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.credit_notes.create_async(
            {"invoice": draft.id, "amount": 3001, "refund_amount": 3001}
        )


async def test_a_credit_note_for_everything_settles_and_can_be_voided_before(
    client: stripe.StripeClient,
) -> None:
    customer = await add_customer(client)
    draft = await draft_of(client, customer.id, 5000)
    await client.v1.invoices.finalize_invoice_async(draft.id)
    first = await client.v1.credit_notes.create_async({"invoice": draft.id, "amount": 100})
    await client.v1.credit_notes.void_credit_note_async(first.id)
    await client.v1.credit_notes.create_async({"invoice": draft.id, "amount": 5000})
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.amount_paid) == ("paid", 0)


async def test_invoices_are_found_by_metadata(client: stripe.StripeClient) -> None:
    customer, order = await add_customer(client), unique()
    draft = await draft_of(client, customer.id, 900, metadata={"order": order})
    found = await client.v1.invoices.search_async({"query": f"metadata['order']:'{order}'"})
    assert [each.id for each in found.data] == [draft.id]
    by_status = await client.v1.invoices.list_async({"customer": customer.id, "status": "paid"})
    assert by_status.data == []

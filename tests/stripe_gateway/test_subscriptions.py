"""Subscriptions: bought on a page, changed with Stripe told first, mirrored whatever is done."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    ChangeStripeSubscription,
    CustomerLinked,
    DetachPaymentMethod,
    ListPaymentMethods,
    MoneyMoved,
    PreviewPlanChange,
    PurchasePaid,
    StripeSubscription,
    SubscriptionChanged,
)
from tests.stack import until
from tests.stripe_gateway.shop import Shop

STARTER, PRO, TEAM = ("starter", 2900), ("pro", 7900), ("team", 19900)


async def subscribe(
    shop: Shop, organization: str, plan: tuple[str, int] = PRO, card: str = "visa"
) -> StripeSubscription:
    """Subscribed through the page, and seen."""
    await shop.open_account(organization)
    tier, cents = plan
    order = shop.order(organization, cents, kind="subscription", tier=tier)
    page = await shop.ask(order)
    await shop.pay(page.checkout_url, card)
    await shop.facts.wait(PurchasePaid, organization)
    return await mirrored(shop, organization, lambda found: found.status == "active")


async def mirrored(shop: Shop, organization: str, wanted: Any) -> StripeSubscription:
    """The newest state, once it is as wanted."""

    async def newest() -> StripeSubscription | None:
        facts = shop.facts.all(SubscriptionChanged, organization)
        ordered = sorted(facts, key=lambda fact: fact.version)
        return ordered[-1].subscription if ordered else None

    found = await until(newest, lambda each: each is not None and wanted(each))
    assert found is not None
    return found


def change(organization: str, action: str, plan: tuple[str, int] | None = None, **more: Any) -> Any:
    values: dict[str, Any] = {"action": action, **more}
    if plan is not None:
        values |= {"tier": plan[0], "price_cents": plan[1]}
    return ChangeStripeSubscription(organization_id=organization, requested_by="user-1", **values)


def preview_of(organization: str, plan: tuple[str, int]) -> PreviewPlanChange:
    return PreviewPlanChange(
        organization_id=organization,
        tier=plan[0],
        price_cents=plan[1],
        proration_date=datetime.now(UTC),
    )


async def at_stripe(shop: Shop, mirrored: StripeSubscription) -> Any:
    """A subscription as Stripe has it."""
    return await shop.stripe.subscriptions.retrieve_async(mirrored.stripe_subscription_id)


async def test_a_subscription_is_bought_and_its_money_told_once(
    shop: Shop, organization: str
) -> None:
    found = await subscribe(shop, organization)
    assert (found.tier, found.price_cents, found.status_at_stripe) == ("pro", 7900, "active")
    assert found.current_period_end is not None
    assert found.current_period_end > datetime.now(UTC)
    moved = await shop.facts.wait(MoneyMoved, organization)
    await shop.delivered()
    await shop.idle()
    assert [(m.amount_cents, m.purpose) for m in moved] == [(7900, "subscription")]
    paid = shop.facts.all(PurchasePaid, organization)
    assert [(p.kind, p.tier, p.stripe_subscription_id) for p in paid] == [
        ("subscription", "pro", found.stripe_subscription_id)
    ]
    customer = shop.facts.all(CustomerLinked, organization)[0].stripe_customer_id
    assert shop.charged(customer=customer or "") == [7900]


async def test_an_upgrade_is_previewed_charged_and_takes_effect(
    shop: Shop, organization: str
) -> None:
    await subscribe(shop, organization)
    date = datetime.now(UTC)
    preview = await shop.ask(
        PreviewPlanChange(
            organization_id=organization, tier="team", price_cents=19900, proration_date=date
        )
    )
    assert 0 < preview.due_now_cents <= 19900
    assert preview.next_period_cents == 19900
    assert preview.unused_cents < 0 < preview.rest_cents
    assert preview.unused_cents + preview.rest_cents == preview.proration_cents
    upgrade = ChangeStripeSubscription(
        organization_id=organization,
        action="upgrade",
        tier="team",
        price_cents=19900,
        proration_date=preview.proration_date,
        requested_by="user-1",
    )
    found = await shop.ask(upgrade)
    assert (found.tier, found.price_cents) == ("team", 19900)
    moved = await shop.facts.wait(MoneyMoved, organization, 2)
    assert sorted(m.amount_cents for m in moved) == sorted([7900, preview.due_now_cents])


async def use_card_that_is_declined(shop: Shop, organization: str) -> None:
    """Have a new default pay, and not the card that the plan was bought with."""
    made = await shop.stripe.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_chargeCustomerFail"}}
    )
    attach = AttachPaymentMethod(
        organization_id=organization, payment_method_id=made.id, requested_by="user-1"
    )
    await shop.settled(attach)


async def test_an_upgrade_that_is_not_paid_changes_nothing(shop: Shop, organization: str) -> None:
    before = await subscribe(shop, organization)
    await use_card_that_is_declined(shop, organization)
    refusal = await shop.refusal(change(organization, "upgrade", TEAM))
    assert (refusal.status, refusal.code) == (402, "payment_failed")
    await shop.delivered()
    await shop.idle()
    at_stripe = await shop.stripe.subscriptions.retrieve_async(before.stripe_subscription_id)
    assert at_stripe.items.data[0].price.unit_amount == 7900
    assert (await mirrored(shop, organization, lambda _: True)).tier == "pro"
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]


async def test_a_downgrade_waits_for_the_end_of_the_period_and_can_be_taken_back(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    lowered = await shop.ask(change(organization, "downgrade", STARTER))
    assert (lowered.tier, lowered.pending_tier) == ("pro", "starter")
    assert lowered.pending_change_at == before.current_period_end
    again = await shop.ask(change(organization, "resume"))
    assert (again.tier, again.pending_tier, again.price_cents) == ("pro", None, 7900)
    await shop.ask(change(organization, "downgrade", STARTER))
    chosen = await shop.ask(change(organization, "downgrade", PRO))
    assert (chosen.tier, chosen.pending_tier, chosen.price_cents) == ("pro", None, 7900)
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]


async def test_an_upgrade_after_a_downgrade_is_charged_from_what_was_paid(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    lowered = await shop.ask(change(organization, "downgrade", STARTER))
    preview = await shop.ask(preview_of(organization, TEAM))
    # Asking for a price has not touched what was announced.
    assert await mirrored(shop, organization, lambda _: True) == lowered
    date = {"proration_date": preview.proration_date}
    found = await shop.ask(change(organization, "upgrade", TEAM, **date))
    assert (found.tier, found.price_cents, found.pending_tier) == (*TEAM, None)
    moved = await shop.facts.wait(MoneyMoved, organization, 2)
    assert [m.amount_cents for m in moved] == [7900, preview.due_now_cents]
    assert preview.due_now_cents in range(11_990, 12_001)
    marks = (await at_stripe(shop, before)).metadata.to_dict()
    assert not {name for name in marks if name.startswith(("paid_", "next_"))}


async def test_an_upgrade_that_is_not_paid_leaves_the_downgrade_that_was_announced(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    lowered = await shop.ask(change(organization, "downgrade", STARTER))
    assert (lowered.tier, lowered.price_cents, lowered.pending_tier) == (*PRO, "starter")
    await use_card_that_is_declined(shop, organization)
    for _ in range(2):
        refusal = await shop.refusal(change(organization, "upgrade", TEAM))
        assert (refusal.status, refusal.code) == (402, "payment_failed")
    await shop.delivered()
    await shop.idle()
    there = await at_stripe(shop, before)
    assert (there.items.data[0].price.unit_amount, there.pending_update) == (2900, None)
    # Nobody has heard of another plan in between.
    told = [fact.subscription for fact in shop.facts.all(SubscriptionChanged, organization)]
    assert told[-1] == lowered
    assert told.count(lowered) == 1
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]


async def test_an_upgrade_that_stripe_does_not_even_try_leaves_the_downgrade_too(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    lowered = await shop.ask(change(organization, "downgrade", STARTER))
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    await shop.refusal(change(organization, "upgrade", TEAM, proration_date=long_ago))
    await shop.delivered()
    await shop.idle()
    assert (await at_stripe(shop, before)).items.data[0].price.unit_amount == 2900
    assert await mirrored(shop, organization, lambda _: True) == lowered


async def test_another_plan_may_follow_than_the_one_that_was_announced(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization, TEAM)
    await shop.ask(change(organization, "downgrade", STARTER))
    found = await shop.ask(change(organization, "downgrade", PRO))
    assert (found.tier, found.price_cents, found.pending_tier) == (*TEAM, "pro")
    assert (await at_stripe(shop, before)).items.data[0].price.unit_amount == 7900
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [19_900]


async def test_what_is_chosen_at_stripes_own_pages_ends_an_announcement(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    price = (await at_stripe(shop, before)).items.data[0].price.id
    await shop.ask(change(organization, "downgrade", STARTER))
    item = (await at_stripe(shop, before)).items.data[0].id
    await shop.stripe.subscriptions.update_async(
        before.stripe_subscription_id,
        {"items": [{"id": item, "price": price}], "proration_behavior": "none"},
    )
    found = await mirrored(shop, organization, lambda each: each.pending_tier is None)
    assert (found.tier, found.price_cents, found.pending_change_at) == (*PRO, None)


async def test_an_upgrade_in_a_trial_is_previewed_and_charged_at_nothing(
    shop: Shop, organization: str
) -> None:
    await shop.open_account(organization)
    order = shop.order(organization, 2900, kind="subscription", tier="starter", trial_days=14)
    page = await shop.ask(order)
    await shop.pay(page.checkout_url)
    await mirrored(shop, organization, lambda found: found.status == "trialing")
    preview = await shop.ask(preview_of(organization, TEAM))
    assert (preview.due_now_cents, preview.proration_cents) == (0, 0)
    assert preview.next_period_cents == 19_900
    date = {"proration_date": preview.proration_date}
    found = await shop.ask(change(organization, "upgrade", TEAM, **date))
    assert (found.tier, found.price_cents, found.status) == (*TEAM, "trialing")
    await shop.delivered()
    await shop.idle()
    assert shop.facts.all(MoneyMoved, organization) == []


async def test_cancel_resume_and_cancel_now(shop: Shop, organization: str) -> None:
    await subscribe(shop, organization)
    assert (await shop.ask(change(organization, "cancel"))).cancel_at_period_end
    assert not (await shop.ask(change(organization, "resume"))).cancel_at_period_end
    ended = await shop.ask(change(organization, "cancel_now"))
    assert ended.status == "canceled"
    assert isinstance(await shop.refusal(change(organization, "resume")), Refusal)
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]


async def given_back(shop: Shop, organization: str, number: int) -> list[int]:
    """What went back, once there were so many refunds."""

    async def refunds() -> list[int]:
        moved = shop.facts.all(MoneyMoved, organization)
        return [each.amount_cents for each in moved if each.amount_cents < 0]

    found: list[int] = await until(refunds, lambda each: len(each) >= number)
    return sorted(found)


async def test_a_plan_that_is_given_back_gives_back_all_that_its_period_was_paid_with(
    shop: Shop, organization: str
) -> None:
    before = await subscribe(shop, organization)
    await shop.ask(change(organization, "upgrade", TEAM))
    moved = await shop.facts.wait(MoneyMoved, organization, 2)
    customer = str((await at_stripe(shop, before)).customer)
    # A part went back already, on the one that paid the difference.
    paid = await shop.stripe.payment_intents.list_async({"customer": customer})
    (difference,) = [each for each in paid.data if each.amount != 7900]
    await shop.stripe.refunds.create_async({"payment_intent": difference.id, "amount": 1000})
    end = change(organization, "cancel_now", refund=True)
    ended = await shop.ask(end)
    assert ended.status == "canceled"
    back = await given_back(shop, organization, 3)
    assert back == sorted([-7900, -1000, 1000 - moved[1].amount_cents])
    # Who orders it again is told that nothing runs, and nothing more goes back.
    assert (await shop.refusal(end)).code == "subscription_not_found"
    await shop.delivered()
    await shop.idle()
    assert await given_back(shop, organization, 3) == back


async def test_a_period_that_is_over_is_not_given_back(shop: Shop, organization: str) -> None:
    clock = await open_clocked_account(shop, organization)
    page = await shop.ask(shop.order(organization, 7900, kind="subscription", tier="pro"))
    await shop.pay(page.checkout_url)
    first = await mirrored(shop, organization, lambda found: found.status == "active")
    assert first.current_period_end is not None
    await shop.ask(change(organization, "downgrade", STARTER))
    later = int(first.current_period_end.timestamp()) + 7200
    await shop.stripe.test_helpers.test_clocks.advance_async(clock, {"frozen_time": later})
    await shop.facts.wait(MoneyMoved, organization, 2)
    await mirrored(shop, organization, lambda found: found.tier == "starter")
    await shop.ask(change(organization, "cancel_now", refund=True))
    assert await given_back(shop, organization, 1) == [-2900]


@pytest.mark.parametrize(("later", "back"), [(0, [-7900]), (1, [])])
async def test_a_period_is_given_back_that_begins_when_something_better_is_had(
    shop: Shop, organization: str, later: int, back: list[int]
) -> None:
    before = await subscribe(shop, organization)
    assert before.current_period_start is not None
    since = before.current_period_start + timedelta(seconds=later)
    await shop.ask(change(organization, "cancel_now", refund_from=since))
    assert await given_back(shop, organization, len(back)) == back
    assert await shop.rows(
        "SELECT (state -> 'amount_cents')::int FROM steps"
        " WHERE kind = 'give_back' AND state ->> 'organization_id' = :id",
        id=organization,
    ) == [(-each,) for each in back]


@pytest.mark.parametrize("may_be_called_off", [True, False])
async def test_an_end_that_may_be_called_off_is_not_made_when_stripe_is_back(
    shop: Shop, organization: str, may_be_called_off: bool
) -> None:
    found = await subscribe(shop, organization)
    await shop.delivered()
    await shop.idle()
    target = f"GET /v1/subscriptions/{found.stripe_subscription_id}"
    shop.sandbox.control("faults", kind="error_before", target=target, count=99)
    end = change(organization, "cancel_now", may_be_called_off=may_be_called_off)
    refusal = await shop.refusal(end, idempotency_key="end", timeout_seconds=3.0)
    assert refusal.code == ("stripe_busy" if may_be_called_off else "pending")
    shop.sandbox.control("faults/clear")

    async def waiting() -> list[Any]:
        return await shop.rows(
            "SELECT 1 FROM steps WHERE kind = 'change_stripe_subscription' AND status = 'prepared'"
        )

    await shop.pass_time()
    await until(waiting, lambda steps: not steps)
    there = await at_stripe(shop, found)
    assert there.status == ("active" if may_be_called_off else "canceled")
    # Who still wants it asks again, by the same key.
    assert (await shop.ask(end, idempotency_key="end")).status == "canceled"


async def test_a_refund_that_stripe_refuses_is_tried_until_it_is_made(
    shop: Shop, organization: str
) -> None:
    await subscribe(shop, organization)
    target = "POST /v1/refunds"
    shop.sandbox.control("faults", kind="refuse", target=target, code="balance_insufficient")
    # Nobody is charged for a plan again because its money cannot go back yet.
    ended = await shop.ask(change(organization, "cancel_now", refund=True))
    assert ended.status == "canceled"

    async def refused() -> list[Any]:
        return await shop.rows(
            "SELECT step_id FROM steps WHERE kind = 'give_back' AND status = 'prepared'"
            " AND last_error LIKE '%balance_insufficient%'"
        )

    assert len(await until(refused, bool)) == 1
    # As if an hour had passed: the key that was refused would be refused for ever.
    async with shop.database.transaction() as db:
        await db.execute(
            text(
                "UPDATE steps SET due_at = now(), state = jsonb_set(state, '{begun_at}',"
                " to_jsonb(now() - interval '1 hour')) WHERE kind = 'give_back'"
            )
        )
    assert await given_back(shop, organization, 1) == [-7900]


async def test_what_is_done_at_stripe_is_a_fact_and_canceled_stays_canceled(
    shop: Shop, organization: str
) -> None:
    found = await subscribe(shop, organization)
    name = found.stripe_subscription_id
    await shop.stripe.subscriptions.update_async(name, {"cancel_at_period_end": True})
    await mirrored(shop, organization, lambda each: each.cancel_at_period_end)
    late = await shop.events("customer.subscription.updated", name)
    await shop.stripe.subscriptions.cancel_async(name)
    await mirrored(shop, organization, lambda each: each.status == "canceled")
    for event in late:
        assert await shop.deliver({**event, "id": f"{event['id']}late"}) == 200
    await shop.idle()
    last = max(shop.facts.all(SubscriptionChanged, organization), key=lambda fact: fact.version)
    assert last.subscription.status == "canceled"


async def test_the_last_card_is_kept_while_a_paid_plan_runs(shop: Shop, organization: str) -> None:
    await subscribe(shop, organization)
    await shop.delivered()
    await shop.idle()
    cards = (await shop.ask(ListPaymentMethods(organization_id=organization))).payment_methods
    assert len(cards) == 1
    detach = DetachPaymentMethod(
        organization_id=organization,
        payment_method_id=cards[0].payment_method_id,
        requested_by="user-1",
    )
    refusal = await shop.refusal(detach)
    assert (refusal.status, refusal.code) == (409, "last_payment_method")
    await shop.ask(change(organization, "cancel_now"))
    assert (await shop.ask(detach)).payment_methods == ()


async def open_clocked_account(shop: Shop, organization: str) -> str:
    """An organization whose customer lives on a test clock; answers the clock's id.

    Stripe cannot move a customer onto a clock, so this one is made here and adopted by its marks.
    """
    shop.sandbox.control("faults", kind="error_before", target="POST /v1/customers", count=99)
    await shop.announce_account(organization)

    async def waiting() -> list[Any]:
        return await shop.rows(
            "SELECT 1 FROM customers WHERE organization_id = :id", id=organization
        )

    await until(waiting, bool)
    shop.gateway.kill()
    shop.sandbox.control("faults/clear")
    clock = await shop.stripe.test_helpers.test_clocks.create_async(
        {"frozen_time": int(datetime.now(UTC).timestamp())}
    )
    marks = {
        "organization_id": organization,
        "billing_account_id": f"ba-{organization}",
        "environment": "development",
        "mark": f"ba-{organization}:1",
    }
    customer = await shop.stripe.customers.create_async({"test_clock": clock.id, "metadata": marks})
    await shop.stripe.customers.update_async(customer.id, {"name": organization})
    await shop.pass_time()
    # Whoever comes first is right; here it has to be the adoption.
    await shop.put_off(f"customer:ba-{organization}:1")
    shop.gateway.start()
    linked = await shop.facts.wait(CustomerLinked, organization)
    assert [fact.stripe_customer_id for fact in linked] == [customer.id]
    return clock.id


async def test_a_renewal_is_told_once_with_its_money_and_its_new_period(
    shop: Shop, organization: str
) -> None:
    clock = await open_clocked_account(shop, organization)
    page = await shop.ask(shop.order(organization, 7900, kind="subscription", tier="pro"))
    await shop.pay(page.checkout_url)
    first = await mirrored(shop, organization, lambda found: found.status == "active")
    assert first.current_period_end is not None
    await shop.ask(change(organization, "downgrade", STARTER))
    later = int(first.current_period_end.timestamp()) + 7200
    await shop.stripe.test_helpers.test_clocks.advance_async(clock, {"frozen_time": later})

    async def renewals() -> list[SubscriptionChanged]:
        facts = shop.facts.all(SubscriptionChanged, organization)
        return [fact for fact in facts if fact.renewal_paid]

    told = await until(renewals, bool)
    await shop.delivered()
    await shop.idle()
    assert len(await renewals()) == 1
    assert told[0].subscription.current_period_start == first.current_period_end
    assert (told[0].subscription.tier, told[0].subscription.pending_tier) == ("starter", None)
    moved = shop.facts.all(MoneyMoved, organization)
    assert sorted(m.amount_cents for m in moved) == [2900, 7900]


async def subscribe_on_a_clock(shop: Shop, organization: str) -> tuple[str, StripeSubscription]:
    """Subscribed to pro where a test clock tells the time; answers the clock's id, too."""
    clock = await open_clocked_account(shop, organization)
    page = await shop.ask(shop.order(organization, 7900, kind="subscription", tier="pro"))
    await shop.pay(page.checkout_url)
    return clock, await mirrored(shop, organization, lambda found: found.status == "active")


async def pass_at_stripe(shop: Shop, clock: str, seconds: int) -> None:
    """Have so much time pass on a test clock, and have everything be told."""
    clocks = shop.stripe.test_helpers.test_clocks
    now = (await clocks.retrieve_async(clock)).frozen_time
    await clocks.advance_async(clock, {"frozen_time": now + seconds})
    await shop.delivered()
    await shop.idle()


async def renewed_just_now(
    shop: Shop, organization: str, seconds_ago: int = 1800
) -> tuple[str, StripeSubscription]:
    """A plan whose renewal is a draft at Stripe, which is collected after an hour; the clock."""
    clock, first = await subscribe_on_a_clock(shop, organization)
    assert first.current_period_end is not None
    now = (await shop.stripe.test_helpers.test_clocks.retrieve_async(clock)).frozen_time
    later = int(first.current_period_end.timestamp()) - now + seconds_ago
    await pass_at_stripe(shop, clock, later)
    renewed = await mirrored(
        shop, organization, lambda found: found.current_period_start == first.current_period_end
    )
    return clock, renewed


async def invoices_of(shop: Shop, found: StripeSubscription) -> list[Any]:
    """A subscription's invoices at Stripe, the newest first."""
    name = found.stripe_subscription_id
    return (await shop.stripe.invoices.list_async({"subscription": name})).data


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_renewal_that_is_a_draft_when_its_plan_ends_is_never_charged(
    shop: Shop, organization: str, replaced: bool
) -> None:
    clock, renewed = await renewed_just_now(shop, organization)
    assert [each.status for each in await invoices_of(shop, renewed)] == ["draft", "paid"]
    since = renewed.current_period_start if replaced else None
    ended = await shop.ask(change(organization, "cancel_now", refund_from=since))
    assert ended.status == "canceled"
    await pass_at_stripe(shop, clock, 3 * 3600)
    assert [each.status for each in await invoices_of(shop, renewed)] == ["void", "paid"]
    customer = str((await at_stripe(shop, renewed)).customer)
    assert shop.charged(customer=customer) == [7900]
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]


async def test_a_draft_is_not_charged_either_when_its_plan_was_ended_at_stripe(
    shop: Shop, organization: str
) -> None:
    clock, renewed = await renewed_just_now(shop, organization)
    # We are asked before we have heard of it.
    shop.sandbox.control("faults", kind="webhook_lose", target="customer.subscription.deleted")
    await shop.stripe.subscriptions.cancel_async(renewed.stripe_subscription_id)
    assert (await shop.ask(change(organization, "cancel_now"))).status == "canceled"
    await pass_at_stripe(shop, clock, 3 * 3600)
    customer = str((await at_stripe(shop, renewed)).customer)
    assert shop.charged(customer=customer) == [7900]


@pytest.mark.parametrize("balance", [-9000, -7860, -100])
async def test_a_draft_that_a_balance_pays_leaves_the_balance_as_it_was(
    shop: Shop, organization: str, balance: int
) -> None:
    """A credit that a customer has at Stripe would be spent by finalizing the draft."""
    clock, first = await subscribe_on_a_clock(shop, organization)
    customer = str((await at_stripe(shop, first)).customer)
    await shop.stripe.customers.update_async(customer, {"balance": balance})
    assert first.current_period_end is not None
    month = int((first.current_period_end - datetime.now(UTC)).total_seconds())
    await pass_at_stripe(shop, clock, month + 1800)
    assert (await shop.ask(change(organization, "cancel_now"))).status == "canceled"
    await pass_at_stripe(shop, clock, 3 * 3600)
    assert (await shop.stripe.customers.retrieve_async(customer)).balance == balance
    assert shop.charged(customer=customer) == [7900]


async def renewed_twice(shop: Shop, organization: str) -> StripeSubscription:
    """A plan as it was bought, that has renewed two times since."""
    clock, first = await subscribe_on_a_clock(shop, organization)
    for _ in range(2):
        await pass_at_stripe(shop, clock, 31 * 24 * 3600)
    assert len(await invoices_of(shop, first)) == 3
    return first


@pytest.mark.parametrize("ended_by", ["us", "the customer", "the customer, unheard"])
async def test_every_renewal_is_given_back_that_began_when_something_better_was_had(
    shop: Shop, organization: str, ended_by: str
) -> None:
    first = await renewed_twice(shop, organization)
    if ended_by == "the customer, unheard":
        kind = "customer.subscription.deleted"
        shop.sandbox.control("faults", kind="webhook_lose", target=kind)
    if ended_by != "us":
        await shop.stripe.subscriptions.cancel_async(first.stripe_subscription_id)
        await shop.delivered()
        await shop.idle()
    assert first.current_period_start is not None
    end = change(
        organization,
        "cancel_now",
        stripe_subscription_id=first.stripe_subscription_id,
        refund_from=first.current_period_start + timedelta(days=5),
    )
    for _ in range(2):
        assert (await shop.ask(end)).status == "canceled"
    assert await given_back(shop, organization, 2) == [-7900, -7900]
    (first_payment,) = (await invoices_of(shop, first))[-1:]
    assert (first_payment.billing_reason, first_payment.status) == ("subscription_create", "paid")
    rows = await shop.rows(
        "SELECT 1 FROM steps WHERE kind = 'give_back' AND state ->> 'organization_id' = :id",
        id=organization,
    )
    assert len(rows) == 2


@pytest.mark.parametrize(("days", "status"), [(5, "void"), (500, "open")])
async def test_what_is_still_due_for_a_plan_that_nothing_was_had_for_is_due_no_more(
    shop: Shop, organization: str, days: int, status: str
) -> None:
    clock, first = await subscribe_on_a_clock(shop, organization)
    await use_card_that_is_declined(shop, organization)
    await pass_at_stripe(shop, clock, 31 * 24 * 3600)
    await mirrored(shop, organization, lambda found: found.status == "past_due")
    assert first.current_period_start is not None
    since = first.current_period_start + timedelta(days=days)
    await shop.ask(change(organization, "cancel_now", refund_from=since))
    assert [each.status for each in await invoices_of(shop, first)] == [status, "paid"]


async def test_what_is_paid_while_it_cannot_be_withdrawn_goes_back(
    shop: Shop, organization: str
) -> None:
    """An invoice whose payment is under way cannot be void; the plan ends, and is looked at on."""
    clock, first = await subscribe_on_a_clock(shop, organization)
    await use_card_that_is_declined(shop, organization)
    await pass_at_stripe(shop, clock, 31 * 24 * 3600)
    await mirrored(shop, organization, lambda found: found.status == "past_due")
    target = "POST /v1/invoices/*/void"
    shop.sandbox.control("faults", kind="refuse", target=target, count=99, code="payment_pending")
    assert first.current_period_start is not None
    since = first.current_period_start + timedelta(days=5)
    ends = shop.settled(change(organization, "cancel_now", refund_from=since))
    ending = asyncio.create_task(ends)

    async def status() -> str:
        return str((await at_stripe(shop, first)).status)

    await until(status, lambda found: found == "canceled")
    unpaid = (await invoices_of(shop, first))[0]
    card = await shop.stripe.payment_methods.attach_async(
        "pm_card_visa", {"customer": str(unpaid.customer)}
    )
    await shop.stripe.invoices.pay_async(unpaid.id, {"payment_method": card.id})
    shop.sandbox.control("faults/clear")
    await shop.pass_time()
    assert (await ending).status == "canceled"
    assert await given_back(shop, organization, 1) == [-7900]
    customer = shop.facts.all(CustomerLinked, organization)[0].stripe_customer_id
    assert shop.charged(customer=customer or "") == [7900, 7900]


async def test_what_an_operator_bills_beside_a_plan_is_due_when_that_has_ended(
    shop: Shop, organization: str
) -> None:
    found = await subscribe(shop, organization)
    customer = str((await at_stripe(shop, found)).customer)
    name = found.stripe_subscription_id
    made = await shop.stripe.invoices.create_async({"customer": customer, "subscription": name})
    await shop.ask(change(organization, "cancel_now"))
    assert (await shop.stripe.invoices.retrieve_async(made.id)).status == "draft"


@pytest.mark.parametrize("action", ["cancel", "cancel_now", "resume", "downgrade", "upgrade"])
async def test_nothing_can_be_changed_without_a_subscription(
    shop: Shop, organization: str, action: str
) -> None:
    await shop.open_account(organization)
    refusal = await shop.refusal(change(organization, action, TEAM))
    assert (refusal.status, refusal.code) == (404, "subscription_not_found")


async def test_a_plan_that_waits_for_its_bank_is_ended_and_never_paid(
    shop: Shop, organization: str
) -> None:
    customer = await shop.open_account(organization)
    order = shop.order(organization, 7900, kind="subscription", tier="pro")
    page = await shop.ask(order)
    await shop.pay(page.checkout_url, "authenticationRequired")
    waiting = await mirrored(shop, organization, lambda found: found.status == "incomplete")
    ending = msgspec.structs.replace(
        change(organization, "cancel_now"),
        stripe_subscription_id=waiting.stripe_subscription_id,
        refund=True,
    )
    assert (await shop.ask(ending)).status == "canceled"
    (intent,) = (await shop.stripe.payment_intents.list_async({"customer": customer})).data
    assert intent.status == "canceled"
    assert shop.charged(customer=customer) == []
    # Otherwise it is as if there were none.
    assert (await shop.refusal(change(organization, "cancel_now"))).status == 404


async def test_a_cancellation_is_taken_back_without_the_downgrade_that_was_announced(
    shop: Shop, organization: str
) -> None:
    await subscribe(shop, organization)
    await shop.ask(change(organization, "downgrade", STARTER))
    await shop.ask(change(organization, "cancel"))
    resumed = await shop.ask(change(organization, "resume", keeps_downgrade=True))
    assert (resumed.tier, resumed.pending_tier) == ("pro", "starter")
    assert not resumed.cancel_at_period_end
    assert not (await at_stripe(shop, resumed)).cancel_at_period_end


async def test_a_price_that_is_not_ours_leaves_the_tier_of_the_last_change(
    shop: Shop, organization: str
) -> None:
    """Rather than make it the tier that was once bought."""
    bought = await subscribe(shop, organization)
    upgrade = change(organization, "upgrade", TEAM, proration_date=datetime.now(UTC))
    assert (await shop.ask(upgrade)).tier == "team"
    item = (await at_stripe(shop, bought)).items.data[0]
    product = await shop.stripe.products.create_async({"name": "A special offer"})
    special = await shop.stripe.prices.create_async(
        {
            "product": product.id,
            "currency": "usd",
            "unit_amount": 15_000,
            "recurring": {"interval": "month"},
        }
    )
    await shop.stripe.subscriptions.update_async(
        bought.stripe_subscription_id,
        {"items": [{"id": item.id, "price": special.id}], "proration_behavior": "none"},
    )
    found = await mirrored(shop, organization, lambda each: each.price_cents == 15_000)
    assert found.tier == "team"


async def test_a_subscription_of_another_installation_is_none_of_ours(
    shop: Shop, organization: str
) -> None:
    """Two installations on one Stripe account may know an organization by the same name."""
    ours = await subscribe(shop, organization)
    price = (await at_stripe(shop, ours)).items.data[0].price.id
    customer = await shop.stripe.customers.create_async(
        {"metadata": {"organization_id": organization, "environment": "staging"}}
    )
    card = await shop.stripe.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    theirs = await shop.stripe.subscriptions.create_async(
        {
            "customer": customer.id,
            "default_payment_method": card.id,
            "items": [{"price": price}],
            "metadata": {"organization_id": organization, "environment": "staging"},
        }
    )
    [created] = await shop.events("customer.subscription.created", theirs.id)
    await shop.delivered()
    await shop.idle()
    told = shop.facts.all(SubscriptionChanged, organization)
    assert {fact.subscription.stripe_subscription_id for fact in told} == {
        ours.stripe_subscription_id
    }
    [row] = await shop.rows(
        "SELECT state, reason FROM webhook_events WHERE event_id = :id", id=created["id"]
    )
    assert (row.state, row.reason) == ("ignored", "other environment")
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [7900]

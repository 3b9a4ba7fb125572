"""`kill -9` at every point of a change of plan, a setup intent and a portal session."""

import asyncio
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    CreatePortal,
    CreateSetupIntent,
    ListPaymentMethods,
    MoneyMoved,
    Portal,
    SetupIntent,
    StripeSubscription,
)
from tests.stack import until
from tests.stripe_gateway.crashes import (
    STEP,
    Operation,
    Prepared,
    cases,
    customer_only,
    killed_at,
)
from tests.stripe_gateway.processes import FRONTEND
from tests.stripe_gateway.shop import Shop
from tests.stripe_gateway.test_subscriptions import (
    PRO,
    STARTER,
    TEAM,
    change,
    invoices_of,
    mirrored,
    pass_at_stripe,
    renewed_just_now,
    renewed_twice,
    subscribe,
    use_card_that_is_declined,
)

# All that a change does at Stripe is told by one of these.
TOLD = ("customer.subscription.updated", "customer.subscription.deleted", "invoice.paid")


class Before(NamedTuple):
    """A subscription, and what Stripe had told of it."""

    name: str
    told: dict[str, int]


async def told_of(shop: Shop, name: str) -> dict[str, int]:
    """How often Stripe has told of a subscription, by type."""
    return {kind: len(await shop.events(kind, name)) for kind in TOLD}


async def subscribed(shop: Shop, organization: str) -> Before:
    name = (await subscribe(shop, organization)).stripe_subscription_id
    return Before(name, await told_of(shop, name))


async def ending(shop: Shop, organization: str) -> Before:
    before = await subscribed(shop, organization)
    await shop.ask(change(organization, "cancel"))
    return Before(before.name, await told_of(shop, before.name))


async def lowered(shop: Shop, organization: str) -> Before:
    before = await subscribed(shop, organization)
    await shop.ask(change(organization, "downgrade", STARTER))
    return Before(before.name, await told_of(shop, before.name))


async def lowered_and_declined(shop: Shop, organization: str) -> Before:
    before = await lowered(shop, organization)
    await use_card_that_is_declined(shop, organization)
    return before


async def upgrade(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "upgrade", TEAM))


async def upgrade_in_vain(shop: Shop, organization: str, _: Prepared) -> Refusal:
    return await shop.settled_refusal(change(organization, "upgrade", TEAM))


async def downgrade(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "downgrade", STARTER))


async def cancel(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "cancel"))


async def cancel_now(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "cancel_now"))


async def give_back(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "cancel_now", refund=True))


async def give_renewals_back(shop: Shop, organization: str, first: Prepared) -> Any:
    since = first.current_period_end
    return await shop.settled(change(organization, "cancel_now", refund_from=since))


async def resume(shop: Shop, organization: str, _: Prepared) -> Any:
    return await shop.settled(change(organization, "resume"))


async def as_at_stripe(shop: Shop, organization: str, changed: StripeSubscription) -> None:
    """What we answered, keep and tell is what Stripe has."""
    await shop.delivered()
    await shop.idle()
    there = await shop.stripe.subscriptions.retrieve_async(changed.stripe_subscription_id)
    item = there.items.data[0]
    ends, canceled = item.current_period_end, there.canceled_at
    (row,) = await shop.rows(
        "SELECT status_at_stripe, price_cents, cancel_at_period_end, current_period_end,"
        " canceled_at FROM subscriptions WHERE organization_id = :id",
        id=organization,
    )
    assert tuple(row) == (
        there.status,
        # While a cheaper plan is to follow, what we tell is the price that is paid.
        PRO[1] if changed.pending_tier else item.price.unit_amount,
        there.cancel_at_period_end,
        datetime.fromtimestamp(ends, UTC),
        None if canceled is None else datetime.fromtimestamp(canceled, UTC),
    )
    assert tuple(row) == tuple(getattr(changed, name) for name in row._fields)
    assert await mirrored(shop, organization, lambda newest: newest == changed)


async def changed_once(
    shop: Shop, organization: str, changed: StripeSubscription, before: Before, *told: str
) -> None:
    """Stripe told of it once, charged for it at most once, and we know both."""
    await as_at_stripe(shop, organization, changed)
    now = await told_of(shop, before.name)
    assert {kind: now[kind] - before.told[kind] for kind in TOLD} == {
        kind: told.count(kind) for kind in TOLD
    }
    there = await shop.stripe.subscriptions.retrieve_async(before.name)
    paid = await shop.stripe.invoices.list_async({"subscription": before.name, "status": "paid"})
    charged = shop.charged(customer=str(there.customer))
    assert len(charged) == len(paid.data) == 1 + told.count("invoice.paid")
    moved = await shop.facts.wait(MoneyMoved, organization, len(charged))
    assert sorted(each.amount_cents for each in moved if each.amount_cents > 0) == sorted(charged)


async def updated_once(shop: Shop, organization: str, changed: Any, before: Prepared) -> None:
    await changed_once(shop, organization, changed, before, "customer.subscription.updated")


async def upgraded_once(shop: Shop, organization: str, changed: Any, before: Prepared) -> None:
    assert (changed.tier, changed.price_cents, changed.pending_tier) == (*TEAM, None)
    told = ("customer.subscription.updated", "invoice.paid")
    await changed_once(shop, organization, changed, before, *told)


async def taken_back_and_upgraded_once(
    shop: Shop, organization: str, changed: Any, before: Prepared
) -> None:
    assert (changed.tier, changed.price_cents, changed.pending_tier) == (*TEAM, None)
    updated = "customer.subscription.updated"
    # The paid price put back, the upgrade itself, and its marks taken off.
    await changed_once(shop, organization, changed, before, *[updated] * 3, "invoice.paid")
    assert sum(shop.charged(customer=await customer_of(shop, before))) in range(19_890, 19_911)


async def lowered_as_before(shop: Shop, organization: str, refusal: Any, before: Prepared) -> None:
    assert refusal.code == "payment_failed"
    await shop.delivered()
    await shop.idle()
    there = await shop.stripe.subscriptions.retrieve_async(before.name)
    assert (there.items.data[0].price.unit_amount, there.pending_update) == (STARTER[1], None)
    newest = await mirrored(shop, organization, lambda _: True)
    assert (newest.tier, newest.price_cents, newest.pending_tier) == (*PRO, STARTER[0])
    assert shop.charged(customer=str(there.customer)) == [PRO[1]]
    unpaid = await shop.stripe.invoices.list_async({"subscription": before.name, "status": "open"})
    assert not unpaid.data


async def customer_of(shop: Shop, before: Before) -> str:
    return str((await shop.stripe.subscriptions.retrieve_async(before.name)).customer)


async def ended_once(shop: Shop, organization: str, changed: Any, before: Prepared) -> None:
    assert changed.status == "canceled"
    await changed_once(shop, organization, changed, before, "customer.subscription.deleted")


async def given_back_once(shop: Shop, organization: str, changed: Any, before: Prepared) -> None:
    await ended_once(shop, organization, changed, before)
    assert await all_given_back(shop, await customer_of(shop, before)) == [-PRO[1]]


async def all_given_back(shop: Shop, customer: str) -> list[int]:
    """What went back, once nothing more is under way."""

    async def back() -> list[int]:
        entries = shop.sandbox.ledger(kind="refund", customer=customer)["entries"]
        return [each["amount"] for each in entries]

    await until(back, bool)

    async def under_way() -> int:
        rows = await shop.rows(
            "SELECT 1 FROM steps WHERE kind = 'give_back' AND concluded_at IS NULL"
        )
        return len(rows)

    await shop.pass_time()
    await until(under_way, lambda number: number == 0)
    return await back()


async def renewals_given_back(shop: Shop, organization: str, changed: Any, first: Prepared) -> None:
    await as_at_stripe(shop, organization, changed)
    there = await shop.stripe.subscriptions.retrieve_async(first.stripe_subscription_id)
    assert await all_given_back(shop, str(there.customer)) == [-PRO[1]] * 2
    assert shop.charged(customer=str(there.customer)) == [PRO[1]] * 3


async def charged_for_the_first_period_only(
    shop: Shop, organization: str, changed: Any, before: Prepared
) -> None:
    clock, renewed = before
    assert changed.status == "canceled"
    await pass_at_stripe(shop, clock, 3 * 3600)
    assert [each.status for each in await invoices_of(shop, renewed)] == ["void", "paid"]
    assert [m.amount_cents for m in shop.facts.all(MoneyMoved, organization)] == [PRO[1]]
    await as_at_stripe(shop, organization, changed)


async def begin_to_save(shop: Shop, organization: str, _: Prepared) -> SetupIntent:
    return await shop.settled(
        CreateSetupIntent(organization_id=organization, requested_by="user-1")
    )


async def one_setup_intent(shop: Shop, organization: str, made: Any, customer: Prepared) -> None:
    entries = shop.sandbox.ledger(kind="setup_intent", customer=customer)["entries"]
    assert [each["object"] for each in entries] == [made.setup_intent_id]
    there = await shop.stripe.setup_intents.confirm_async(
        made.setup_intent_id, {"payment_method": "pm_card_visa"}
    )
    assert (there.status, there.client_secret) == ("succeeded", made.client_secret)
    await shop.delivered()
    await shop.idle()
    ours = await shop.ask(ListPaymentMethods(organization_id=organization))
    assert [each.payment_method_id for each in ours.payment_methods] == [there.payment_method]


async def open_portal(shop: Shop, organization: str, _: Prepared) -> Portal:
    return await shop.settled(
        CreatePortal(
            organization_id=organization,
            return_url=f"{FRONTEND}/billing",
            requested_by="user-1",
        )
    )


async def one_portal(shop: Shop, _organization: str, portal: Any, customer: Prepared) -> None:
    entries = shop.sandbox.ledger(kind="portal_session", customer=customer)["entries"]
    assert [portal.portal_url.rpartition("/")[2]] == [each["object"] for each in entries]


# With a single call, to die right after it is to die at `step.called`.
CHANGE = (*STEP, "outbox.published")
OPERATIONS = {
    "upgrade": Operation(subscribed, upgrade, upgraded_once, (*CHANGE, "outbox.leased")),
    "upgrade of a lowered plan": Operation(
        lowered,
        upgrade,
        taken_back_and_upgraded_once,
        ("stripe.put_back", "stripe.upgrade", "stripe.set_marks"),
    ),
    "unpaid upgrade of a lowered plan": Operation(
        lowered_and_declined,
        upgrade_in_vain,
        lowered_as_before,
        ("stripe.put_back", "stripe.void_invoice", "stripe.lower_again", "step.called"),
    ),
    "downgrade": Operation(subscribed, downgrade, updated_once, CHANGE),
    "downgrade taken back": Operation(lowered, resume, updated_once, ("step.called",)),
    "cancel": Operation(subscribed, cancel, updated_once, CHANGE),
    "cancel_now": Operation(subscribed, cancel_now, ended_once, CHANGE),
    "cancel_now with its money": Operation(
        subscribed,
        give_back,
        given_back_once,
        ("stripe.cancel_now", "stripe.refund", "step.called", "outbox.leased"),
    ),
    "cancel_now of what renews": Operation(
        renewed_just_now,
        cancel_now,
        charged_for_the_first_period_only,
        ("stripe.finalize_invoice", "stripe.void_invoice", "stripe.cancel_now", "step.called"),
    ),
    "cancel_now with what has renewed": Operation(
        renewed_twice,
        give_renewals_back,
        renewals_given_back,
        ("stripe.cancel_now", "stripe.refund", "step.called"),
    ),
    "resume": Operation(ending, resume, updated_once, CHANGE),
    "setup intent": Operation(customer_only, begin_to_save, one_setup_intent, STEP),
    "portal": Operation(customer_only, open_portal, one_portal, STEP),
}


async def choose_old_price(shop: Shop, before: StripeSubscription) -> None:
    """What an operator does on Stripe's own pages: the plan as it was."""
    name = before.stripe_subscription_id
    (item,) = (await shop.stripe.subscriptions.retrieve_async(name)).items.data
    charged = [each.lines.data[0] for each in await invoices_of(shop, before)]
    assert charged[-1].pricing.price_details is not None
    price = str(charged[-1].pricing.price_details.price)
    await shop.stripe.subscriptions.update_async(
        name, {"items": [{"id": item.id, "price": price}], "proration_behavior": "none"}
    )


async def go_on(shop: Shop, before: StripeSubscription) -> None:
    name = before.stripe_subscription_id
    await shop.stripe.subscriptions.update_async(name, {"cancel_at_period_end": False})


async def end_after_all(shop: Shop, before: StripeSubscription) -> None:
    name = before.stripe_subscription_id
    await shop.stripe.subscriptions.update_async(name, {"cancel_at_period_end": True})


@pytest.mark.parametrize(
    ("first", "then", "meanwhile", "stands"),
    [
        (None, "cancel", go_on, ("pro", None, False)),
        ("cancel", "resume", end_after_all, ("pro", None, True)),
        (None, "upgrade", choose_old_price, ("pro", None, False)),
        (None, "downgrade", choose_old_price, ("pro", None, False)),
    ],
)
async def test_what_is_done_at_stripe_while_a_change_waits_to_be_made_again_stands(
    shop: Shop, organization: str, first: Any, then: Any, meanwhile: Any, stands: Any
) -> None:
    """Stripe answers a call that is repeated with how it stood when it was made first."""
    before = await subscribe(shop, organization)
    if first is not None:
        await shop.ask(change(organization, first))
    await shop.delivered()
    await shop.idle()
    plan = {"upgrade": TEAM, "downgrade": STARTER}.get(then)
    shop.sandbox.control(
        "faults", kind="webhook_lose", target="customer.subscription.updated", count=9
    )
    shop.patience_seconds = 0.8
    shop.gateway.kill()
    shop.gateway.start("step.called")
    acting = asyncio.create_task(shop.settled(change(organization, then, plan)))
    await shop.gateway.died()
    await meanwhile(shop, before)
    await shop.pass_time()
    shop.gateway.start()
    changed = await acting
    assert (changed.tier, changed.pending_tier, changed.cancel_at_period_end) == stands
    await as_at_stripe(shop, organization, changed)


@pytest.mark.parametrize(("name", "point"), cases(OPERATIONS))
async def test_a_change_that_is_killed_at_any_point_is_made_once(
    shop: Shop, organization: str, name: str, point: str
) -> None:
    await killed_at(point, OPERATIONS[name], shop, organization)

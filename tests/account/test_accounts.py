"""An organization has one account, however many ask; news of it may come in any order."""

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from shared.bus import Bus
from shared.contracts import Refusal
from shared.contracts.account import (
    AccountChanged,
    AccountOpened,
    Address,
    Buyer,
    GetAccount,
    UpdateAccount,
)
from shared.contracts.stripe_gateway import CustomerLinked, MoneyMoved, PaymentMethodsChanged
from shared.contracts.subscription import CoveredBy, PlanChanged, PlanSetByHand, WorkflowCharged
from tests.account.customer import Customer
from tests.stack import until


def methods(customer: Customer, version: int, there: bool) -> PaymentMethodsChanged:
    return PaymentMethodsChanged(
        organization_id=customer.organization_id,
        version=version,
        has_payment_method=there,
        default_payment_method_id="pm_1" if there else None,
        changed_at=customer.clock.now(),
    )


def linked(customer: Customer, version: int, customer_id: str | None) -> CustomerLinked:
    return CustomerLinked(
        organization_id=customer.organization_id,
        stripe_customer_id=customer_id,
        version=version,
        linked_at=customer.clock.now(),
    )


def moved(customer: Customer, movement_id: str, cents: int) -> MoneyMoved:
    return MoneyMoved(
        organization_id=customer.organization_id,
        movement_id=movement_id,
        amount_cents=cents,
        purpose="credits" if cents > 0 else "refund",
        reference="cs_1",
        moved_at=customer.clock.now(),
    )


def charged(customer: Customer, workflow_id: str, covered_by: CoveredBy) -> WorkflowCharged:
    return WorkflowCharged(
        organization_id=customer.organization_id,
        workflow_id=workflow_id,
        reservation_id=f"reservation-{workflow_id}",
        ticket_id=None,
        tier="free",
        covered_by=covered_by,
        unit_price_cents=1000,
        hold_id=None,
        period_start=None,
        completed_at=customer.clock.now(),
        charged_at=customer.clock.now(),
    )


def update(customer: Customer, **changes: Any) -> UpdateAccount:
    return UpdateAccount(organization_id=customer.organization_id, requested_by="user-7", **changes)


async def test_the_first_to_ask_opens_a_pending_account_without_anything(
    customer: Customer,
) -> None:
    account = await customer.account()
    assert account.status == "pending"
    assert (account.version, account.buyer, account.billing_email) == (1, Buyer(), None)
    assert account.total_amount_spent_cents == account.total_workflows_completed == 0
    assert account.billing_account_id[14] == "7"
    assert await customer.account() == account


async def test_fifty_who_ask_at_once_open_one_account(customer: Customer) -> None:
    found = await asyncio.gather(*(customer.account() for _ in range(50)))
    assert len({account.billing_account_id for account in found}) == 1
    await until(_told(customer, AccountOpened), bool)
    await customer.tell(linked(customer, 1, "cus_1"))
    assert [told["billing_account_id"] for told in customer.facts(AccountOpened)] == [
        found[0].billing_account_id
    ]


def _told(customer: Customer, kind: Any) -> Any:
    async def facts() -> list[dict[str, Any]]:
        return customer.facts(kind)

    return facts


async def test_an_account_that_is_known_is_read_without_writing(customer: Customer) -> None:
    await customer.account()
    answers = "SELECT count(*) FROM answers WHERE organization_id = $1"
    before = (await customer.rows(answers))[0][0]
    for _ in range(5):
        await customer.ask(GetAccount(organization_id=customer.organization_id))
    assert (await customer.rows(answers))[0][0] == before


def plan(customer: Customer, version: int, *, is_paid: bool) -> PlanChanged:
    return PlanChanged(
        organization_id=customer.organization_id,
        version=version,
        subscription_id="subscription",
        tier="lifetime" if is_paid else "free",
        status="active",
        is_paid=is_paid,
        suspended=False,
        current_period_start=None,
        current_period_end=None,
        cancel_at_period_end=False,
        pending_tier=None,
        pending_change_at=None,
        changed_at=customer.clock.now(),
    )


async def test_a_paid_tier_makes_an_account_active_without_a_card(customer: Customer) -> None:
    await customer.tell(plan(customer, 1, is_paid=False))
    assert (await customer.account()).status == "pending"
    await customer.tell(plan(customer, 3, is_paid=False), plan(customer, 2, is_paid=True), times=2)
    account = await customer.account()
    assert (account.status, account.has_payment_method, account.version) == ("active", False, 2)
    (told,) = await until(_told(customer, AccountChanged), bool)
    assert told["status"] == "active"
    entry = (await customer.trail()).entries[0]
    assert (entry.actor, entry.action) == ("subscription", "plan_paid")


async def test_who_set_a_plan_by_hand_is_in_the_audit_log(customer: Customer) -> None:
    by_hand = PlanSetByHand(
        organization_id=customer.organization_id,
        requested_by="operator-7",
        action="tier_set",
        changes={"tier": "free → enterprise"},
        set_at=customer.clock.now(),
    )
    await customer.tell(by_hand)
    entry = (await customer.trail(verify=True)).entries[0]
    assert (entry.actor, entry.action, entry.subject) == ("operator-7", "tier_set", "plan")
    assert entry.changes == {"tier": "free → enterprise"}


async def test_settings_change_one_by_one_and_are_told_with_their_version(
    customer: Customer,
) -> None:
    buyer = Buyer(name="Acme", address=Address(line1="1 Way", country="DE"), tax_id="DE123")
    await customer.ask(update(customer, billing_email="bills@acme.test"))
    await customer.ask(update(customer, auto_billing_enabled=True, buyer=buyer))
    account = await customer.ask(update(customer, auto_billing_monthly_limit_cents=5000))
    assert account.billing_email == "bills@acme.test"
    assert (account.auto_billing_enabled, account.buyer) == (True, buyer)
    assert (account.auto_billing_monthly_limit_cents, account.version) == (5000, 4)
    assert account == await customer.account()
    told = await until(_told(customer, AccountChanged), lambda facts: len(facts) == 3)
    # Facts may overtake each other on the bus: the highest version is how it stands.
    versions = {each["version"]: each for each in told}
    assert versions.keys() == {2, 3, 4}
    assert versions[4]["buyer"]["address"]["line1"] == "1 Way"


async def test_null_clears_a_setting_and_what_is_left_out_stays(customer: Customer) -> None:
    await customer.ask(update(customer, billing_email="a@b.test", tax_exempt=True))
    await customer.ask(update(customer, auto_billing_monthly_limit_cents=100))
    account = await customer.ask(
        update(customer, billing_email=None, auto_billing_monthly_limit_cents=None)
    )
    assert (account.billing_email, account.auto_billing_monthly_limit_cents) == (None, None)
    assert account.tax_exempt


async def test_a_setting_that_is_the_same_already_is_not_news(customer: Customer) -> None:
    await customer.ask(update(customer, tax_exempt=True))
    again = await customer.ask(update(customer, tax_exempt=True))
    assert again.version == 2
    assert [entry.action for entry in (await customer.trail()).entries] == [
        "settings_changed",
        "account_opened",
    ]


async def test_parallel_changes_of_settings_lose_none(customer: Customer) -> None:
    changes: list[dict[str, Any]] = [
        {"billing_email": "a@b.test"},
        {"auto_billing_enabled": True},
        {"tax_exempt": True},
        {"auto_billing_monthly_limit_cents": 700},
    ]
    await asyncio.gather(*(customer.ask(update(customer, **each)) for each in changes))
    account = await customer.account()
    for each in changes:
        for name, value in each.items():
            assert getattr(account, name) == value
    assert account.version == 5


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
async def test_payment_methods_end_the_same_in_any_order(
    customer: Customer, order: tuple[int, ...]
) -> None:
    """Attached, detached, attached and detached again: active for good, and none there."""
    there = {1: False, 2: True, 3: False}
    await customer.tell(*(methods(customer, version, there[version]) for version in order), times=2)
    account = await customer.account()
    assert (account.has_payment_method, account.status) == (False, "active")


async def test_the_first_payment_method_makes_an_account_active(customer: Customer) -> None:
    await customer.account()
    await customer.tell(methods(customer, 1, True))
    account = await customer.account()
    assert (account.has_payment_method, account.status) == (True, "active")
    told = await until(_told(customer, AccountChanged), bool)
    assert (told[0]["status"], told[0]["version"]) == ("active", 2)


async def test_a_customer_at_stripe_is_linked_once_lost_and_linked_again(
    customer: Customer,
) -> None:
    first, lost, again = (
        linked(customer, 1, "cus_1"),
        linked(customer, 2, None),
        linked(customer, 3, "cus_2"),
    )
    await customer.tell(first)
    assert (await customer.account()).stripe_customer_id == "cus_1"
    await customer.tell(lost, first)
    assert (await customer.account()).stripe_customer_id is None
    await customer.tell(again, lost, first, times=3)
    assert (await customer.account()).stripe_customer_id == "cus_2"
    assert customer.facts(AccountChanged) == []


async def test_money_counts_once_per_movement(customer: Customer) -> None:
    await customer.tell(
        moved(customer, "m1", 1999),
        moved(customer, "m2", -500),
        moved(customer, "m1", 1999),
        moved(customer, "m3", 2900),
        times=5,
    )
    assert (await customer.account()).total_amount_spent_cents == 1999 - 500 + 2900


async def test_an_account_opened_by_news_of_stripe_is_told_too(customer: Customer) -> None:
    await customer.tell(moved(customer, "m1", 100))
    await until(_told(customer, AccountOpened), lambda facts: len(facts) == 1)


async def test_another_organization_is_untouched(customer: Customer, bus: Bus) -> None:
    other = GetAccount(organization_id=f"{customer.organization_id}-b")
    before = await bus.ask(other)
    await customer.ask(update(customer, tax_exempt=True))
    await customer.granted(700)
    after = await bus.ask(other)
    assert not isinstance(before, Refusal)
    assert not isinstance(after, Refusal)
    # Meanwhile it may have got a customer of its own at Stripe.
    own = {
        "stripe_customer_id": before.stripe_customer_id,
        "version": before.version,
        "updated_at": before.updated_at,
    }
    assert msgspec.structs.replace(after, **own) == before


async def test_every_workflow_that_completed_is_counted_whatever_covered_it(
    customer: Customer,
) -> None:
    # Nobody has asked for the account before.
    await customer.tell(
        charged(customer, "w1", "free"),
        charged(customer, "w2", "plan"),
        charged(customer, "w3", "credits"),
        charged(customer, "w4", "none"),
    )

    assert (await customer.account()).total_workflows_completed == 4

"""A plan follows what stands at Stripe, in any order; lifetimes and operators go before it."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text

from services.subscription.handlers.settling import plan_fact
from services.subscription.rules.entitlements import Standing, Terms
from services.subscription.rules.moves import MOVES, STATUS_OF, may_move
from services.subscription.tables import OrganizationRow, SubscriptionRow
from services.subscription.tiers import read_catalogue
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    RefundPayment,
    SubscriptionChanged,
)
from shared.contracts.subscription import (
    GetPlans,
    OfferTier,
    PlanChanged,
    PlanSetByHand,
    SetByoProviders,
    SetTier,
)
from shared.runtime import Runtime
from tests.stack import do_jobs, until
from tests.subscription.customer import Customer, covers
from tests.subscription.neighbours import refunded


async def test_everybody_begins_on_the_free_tier(customer: Customer) -> None:
    found = await customer.subscription()
    assert (found.tier, found.status, found.workflows_limit) == ("free", "active", 5)
    assert (found.agents_limit, found.storage_limit_gb) == (1, 2)
    assert found.subscription_id == (await customer.subscription()).subscription_id


async def test_a_paid_pro_checkout_gives_pro_with_its_limits(customer: Customer) -> None:
    fact = await customer.subscribe("pro")
    found = await customer.subscription()
    assert (found.tier, found.status, found.price_cents) == ("pro", "active", 7_900)
    assert (found.workflows_limit, found.agents_limit, found.storage_limit_gb) == (100, 5, 50)
    assert found.current_period_start == fact.subscription.current_period_start
    assert found.current_period_end == fact.subscription.current_period_end


@pytest.mark.parametrize(
    ("at_stripe", "status", "covered_by", "suspended"),
    [
        ("active", "active", "plan", False),
        ("trialing", "trialing", "plan", False),
        ("past_due", "past_due", "plan", False),
        ("unpaid", "past_due", None, True),
        ("paused", "paused", "free", False),
        ("incomplete", "incomplete", "free", False),
        ("canceled", "active", "free", False),
    ],
)
async def test_every_status_of_stripe_is_ours(
    customer: Customer, at_stripe: str, status: str, covered_by: str | None, suspended: bool
) -> None:
    await customer.subscribe("pro", status=at_stripe)
    found = await customer.subscription()
    assert (found.status, found.suspended) == (status, suspended)
    answer = await customer.bus.ask(customer.reserving())
    assert (None if isinstance(answer, Refusal) else answer.covered_by) == covered_by


@pytest.mark.parametrize("status", ["incomplete", "paused"])
async def test_a_plan_that_does_not_serve_gives_no_more_than_the_free_tier(
    customer: Customer, status: str
) -> None:
    await customer.reserve(2)
    await customer.subscribe("team", status=status)
    found, usage = await customer.subscription(), await customer.usage()
    assert (found.tier, found.status) == ("team", status)
    assert (found.workflows_limit, found.agents_limit, found.storage_limit_gb) == (5, 1, 2)
    assert (found.workflows_reserved, found.workflows_remaining) == (2, 3)
    assert (usage.workflows_limit, usage.workflows_remaining) == (5, 3)
    assert found.workflows_reset_at == usage.period_end == usage.free_workflows_reset_at
    await customer.subscribe("team")
    found = await customer.subscription()
    assert (found.workflows_limit, found.workflows_remaining) == (500, 500)


def test_terms_of_a_plan_hold_when_it_serves() -> None:
    catalogue = read_catalogue(
        '{"pro": {"llm_markup_basis_points": 2000, "storage_overage_cents_per_gb": 25},'
        ' "free": {"llm_markup_basis_points": null}}'
    )
    terms = Terms(catalogue=catalogue, workflow_price_cents=1_000, grace=timedelta(days=7))
    at = datetime(2027, 1, 15, tzinfo=UTC)
    organization = OrganizationRow(organization_id="acme", opened_at=at)
    row = SubscriptionRow(
        subscription_id="s",
        organization_id="acme",
        source="stripe",
        tier="pro",
        status="active",
        workflows_limit=7,
        began_at=at,
        created_at=at,
        updated_at=at,
    )
    found = {}
    for status in ("active", "past_due", "incomplete", "paused"):
        live = msgspec.structs.replace(row, status=status)
        standing = Standing(terms=terms, organization=organization, live=live, at=at)
        told, plan = plan_fact(standing), standing.plan
        found[status] = (
            told.llm_markup_basis_points,
            plan.storage_overage_cents_per_gb,
            plan.workflows_limit,
        )
    serving, waiting = (2_000, 25, 7), (None, 0, 5)
    assert found == {
        "active": serving,
        "past_due": serving,
        "incomplete": waiting,
        "paused": waiting,
    }


def test_the_table_of_moves_lets_nothing_come_back() -> None:
    assert set(STATUS_OF.values()) == set(MOVES)
    assert MOVES["canceled"] == frozenset()
    assert not any(may_move(status, "incomplete") for status in MOVES if status != "incomplete")


async def test_what_has_ended_stays_ended(customer: Customer) -> None:
    await customer.subscribe("pro")
    await customer.subscribe("pro", status="canceled")
    await customer.subscribe("pro", status="active")
    assert (await customer.subscription()).tier == "free"


async def test_facts_in_any_order_end_the_same(customer: Customer) -> None:
    facts = [
        customer.stands("starter", status="incomplete"),
        customer.stands("starter"),
        customer.stands("pro", cancel_at_period_end=True),
    ]
    for number, order in enumerate(itertools.permutations(facts)):
        renamed = [_renamed(each, f"sub_{number}", customer) for each in order]
        await customer.tell(*renamed, *renamed)
        found = await customer.subscription()
        assert (found.tier, found.status, found.cancel_at_period_end) == ("pro", "active", True)
        await customer.tell(
            _renamed(customer.stands("pro", status="canceled"), f"sub_{number}", customer)
        )
        assert (await customer.subscription()).tier == "free"


def _renamed(fact: SubscriptionChanged, name: str, customer: Customer) -> SubscriptionChanged:
    named = f"{name}_{customer.organization_id.replace('-', '')}"
    told = msgspec.structs.replace(fact.subscription, stripe_subscription_id=named)
    return msgspec.structs.replace(fact, subscription=told)


async def test_only_a_renewal_resets_the_counter(customer: Customer) -> None:
    fact = await customer.subscribe("starter")
    start, end = fact.subscription.current_period_start, fact.subscription.current_period_end
    assert start is not None
    assert end is not None
    await customer.reserve(3)
    same = {"current_period_start": start, "current_period_end": end}
    await customer.subscribe("pro", **same)
    await customer.subscribe("pro", status="past_due", **same)
    await customer.subscribe("pro", **same)
    moved = {"current_period_start": start + timedelta(days=3)}
    await customer.subscribe("pro", **{**same, **moved})
    found = await customer.subscription()
    assert (found.workflows_reserved, found.workflows_remaining) == (3, 97)
    assert found.current_period_start == start
    later = {"current_period_start": end, "current_period_end": end + timedelta(days=30)}
    await customer.subscribe("pro", **later)
    found = await customer.subscription()
    assert (found.workflows_reserved, found.workflows_remaining) == (0, 100)


async def test_grace_then_suspension_then_recovery(
    customer: Customer, replicas: list[Runtime]
) -> None:
    await customer.subscribe("pro")
    await customer.subscribe("pro", status="past_due")
    found = await customer.subscription()
    assert (found.status, found.suspended) == ("past_due", False)
    assert found.grace_ends_at == customer.clock.now() + timedelta(days=7)
    assert covers(await customer.reserve()) == ["plan"]
    customer.clock.advance(timedelta(days=7))
    assert (await customer.subscription()).suspended
    assert (await customer.refused(customer.reserving())).code == "account_suspended"

    async def suspended() -> bool:
        return any(each["suspended"] for each in customer.facts(PlanChanged))

    await do_jobs(replicas[0])
    await until(suspended, bool)
    await customer.subscribe("pro", status="active")
    found = await customer.subscription()
    assert (found.status, found.suspended, found.grace_ends_at) == ("active", False, None)
    assert covers(await customer.reserve()) == ["plan"]


async def test_lifetime_replaces_a_running_plan_and_ends_it_at_stripe(customer: Customer) -> None:
    customer.neighbours.answers[ChangeStripeSubscription] = lambda _: (
        customer.stands("pro", status="canceled").subscription
    )
    fact = await customer.subscribe("pro")
    await customer.buy_lifetime()
    found = await customer.subscription()
    assert (found.tier, found.is_lifetime, found.workflows_limit) == ("lifetime", True, 50)
    assert (found.current_period_end, found.lifetime_purchase_cents) == (None, 49_900)

    async def asked() -> list[ChangeStripeSubscription]:
        return customer.neighbours.requests(ChangeStripeSubscription, customer.organization_id)

    (ended,) = await until(asked, bool)
    assert ended.action == "cancel_now"
    assert ended.stripe_subscription_id == fact.subscription.stripe_subscription_id
    refusal = await customer.refused(
        OfferTier(organization_id=customer.organization_id, tier="lifetime")
    )
    assert (refusal.status, refusal.code) == (409, "already_lifetime")


async def test_a_lifetime_paid_in_two_tabs_is_one_and_the_other_is_refunded(
    customer: Customer,
) -> None:
    now = customer.clock.now()
    customer.neighbours.answers[RefundPayment] = lambda _: refunded(49_900, now)
    await customer.buy_lifetime("cs_1")
    await customer.buy_lifetime("cs_2")
    await customer.buy_lifetime("cs_1")

    async def asked() -> list[RefundPayment]:
        return customer.neighbours.requests(RefundPayment, customer.organization_id)

    (refund,) = await until(asked, bool)
    assert refund.session_id is not None
    assert refund.session_id.startswith("cs_2")
    assert (await customer.subscription()).is_lifetime


async def test_a_second_lifetime_is_paid_back_although_stripe_refuses_it_at_first(
    customer: Customer,
) -> None:
    now = customer.clock.now()
    refusals = [Refusal(code="refused_by_stripe", detail="Its bank has it.")]
    neighbours, organization_id = customer.neighbours, customer.organization_id
    neighbours.answers[RefundPayment] = lambda _: (
        refusals.pop() if refusals else refunded(49_900, now)
    )
    await customer.buy_lifetime("cs_1")
    await customer.buy_lifetime("cs_2")

    async def asked() -> list[RefundPayment]:
        return neighbours.requests(RefundPayment, organization_id)

    await until(asked, bool)
    customer.clock.advance(timedelta(hours=1))
    refused, heard = await until(asked, lambda found: len(found) == 2)
    assert refused == heard
    # The key that was refused would be refused for weeks.
    assert len(neighbours.keys[RefundPayment, organization_id]) == 2


async def test_a_second_lifetime_that_somebody_else_has_paid_back_is_not_asked_for_again(
    customer: Customer,
) -> None:
    gone = Refusal(code="refund_too_large", detail="Nothing is left.", status=422)
    customer.neighbours.answers[RefundPayment] = lambda _: gone
    await customer.buy_lifetime("cs_1")
    await customer.buy_lifetime("cs_2")

    async def steps() -> list[str]:
        async with customer.database.read() as db:
            found = await db.execute(
                text(
                    "SELECT status FROM steps WHERE kind = 'refund_purchase'"
                    " AND state ->> 'organization_id' = :id"
                ),
                {"id": customer.organization_id},
            )
            return list(found.scalars())

    assert await until(steps, lambda found: found == ["concluded"])
    assert len(customer.neighbours.requests(RefundPayment, customer.organization_id)) == 1


async def test_a_second_lifetime_that_a_bank_held_back_is_paid_back_when_it_is_ours(
    customer: Customer,
) -> None:
    gone = Refusal(code="refund_too_large", detail="Nothing is left.", status=422)
    now, answers = customer.clock.now(), customer.neighbours.answers
    answers[RefundPayment] = lambda _: gone
    await customer.buy_lifetime("cs_1")
    await customer.buy_lifetime("cs_2")

    async def asked() -> list[RefundPayment]:
        return customer.neighbours.requests(RefundPayment, customer.organization_id)

    (refused,) = await until(asked, bool)
    answers[RefundPayment] = lambda _: refunded(49_900, now)
    for version, cents in ((1, 49_900), (2, 0)):
        await customer.tell(customer.reversal(cents, version, "cs_2"))
    _, again = await until(asked, lambda found: len(found) == 2)
    assert again == refused


async def test_a_refunded_lifetime_falls_back_and_a_reinstated_one_returns(
    customer: Customer,
) -> None:
    # The reversal may be heard of before the payment.
    await customer.tell(customer.reversal(49_900, 2))
    await customer.buy_lifetime()
    assert (await customer.subscription()).tier == "free"
    await customer.tell(customer.reversal(10_000, 1))
    assert (await customer.subscription()).tier == "free"
    await customer.tell(customer.reversal(0, 3))
    assert (await customer.subscription()).tier == "lifetime"


async def test_byo_is_unlimited_and_names_its_providers(customer: Customer) -> None:
    asked = SetByoProviders(
        organization_id=customer.organization_id,
        providers=("openai", "anthropic"),
        requested_by="owner",
    )
    assert (await customer.refused(asked)).code == "not_byo"
    await customer.subscribe("byo")
    found = await customer.ask(asked)
    assert found.byo_providers_configured == ("anthropic", "openai")
    assert (found.is_byo, found.workflows_remaining, found.agents_limit) == (True, -1, -1)
    assert covers(await customer.reserve(7)) == ["plan"] * 7
    await customer.subscribe("byo", cancel_at_period_end=True)
    assert (await customer.subscription()).byo_providers_configured == ("anthropic", "openai")


async def test_an_operator_gives_enterprise_and_takes_it_back(customer: Customer) -> None:
    given = SetTier(
        organization_id=customer.organization_id, tier="enterprise", requested_by="operator"
    )
    found = await customer.ask(given)
    assert (found.tier, found.workflows_limit, found.agents_limit) == ("enterprise", -1, -1)
    limited = SetTier(
        organization_id=customer.organization_id,
        tier="enterprise",
        workflows_limit=2,
        requested_by="operator",
    )
    found = await customer.ask(limited)
    assert (found.workflows_limit, found.agents_limit) == (2, -1)
    assert covers(await customer.reserve(3)) == ["plan", "plan", "free"]
    back = SetTier(organization_id=customer.organization_id, tier="free", requested_by="operator")
    assert (await customer.ask(back)).tier == "free"
    assert (await customer.refused(back)).status == 404


@pytest.mark.parametrize("status", ["incomplete", "paused"])
async def test_an_operator_gives_the_tier_of_a_plan_that_does_not_serve(
    customer: Customer, status: str
) -> None:
    """A page that was opened and never paid would otherwise stand in the way of the gift."""
    await customer.subscribe("team", status=status)
    given = SetTier(organization_id=customer.organization_id, tier="team", requested_by="operator")
    found = await customer.ask(given)
    assert (found.tier, found.status, found.workflows_limit) == ("team", "active", 500)
    back = SetTier(organization_id=customer.organization_id, tier="free", requested_by="operator")
    await customer.ask(back)


async def test_limits_that_an_operator_gave_end_with_the_tier_that_they_were_given_for(
    customer: Customer,
) -> None:
    await customer.subscribe("starter")
    limited = SetTier(
        organization_id=customer.organization_id,
        tier="starter",
        workflows_limit=7,
        agents_limit=3,
        storage_limit_gb=1,
        requested_by="operator",
    )
    found = await customer.ask(limited)
    assert (found.workflows_limit, found.agents_limit, found.storage_limit_gb) == (7, 3, 1)
    await customer.subscribe("starter", cancel_at_period_end=True)
    assert (await customer.subscription()).workflows_limit == 7
    await customer.subscribe("pro")
    found = await customer.subscription()
    assert (found.workflows_limit, found.agents_limit, found.storage_limit_gb) == (100, 5, 50)


async def test_who_set_a_plan_by_hand_is_told(customer: Customer) -> None:
    organization_id = customer.organization_id
    given = SetTier(
        organization_id=organization_id, tier="byo", agents_limit=3, requested_by="operator-7"
    )
    await customer.ask(given)
    providers = SetByoProviders(
        organization_id=organization_id, providers=("openai",), requested_by="owner-1"
    )
    await customer.ask(providers)
    back = SetTier(organization_id=organization_id, tier="free", requested_by="operator-8")
    await customer.ask(back)
    facts = await customer.told_of(PlanSetByHand, 3)
    assert {(each["requested_by"], each["action"]) for each in facts} == {
        ("operator-7", "tier_set"),
        ("owner-1", "byo_providers_set"),
        ("operator-8", "tier_set"),
    }
    assert [each["changes"] for each in sorted(facts, key=lambda each: each["requested_by"])] == [
        {"tier": "free → byo", "agents_limit": "None → 3"},
        {"tier": "byo → free", "agents_limit": "3 → None"},
        {"byo_providers": "None → ['openai']"},
    ]


async def test_the_catalogue_is_the_documents(customer: Customer) -> None:
    plans = (await customer.ask(GetPlans())).plans
    assert [
        (p.tier, p.price_cents, p.workflows_limit, p.agents_limit, p.storage_limit_gb)
        for p in plans
    ] == [
        ("free", 0, 5, 1, 2),
        ("starter", 2_900, 20, 2, 10),
        ("pro", 7_900, 100, 5, 50),
        ("team", 19_900, 500, 15, 200),
        ("enterprise", None, -1, -1, -1),
        ("lifetime", 49_900, 50, 5, 100),
        ("byo", 1_900, -1, -1, 50),
    ]


@pytest.mark.parametrize(
    ("running", "tier", "outcome"),
    [
        (None, "pro", 7_900),
        (None, "lifetime", 49_900),
        (None, "free", "not_for_sale"),
        (None, "enterprise", "contact_us"),
        ("pro", "pro", "already_on_tier"),
        ("pro", "team", "change_instead"),
        ("pro", "lifetime", 49_900),
    ],
)
async def test_what_may_be_bought(
    customer: Customer, running: str | None, tier: str, outcome: int | str
) -> None:
    if running:
        await customer.subscribe(running)
    answer = await customer.bus.ask(
        OfferTier(organization_id=customer.organization_id, tier=tier)  # type: ignore[arg-type]
    )
    found = answer.code if isinstance(answer, Refusal) else answer.price_cents
    assert found == outcome


@pytest.mark.parametrize("heard_first", ["older", "newer"])
async def test_of_two_plans_the_newer_counts_and_the_other_is_ended_and_paid_back(
    customer: Customer, heard_first: str
) -> None:
    later = customer.clock.now() + timedelta(hours=1)
    older = customer.stands("starter")
    newer = customer.stands(
        "team",
        stripe_subscription_id=f"sub_new_{customer.organization_id.replace('-', '')}",
        current_period_start=later,
        current_period_end=later + timedelta(days=30),
    )
    customer.neighbours.answers[ChangeStripeSubscription] = lambda _: older.subscription

    async def ended() -> list[ChangeStripeSubscription]:
        return customer.neighbours.requests(ChangeStripeSubscription, customer.organization_id)

    await customer.tell(*((older, newer) if heard_first == "older" else (newer, older)))
    assert (await customer.subscription()).tier == "team"
    (request,) = await until(ended, bool)
    assert request.stripe_subscription_id == older.subscription.stripe_subscription_id
    assert (request.action, request.refund) == ("cancel_now", True)
    # Also if it has renewed by the time that it ends.
    assert request.refund_from == older.subscription.current_period_start
    await customer.subscribe("starter", status="canceled")
    assert (await customer.subscription()).tier == "team"

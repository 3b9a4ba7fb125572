"""Prices change by appending: what had none is priced by itself, what had one only by an order."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.cost_metering import (
    ListUnpricedModels,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
)
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call
from tests.stack import until

CHEAP = TokenRates(input="1", output="2")
# What `call()` costs at that: 1,000 × $1 + 500 × $2 per million tokens.
CHEAP_PICOUSD = 2_000_000_000
DEAR = TokenRates(input="10", output="20")
FREE = TokenRates(input="0", output="0")
EVER: dict[str, Any] = {
    "occurred_from": datetime(2020, 1, 1, tzinfo=UTC),
    "occurred_to": datetime(2100, 1, 1, tzinfo=UTC),
}


def override(customer: Customer, **changes: Any) -> SetPriceOverride:
    """An operator's price for this customer's own invented model, for everybody."""
    values: dict[str, Any] = {
        "provider": "acme",
        "model": unknown_model(customer),
        "rates": CHEAP,
        "reason": "list of November",
        "requested_by": "olga",
    }
    return SetPriceOverride(**{**values, **changes})


def unknown_model(customer: Customer) -> str:
    return f"model-{customer.organization_id}"


def unpriced(customer: Customer, **changes: Any) -> dict[str, Any]:
    return call(**{"provider": "acme", "model": unknown_model(customer), **changes})


async def priced(customer: Customer, cost_picousd: int) -> None:
    """Wait until nothing is unpriced and the costs are these, by every road."""
    await until(customer.summary, lambda s: s.unpriced_records == 0)
    assert (await customer.summary()).cost_picousd == cost_picousd
    totals = await until(customer.totals, lambda t: t.announced_cost_picousd == cost_picousd)
    assert_agrees(totals)


async def revisions(customer: Customer) -> list[Mapping[str, Any]]:
    found = await customer.rows(
        "SELECT * FROM cost_revisions WHERE organization_id = $1 ORDER BY event_id, revision"
    )
    return [dict(row) for row in found]


async def test_an_override_prices_what_had_no_price_by_appending(customer: Customer) -> None:
    events = [unpriced(customer) for _ in range(3)]
    await customer.report(*events, call())
    query = "SELECT * FROM cost_records WHERE organization_id = $1 ORDER BY event_id"
    before = await customer.rows(query)
    summary = await customer.summary()
    assert (summary.unpriced_records, summary.unpriced_tokens) == (3, 4500)
    assert summary.cost_picousd == CALL_PICOUSD

    await customer.ask(override(customer))
    await priced(customer, 3 * CHEAP_PICOUSD + CALL_PICOUSD)

    assert await customer.rows(query) == before
    added = await revisions(customer)
    assert {each["event_id"] for each in added} == {each["event_id"] for each in events}
    assert {(each["revision"], each["made_by"]) for each in added} == {(1, "price book")}
    for event in events:
        record = await customer.record(event["event_id"])
        assert (record.pricing_status, record.revision) == ("priced", 1)
        assert record.prompt_cost_picousd == record.completion_cost_picousd == 10**9
        assert record.matched_model == unknown_model(customer)
    summary = await customer.summary()
    assert (summary.records, summary.tokens, summary.unpriced_tokens) == (4, 6000, 0)
    waiting = await customer.rows("SELECT * FROM unpriced_records WHERE organization_id = $1")
    assert waiting == []


async def test_later_calls_have_the_overrides_price_at_once(customer: Customer) -> None:
    await customer.ask(override(customer))
    event = unpriced(customer)
    await customer.report(event)
    record = await customer.record(event["event_id"])
    assert (record.pricing_status, record.revision) == ("priced", 0)
    assert (await customer.summary()).cost_picousd == CHEAP_PICOUSD


async def test_free_unpriced_and_suspect_are_three_things(customer: Customer) -> None:
    free_model = f"free-{customer.organization_id}"
    await customer.ask(override(customer, model=free_model, rates=FREE))
    free = call(provider="acme", model=free_model)
    without = unpriced(customer)
    doubtful = call(usage_source="estimated")
    await customer.report(free, without, doubtful)
    states = {each.event_id: each for each in await customer.records()}
    assert states[free["event_id"]].pricing_status == "free"
    assert states[free["event_id"]].prompt_cost_picousd == 0
    assert states[without["event_id"]].pricing_status == "unpriced"
    assert states[without["event_id"]].prompt_cost_picousd is None
    assert states[doubtful["event_id"]].pricing_status == "suspect"
    assert states[doubtful["event_id"]].suspect_reason == "usage_estimated"
    summary = await customer.summary()
    assert (summary.records, summary.unpriced_records, summary.suspect_records) == (3, 1, 1)
    assert summary.cost_picousd == CALL_PICOUSD
    assert_agrees(await customer.totals())


async def test_an_organizations_own_price_is_nobody_elses(
    customer: Customer, other_customer: Customer
) -> None:
    for each in (customer, other_customer):
        await each.report(call(), unpriced(customer))
    own = override(customer, organization_id=customer.organization_id)
    await customer.ask(own)
    await priced(customer, CALL_PICOUSD + CHEAP_PICOUSD)
    assert (await other_customer.summary()).unpriced_records == 1
    await customer.ask(override(customer, rates=DEAR))
    await priced(other_customer, CALL_PICOUSD + 10 * CHEAP_PICOUSD)
    assert (await customer.summary()).cost_picousd == CALL_PICOUSD + CHEAP_PICOUSD


async def test_a_prefix_prices_all_models_that_begin_so_and_an_exact_one_beats_it(
    customer: Customer,
) -> None:
    name = unknown_model(customer)
    await customer.report(*(unpriced(customer, model=f"{name}-{n}") for n in ("a", "b", "c")))
    await customer.ask(override(customer, model=f"{name}-c", rates=DEAR))
    await customer.ask(override(customer, model=name, match="prefix"))
    await priced(customer, 2 * CHEAP_PICOUSD + 10 * CHEAP_PICOUSD)


async def test_an_override_prices_only_the_time_it_is_for(customer: Customer) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    early = unpriced(customer, occurred_at=(noon - timedelta(days=2)).isoformat())
    late = unpriced(customer, occurred_at=(noon - timedelta(days=1)).isoformat())
    await customer.report(early, late)
    bounds = {"effective_from": noon - timedelta(days=1), "effective_to": noon}
    await customer.ask(override(customer, **bounds))
    await until(customer.summary, lambda s: s.unpriced_records == 1)
    assert (await customer.record(late["event_id"])).pricing_status == "priced"
    assert (await customer.record(early["event_id"])).pricing_status == "unpriced"
    await customer.ask(override(customer, effective_to=noon - timedelta(days=1), rates=DEAR))
    await priced(customer, CHEAP_PICOUSD + 10 * CHEAP_PICOUSD)


async def test_more_unpriced_models_than_fit_one_page_are_all_priced(customer: Customer) -> None:
    """Invented names that sort first, and that no price will ever fit, wait before the others."""
    strays = [call(provider="aaa", model=f"{unknown_model(customer)}-{n}") for n in range(600)]
    for at in range(0, 600, 100):
        await customer.report(*strays[at : at + 100])
    events = [unpriced(customer) for _ in range(150)]
    await customer.report(*events[:75])
    await customer.report(*events[75:])
    await customer.ask(override(customer))
    await until(customer.summary, lambda s: s.unpriced_records == 600)
    found = await customer.totals()
    assert_agrees(found)
    assert found.records_cost_picousd == 150 * CHEAP_PICOUSD


async def test_what_waits_for_a_price_is_listed(customer: Customer) -> None:
    await customer.report(*(unpriced(customer) for _ in range(250 // 2)))
    await customer.report(*(unpriced(customer) for _ in range(250 // 2)))
    found = await customer.ask(ListUnpricedModels(limit=200))
    (line,) = [each for each in found.models if each.model == unknown_model(customer)]
    assert (line.provider, line.records, line.tokens) == ("acme", 250, 250 * 1500)
    assert line.organizations == 1


async def test_prices_of_priced_records_change_only_by_an_order_that_says_who_and_why(
    customer: Customer,
) -> None:
    await customer.ask(override(customer))
    events = [unpriced(customer) for _ in range(120)]
    await customer.report(*events)
    await priced(customer, 120 * CHEAP_PICOUSD)
    await customer.ask(override(customer, rates=DEAR))
    await customer.report(call())
    assert (await customer.summary()).cost_picousd == 120 * CHEAP_PICOUSD + CALL_PICOUSD

    order = RepriceCosts(
        organization_id=customer.organization_id,
        model=unknown_model(customer),
        reason="contract of November",
        requested_by="olga",
        **EVER,
    )
    assert (await customer.ask(order)).affected == 120
    new_cost = 1200 * CHEAP_PICOUSD + CALL_PICOUSD
    await until(customer.summary, lambda s: s.cost_picousd == new_cost)
    await priced(customer, new_cost)
    added = await revisions(customer)
    assert len(added) == 120
    assert {(each["made_by"], each["reason"]) for each in added} == {
        ("olga", "contract of November")
    }

    for _ in range(2):
        await customer.ask(order)

    async def unfinished() -> int:
        query = "SELECT count(*) FROM reprice_orders WHERE organization_id = $1"
        return int((await customer.rows(f"{query} AND finished_at IS NULL"))[0][0])

    await until(unfinished, lambda count: count == 0)
    assert len(await revisions(customer)) == 120
    assert (await customer.summary()).cost_picousd == new_cost


async def test_an_order_covers_just_what_it_names(
    customer: Customer, other_customer: Customer
) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    inside = call(occurred_at=(noon - timedelta(days=1)).isoformat())
    outside = call(occurred_at=(noon - timedelta(days=2)).isoformat())
    for each in (customer, other_customer):
        await each.report(inside, outside)
    own = {"provider": "openai", "model": "gpt-4o"}
    for each in (customer, other_customer):
        await each.ask(override(each, organization_id=each.organization_id, **own))
    order = RepriceCosts(
        organization_id=customer.organization_id,
        provider="openai",
        occurred_from=noon - timedelta(days=1),
        occurred_to=noon,
        reason="contract",
        requested_by="olga",
    )
    await customer.ask(order)
    await until(customer.summary, lambda s: s.cost_picousd == CALL_PICOUSD + CHEAP_PICOUSD)
    assert [each["event_id"] for each in await revisions(customer)] == [inside["event_id"]]
    assert (await other_customer.summary()).cost_picousd == 2 * CALL_PICOUSD


async def test_an_order_for_no_time_is_refused(customer: Customer) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    order = RepriceCosts(
        organization_id=customer.organization_id,
        occurred_from=at,
        occurred_to=at,
        reason="mistake",
        requested_by="olga",
    )
    refused = await customer.refusal(order)
    assert (refused.code, refused.status) == ("invalid_time", 422)


async def test_a_correction_that_meets_repricing_counts_once(customer: Customer) -> None:
    original = unpriced(customer)
    new = unpriced(customer, corrects=original["event_id"])
    await customer.report(original)
    await asyncio.gather(customer.report(new), customer.ask(override(customer)))
    await until(customer.totals, lambda t: t.records == 1)
    await priced(customer, CHEAP_PICOUSD)
    await customer.ask(override(customer, rates=DEAR))
    order = RepriceCosts(
        organization_id=customer.organization_id, reason="again", requested_by="olga", **EVER
    )
    await customer.ask(order)
    await until(customer.summary, lambda s: s.cost_picousd == 10 * CHEAP_PICOUSD)
    await priced(customer, 10 * CHEAP_PICOUSD)


async def test_a_price_that_changes_while_calls_stream_in_leaves_none_without_a_price(
    customer: Customer,
) -> None:
    events = [unpriced(customer) for _ in range(1000)]

    async def stream() -> None:
        for at in range(0, 1000, 20):
            await customer.report(*events[at : at + 20], producer="p", first_seq=at + 1)

    async def reprice() -> None:
        for number in range(1, 11):
            rates = TokenRates(input=str(number), output="0")
            await customer.ask(override(customer, rates=rates))

    await asyncio.gather(stream(), reprice())
    await until(customer.summary, lambda s: s.records == 1000 and s.unpriced_records == 0)
    found = await customer.records()
    allowed = {number * 10**9 for number in range(1, 11)}
    assert {each.prompt_cost_picousd for each in found} <= allowed
    cost = sum(each.prompt_cost_picousd or 0 for each in found)
    await priced(customer, cost)
    assert (await customer.totals()).holes == 0


async def test_an_override_settles_a_doubt_about_the_price_and_none_about_the_call(
    customer: Customer,
) -> None:
    doubtful = {"service_tier": "platinum", "region": "mars"}
    about_price = unpriced(customer, **doubtful)
    about_call = unpriced(customer, **doubtful, usage_source="estimated")
    await customer.report(about_price, about_call)
    await customer.ask(override(customer))
    await priced(customer, 2 * CHEAP_PICOUSD)
    assert (await customer.record(about_price["event_id"])).suspect_reason is None
    assert (await customer.record(about_call["event_id"])).suspect_reason == "usage_estimated"
    priced_at_once = unpriced(customer, **doubtful)
    await customer.report(priced_at_once)
    assert (await customer.record(priced_at_once["event_id"])).suspect_reason is None
    assert (await customer.summary()).suspect_records == 1


@pytest.mark.parametrize("rate", ["-1", "1e3", "0.0000001", "99999", "", "NaN"])
async def test_a_rate_that_is_no_exact_price_is_refused(customer: Customer, rate: str) -> None:
    wrong = override(customer, rates=TokenRates(input=rate, output="1"))
    assert (await customer.refusal(wrong)).status == 422


async def test_overrides_set_at_once_are_all_seen(customers: list[Customer]) -> None:
    """Commits against the order of their positions would hide one from a meter that looks."""
    customer = customers[0]
    names = [f"{unknown_model(customer)}-{number}" for number in range(30)]
    await customer.report(*(unpriced(customer, model=name) for name in names))
    await asyncio.gather(*(customer.ask(override(customer, model=name)) for name in names))
    await priced(customer, 30 * CHEAP_PICOUSD)

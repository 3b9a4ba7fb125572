"""A correction takes the place of what it corrects, once, whatever comes first."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call
from tests.stack import until

# What `call(usage=LESS)` costs: 100 × $2.50 + 50 × $10.00 per million tokens.
LESS = {"prompt_tokens": 100, "completion_tokens": 50}
LESS_PICOUSD = 750_000_000


async def counted(customer: Customer, *event_ids: str) -> None:
    """Wait until just these events count, by every road."""
    found = await until(customer.records, lambda r: {each.event_id for each in r} == {*event_ids})
    assert len(found) == len(event_ids)
    totals = await until(customer.totals, lambda t: t.announced_records == len(event_ids))
    assert_agrees(totals)


def correction(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return call(**{"corrects": of["event_id"], "usage": LESS, **changes})


@pytest.mark.parametrize("first", ["original", "correction", "together"])
async def test_a_correction_replaces_its_original_whichever_comes_first(
    customer: Customer, first: str
) -> None:
    original = call()
    new = correction(original)
    if first == "together":
        await customer.report(original, new)
    else:
        for event in (original, new) if first == "original" else (new, original):
            await customer.report(event)
    await counted(customer, new["event_id"])
    summary = await customer.summary()
    assert (summary.cost_picousd, summary.tokens, summary.records) == (LESS_PICOUSD, 150, 1)


async def test_the_original_stays_as_it_was_and_a_revision_says_why(customer: Customer) -> None:
    original = call()
    new = correction(original)
    await customer.report(original)
    before = await customer.rows(
        "SELECT * FROM cost_records WHERE organization_id = $1 AND event_id = $2",
        original["event_id"],
    )
    await customer.report(new)
    await counted(customer, new["event_id"])
    after = await customer.rows(
        "SELECT * FROM cost_records WHERE organization_id = $1 AND event_id = $2",
        original["event_id"],
    )
    assert before == after
    (revision,) = await customer.rows("SELECT * FROM cost_revisions WHERE organization_id = $1")
    assert (revision["counted"], revision["reason"]) == (False, "replaced by a correction")


async def test_a_correction_delivered_again_changes_nothing(customer: Customer) -> None:
    original = call()
    new = correction(original)
    await customer.report(original, new)
    await counted(customer, new["event_id"])
    await customer.report(new, original)
    await customer.report(original, new, producer="again")
    await counted(customer, new["event_id"])
    assert await customer.letters() == []


@pytest.mark.parametrize("together", [True, False])
async def test_the_second_correction_of_an_event_is_parked(
    customer: Customer, together: bool
) -> None:
    original = call()
    new, second = correction(original, event_id="a"), correction(original, event_id="b")
    if together:
        await customer.report(original, new, second)
    else:
        for event in (original, new, second):
            await customer.report(event)
    await counted(customer, "a")
    (letter,) = await customer.letters()
    assert letter.reason == "already_corrected"
    assert letter.detail == (
        f"Event {original['event_id']} was corrected by a; correct that one instead."
    )


async def test_a_chain_of_corrections_leaves_its_last_in_any_order(
    customers: list[Customer],
) -> None:
    original = call(event_id="1")
    chain = [original]
    for number in range(2, 4):
        usage = {"prompt_tokens": 100 * number, "completion_tokens": 0}
        chain.append(correction(chain[-1], event_id=str(number), usage=usage))
    orders = itertools.permutations(chain)
    for customer, order in zip(customers, orders, strict=True):
        for event in order:
            await customer.report(event)
    for customer in customers:
        await counted(customer, "3")
        assert (await customer.summary()).tokens == 300


@pytest.mark.parametrize("events", [["a->a"], ["a->b", "b->a"], ["a->b", "b->c", "c->a"]])
@pytest.mark.parametrize("together", [True, False])
async def test_corrections_in_a_circle_are_parked_where_it_closes(
    customer: Customer, events: list[str], together: bool
) -> None:
    pairs = [text.split("->") for text in events]
    reports = [call(event_id=name, corrects=corrected) for name, corrected in pairs]
    if together:
        await customer.report(*reports)
    else:
        for report in reports:
            await customer.report(report)
    (letter,) = await customer.letters()
    assert letter.reason == "circular_correction"
    rest = [name for name, _ in pairs[:-1]]
    # What the parked one would have been is not there, so the first of the chain counts.
    await counted(customer, *rest[:1])


async def test_a_conflict_corrects_nothing(customer: Customer) -> None:
    bystander, event = call(), call()
    await customer.report(bystander, event)
    await customer.report({**event, "corrects": bystander["event_id"]})
    assert [each.reason for each in await customer.letters()] == ["event_conflict"]
    honest = correction(bystander)
    await customer.report(honest)
    await counted(customer, event["event_id"], honest["event_id"])


async def test_an_unpriced_call_is_corrected_to_a_priced_one(customer: Customer) -> None:
    original = call(model=f"no-such-model-{customer.organization_id}")
    new = correction(original)
    await customer.report(original)
    assert (await customer.summary()).unpriced_records == 1
    await customer.report(new)
    await counted(customer, new["event_id"])
    summary = await customer.summary()
    assert (summary.unpriced_records, summary.unpriced_tokens) == (0, 0)
    assert summary.cost_picousd == LESS_PICOUSD
    waiting = await customer.rows("SELECT * FROM unpriced_records WHERE organization_id = $1")
    assert waiting == []


async def test_a_correction_may_change_hour_model_task_and_whose_key_it_was(
    customer: Customer,
) -> None:
    original = call(occurred_at="2026-11-20T10:30:00Z", task_id="before")
    new = correction(
        original,
        occurred_at="2026-11-20T13:10:00Z",
        model="gpt-4o-mini",
        task_id="after",
        credential_source="byo",
    )
    await customer.report(original)
    await customer.report(new)
    await counted(customer, new["event_id"])
    (line,) = (await customer.summary()).breakdown
    assert (line.model, line.records, line.tokens) == ("gpt-4o-mini", 1, 150)
    before = await customer.summary(occurred_to="2026-11-20T13:00:00Z")
    assert (before.records, before.cost_picousd, before.breakdown) == (0, 0, ())
    assert (await customer.summary(scope_type="task", scope_id="before")).records == 0
    assert (await customer.summary(scope_type="task", scope_id="after")).records == 1

    async def billable() -> int:
        query = "SELECT billable_cost_picousd FROM cost_totals WHERE organization_id = $1"
        return int((await customer.rows(query))[0][0])

    await until(billable, lambda cost: cost == 0)


async def test_a_correction_of_a_duplicate_replaces_what_counts(customer: Customer) -> None:
    told = call(provider_request_id="req-1")
    told_again = {**told, "event_id": "told-again"}
    await customer.report(told, told_again)
    new = correction(told_again)
    await customer.report(new)
    await counted(customer, new["event_id"])


@pytest.mark.parametrize("together", [True, False])
async def test_one_response_told_twice_and_corrected_twice_counts_once(
    customer: Customer, together: bool
) -> None:
    told = call(provider_request_id="req-1")
    told_again = {**told, "event_id": "told-again"}
    corrections = [correction(told, event_id="x"), correction(told_again, event_id="y")]
    if together:
        await customer.report(told, told_again, *corrections)
    else:
        for event in (told, told_again, *corrections):
            await customer.report(event)
    totals = await until(customer.totals, lambda t: t.records == 1)
    assert_agrees(totals)
    assert totals.records_cost_picousd == LESS_PICOUSD


async def test_one_response_corrected_by_two_and_once_more_counts_once_in_any_order(
    customers: list[Customer],
) -> None:
    """Whatever takes effect first: the response, its corrections, or a correction of those."""
    told = call(event_id="told", provider_request_id="req-1")
    told_again = {**told, "event_id": "told-again"}
    x, y = correction(told, event_id="x"), correction(told_again, event_id="y")
    z = correction(y, event_id="z")
    last = correction(z, event_id="last")
    orders = itertools.permutations([(told, told_again), (x, y), (z, last)])

    async def tell(customer: Customer, order: Any) -> None:
        for events in order:
            await customer.report(*events)
            await applied(customer)

    await asyncio.gather(*(tell(*each) for each in zip(customers, orders, strict=True)))
    for customer in customers:
        totals = await until(customer.totals, lambda t: t.announced_records == t.records)
        assert_agrees(totals)
        assert (totals.records, totals.records_cost_picousd) == (1, LESS_PICOUSD)


async def applied(customer: Customer) -> None:
    """Wait until no correction is left whose original is there."""
    query = """SELECT count(*) FROM cost_corrections c JOIN cost_records r
        ON r.organization_id = c.organization_id AND r.event_id = c.corrected_event_id
        WHERE c.organization_id = $1 AND c.applied_at IS NULL"""

    async def waiting() -> int:
        return int((await customer.rows(query))[0][0])

    await until(waiting, lambda count: count == 0)


async def test_corrections_of_events_that_never_came_hold_up_no_others(
    customer: Customer,
) -> None:
    stray = [call(corrects=f"never-{number}") for number in range(150)]
    for _ in range(4):
        await customer.report(*stray[:100])
    await customer.report(*stray[100:])
    original = call()
    new = correction(original)
    await customer.report(new)
    await customer.report(original)
    found = await until(customer.totals, lambda t: t.records == 151)
    assert_agrees(found)
    waiting = await customer.rows(
        "SELECT look_at - noted_at > interval '0.4 seconds' FROM cost_corrections"
        " WHERE organization_id = $1 AND applied_at IS NULL"
    )
    assert len(waiting) == 150
    assert found.records_cost_picousd == 150 * CALL_PICOUSD + LESS_PICOUSD

"""A producer's gapless sequence shows what is missing, and what closes the hole."""

import random

from services.cost_metering.store.producers import MAX_PIECES
from shared.contracts.base import MAX_EXACT_INTEGER
from tests.cost_metering.customer import Customer
from tests.examples import call, envelope


def stretch(first: int, last: int, producer: str = "p") -> bytes:
    """An envelope with the numbers `first` to `last` of a producer."""
    events = [call() for _ in range(first, last + 1)]
    return envelope(*events, producer=producer, first_seq=first)


async def holes(customer: Customer) -> list[tuple[str, int, int]]:
    return sorted((each.producer, each.first, each.last) for each in await customer.holes())


async def pieces(customer: Customer) -> int:
    query = "SELECT count(*) FROM producers, unnest(received) WHERE organization_id = $1"
    return int((await customer.rows(query))[0][0])


async def test_envelopes_in_any_order_leave_no_hole(customer: Customer) -> None:
    bodies = [
        stretch(first, first + 4, producer) for producer in "pq" for first in range(1, 200, 5)
    ]
    bodies += bodies[::3]
    random.Random(3).shuffle(bodies)
    await customer.publish(*bodies)
    await customer.processed()
    assert await holes(customer) == []
    assert (await customer.totals()).holes == 0
    assert await pieces(customer) == 2


async def test_what_is_missing_is_named_until_it_comes(customer: Customer) -> None:
    await customer.publish(stretch(1, 10), stretch(21, 30), stretch(31, 31), stretch(34, 40))
    await customer.processed()
    assert await holes(customer) == [("p", 11, 20), ("p", 32, 33)]
    assert (await customer.totals()).holes == 12
    await customer.publish(stretch(13, 20))
    await customer.processed()
    assert await holes(customer) == [("p", 11, 12), ("p", 32, 33)]
    await customer.publish(stretch(11, 12), stretch(32, 33))
    await customer.processed()
    assert await holes(customer) == []


async def test_a_sequence_that_does_not_begin_at_one_has_a_hole_before_it(
    customer: Customer,
) -> None:
    await customer.publish(stretch(101, 110))
    await customer.processed()
    assert await holes(customer) == [("p", 1, 100)]


async def test_duplicates_and_overlaps_change_no_watermark(customer: Customer) -> None:
    body = stretch(1, 20)
    await customer.publish(body, body, stretch(5, 25), stretch(1, 3), stretch(26, 30), body)
    await customer.processed()
    assert await holes(customer) == []
    rows = await customer.rows("SELECT highest, complete FROM producers WHERE organization_id = $1")
    assert [tuple(row) for row in rows] == [(30, True)]


async def test_a_parked_event_has_come_and_a_parked_envelope_has_not(customer: Customer) -> None:
    await customer.publish(
        envelope(call(), "{}", call(), producer="p"),
        envelope(call(), producer="p", first_seq=4, v=9),
        envelope(call(), producer="p", first_seq=5),
    )
    await customer.processed()
    assert await holes(customer) == [("p", 4, 4)]
    assert {each.reason for each in await customer.letters()} == {
        "invalid_field",
        "unknown_version",
    }


async def test_producers_of_the_same_name_are_told_apart_by_agent_and_organization(
    customer: Customer, other_customer: Customer
) -> None:
    await customer.publish(stretch(1, 5))
    await customer.publish(stretch(6, 9), agent_id="agent-2")
    await other_customer.publish(stretch(11, 12))
    for each in (customer, other_customer):
        await each.processed()
    found = [(each.agent_id, each.first, each.last) for each in await customer.holes()]
    assert found == [("agent-2", 1, 5)]
    assert await holes(other_customer) == [("p", 1, 10)]


async def test_a_hostile_sequence_stays_bounded_and_can_still_be_completed(
    customer: Customer,
) -> None:
    far = [MAX_EXACT_INTEGER - 2 * number for number in range(MAX_PIECES + 200)]
    near = [3 * number + 1 for number in range(MAX_PIECES + 200)]
    await customer.publish(*(stretch(first, first) for first in (*near, *far)), at_once=50)
    await customer.processed(60)
    assert await pieces(customer) <= MAX_PIECES
    assert len(await customer.holes()) == 200  # a page of them
    assert (await customer.totals()).records == 2 * (MAX_PIECES + 200)

    last = 3 * (MAX_PIECES + 200)
    for first in range(1, last, 100):
        await customer.publish(stretch(first, first + 99))
    await customer.processed()
    assert all(first > last for _, first, _ in await holes(customer))

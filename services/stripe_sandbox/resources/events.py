"""/v1/events, /v2/core/events, /v1/test_helpers/test_clocks and /v1/balance."""

from services.stripe_sandbox.endpoints import delete, get, post
from services.stripe_sandbox.errors import Body, invalid, missing
from services.stripe_sandbox.events import THIN, thin
from services.stripe_sandbox.flows.renewing import advance
from services.stripe_sandbox.listing import conditions, list_of, page
from services.stripe_sandbox.objects.customer import deleted
from services.stripe_sandbox.objects.portal import balance, test_clock
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    INTEGER,
    TEXT,
    ListOf,
    Text,
    needed,
    shape,
)
from services.stripe_sandbox.work import Work

EVENTS = "/v1/events"
THIN_EVENTS = "/v2/core/events"
CLOCKS = "/v1/test_helpers/test_clocks"
CLOCK = "test_helpers.test_clock"
# How far a clock may go at once: two years, which is two periods of the longest interval.
MAX_ADVANCE_SECONDS = 2 * 366 * 24 * 3600


def retrieve_event(work: Work, _params: Body, event_id: str) -> Body:
    """An event as a snapshot."""
    return work.get("event", event_id)


def list_events(work: Work, params: Body) -> Body:
    """Events, newest first."""
    where = conditions(params)
    types = [params["type"]] if "type" in params else params.get("types", [])
    if types:
        patterns = [each.replace("*", "%") for each in types]
        either = " OR ".join(["json_extract(body, '$.type') LIKE ?"] * len(patterns))
        where.add(f"({either})", *patterns)
    if "delivery_success" in params:
        where.add(
            "(id NOT IN (SELECT event FROM deliveries WHERE state != 'delivered')) = ?",
            params["delivery_success"],
        )
    return page(work, "event", EVENTS, params, where)


def retrieve_thin(work: Work, _params: Body, event_id: str) -> Body:
    """An event as a thin one."""
    snapshot_id = f"evt_{event_id.removeprefix(THIN)}"
    if not event_id.startswith(THIN) or work.find("event", snapshot_id) is None:
        raise missing("event", event_id)
    event = thin(work.get("event", snapshot_id))
    event.pop("related_object")
    return event


def create_clock(work: Work, params: Body) -> Body:
    """Make a clock."""
    return work.add(test_clock(params, work.now()), "test_helpers.test_clock.created")


def retrieve_clock(work: Work, _params: Body, clock_id: str) -> Body:
    """A clock."""
    return work.get(CLOCK, clock_id)


def advance_clock(work: Work, params: Body, clock_id: str) -> Body:
    """Move a clock forward, with all that happens on the way."""
    body = work.get(CLOCK, clock_id)
    to = params["frozen_time"]
    if not body["frozen_time"] < to <= body["frozen_time"] + MAX_ADVANCE_SECONDS:
        raise invalid("Test clocks only advance, and at most two intervals at once.", "frozen_time")
    body = advance(work, body, to)
    work.emit("test_helpers.test_clock.ready", body)
    return body


def delete_clock(work: Work, _params: Body, clock_id: str) -> Body:
    """Delete a clock, with its customers."""
    body = work.get(CLOCK, clock_id)
    for customer in work.all("customer", test_clock=clock_id):
        work.save(deleted(customer))
    work.store.run("DELETE FROM agenda WHERE clock = ?", clock_id)
    work.emit("test_helpers.test_clock.deleted", body)
    return work.save(deleted(body))


def list_clocks(work: Work, params: Body) -> Body:
    """Clocks, newest first."""
    return page(work, CLOCK, CLOCKS, params, conditions(params))


def retrieve_balance(work: Work, _params: Body) -> Body:
    """What was charged and not given back; a quick way to see that a key works."""
    row = work.store.one("SELECT coalesce(sum(amount), 0) AS cents FROM ledger")
    return balance(int(row["cents"]) if row else 0)


FILTERS = shape(delivery_success=BOOLEAN, type=TEXT, types=ListOf(TEXT, 20))
ENDPOINTS = (
    get(EVENTS, list_events, list_of(FILTERS)),
    get(EVENTS + "/{id:str}", retrieve_event),
    get(THIN_EVENTS + "/{id:str}", retrieve_thin),
    post(CLOCKS, create_clock, shape(frozen_time=needed(INTEGER), name=Text(most=300))),
    get(CLOCKS, list_clocks, list_of(by_time=False)),
    get(CLOCKS + "/{test_clock:str}", retrieve_clock),
    delete(CLOCKS + "/{test_clock:str}", delete_clock),
    post(CLOCKS + "/{test_clock:str}/advance", advance_clock, shape(frozen_time=needed(INTEGER))),
    get("/v1/balance", retrieve_balance),
)

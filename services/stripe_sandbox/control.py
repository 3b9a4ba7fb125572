"""/sandbox/*: what tests ask and order, with the secret key; parameters as a form or as JSON."""

import time
from datetime import UTC, datetime, timedelta

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.events import Events
from services.stripe_sandbox.faults import KINDS, order_fault
from services.stripe_sandbox.flows import disputes, paying
from services.stripe_sandbox.idempotency import prune_keys
from services.stripe_sandbox.parameters import (
    COUNT,
    ID,
    METADATA,
    TEXT,
    Fraction,
    Integer,
    ListOf,
    Text,
    choice,
    needed,
    shape,
)
from services.stripe_sandbox.work import Work
from shared.clock import TravelClock

MAX_ENTRIES = 10_000
# A webhook that is tried again later than this may never come through.
SOON_SECONDS = 5.0
SECONDS = Fraction()
FAULT = shape(
    kind=needed(choice(*KINDS)),
    target=TEXT,
    count=Integer(least=1, most=1000),
    code=TEXT,
    copies=Integer(least=1, most=100),
    seconds=SECONDS,
)
SETTINGS = shape(
    after_failed_retries=choice("cancel", "past_due", "unpaid"),
    search_lag_seconds=COUNT,
    settle_seconds=COUNT,
    webhook_retry_seconds=SECONDS,
    webhook_secrets=ListOf(Text()),
    webhook_styles=ListOf(choice("snapshot", "thin"), 2),
    webhook_url=TEXT,
)
LEDGER = shape(kind=TEXT, customer=ID, payment_intent=ID, object=ID, metadata=METADATA)
DISPUTE = shape(
    amount=Integer(least=1), charge=ID, payment_intent=ID, inquiry=choice("true"), reason=TEXT
)
CLOCK = shape(offset_microseconds=needed(Integer(least=0, most=10**15)))
SEND = shape(
    copies=Integer(least=1, most=1000),
    style=choice("snapshot", "thin"),
)


def read_ledger(work: Work, params: Body) -> Body:
    """What was really made, charged (+) and given back (−), with the sums in cents."""
    where, values = ["1"], []
    for name in ("kind", "customer", "payment_intent", "object"):
        if name in params:
            where.append(f"{name} = ?")
            values.append(params[name])
    for name, value in (params.get("metadata") or {}).items():
        where.append("json_extract(metadata, ?) = ?")
        values += [f'$."{name}"', value]
    sql = f"SELECT * FROM ledger WHERE {' AND '.join(where)} ORDER BY seq LIMIT {MAX_ENTRIES}"  # noqa: S608
    entries = [dict(row) for row in work.store.query(sql, *values)]
    charged = sum(each["amount"] for each in entries if each["kind"] == "charge")
    net = sum(each["amount"] for each in entries)
    return {"entries": entries, "charged": charged, "given_back": charged - net, "net": net}


def order(work: Work, params: Body) -> Body:
    """Have a fault happen."""
    options = {
        name: str(value) if name == "seconds" else value
        for name, value in params.items()
        if name in {"code", "copies", "seconds"}
    }
    target, count = params.get("target") or "*", params.get("count", 1)
    order_fault(work.store, params["kind"], target, count, options)
    return read_faults(work, {})


def read_faults(work: Work, _params: Body) -> Body:
    """What has been ordered and has not happened yet."""
    return {"faults": [dict(row) for row in work.store.query("SELECT * FROM faults ORDER BY seq")]}


def clear_faults(work: Work, _params: Body) -> Body:
    """No more faults; what was held back is sent."""
    work.store.run("DELETE FROM faults")
    Events(work.store).release_held()
    return read_faults(work, {})


def change_settings(work: Work, params: Body) -> Body:
    """Set what a test wants otherwise."""
    for name, value in params.items():
        if name in SETTINGS.fields:
            work.store.set_setting(name, float(value) if name.endswith("retry_seconds") else value)
    return {name: work.store.setting(name, None) for name in SETTINGS.fields}


def prune(work: Work, _params: Body) -> Body:
    """Forget every idempotency key, as Stripe may after a day."""
    return {"pruned": prune_keys(work.store, 0)}


def open_dispute(work: Work, params: Body) -> Body:
    """Have a bank dispute a charge, or only inquire."""
    charge_id = params.get("charge")
    if "payment_intent" in params:
        intent = work.get("payment_intent", params["payment_intent"], "payment_intent")
        charge_id = intent["latest_charge"]
    if charge_id is None:
        raise lacking("charge")
    made = work.get("charge", charge_id, "charge")
    amount = int(params.get("amount") or made["amount"])
    reason = params.get("reason") or "fraudulent"
    return disputes.open_dispute(work, made, reason, amount, inquiry="inquiry" in params)


def end_dispute(work: Work, _params: Body, dispute_id: str, outcome: str) -> Body:
    """Have a dispute end `won` or `lost`, an inquiry `closed`, or become a dispute (`escalate`)."""
    body = work.get("dispute", dispute_id)
    if outcome == "escalate":
        return disputes.escalate(work, body)
    if outcome not in {"won", "lost", "closed"}:
        raise invalid("A dispute is won, lost, closed or escalated.")
    return disputes.close(work, body, "won" if outcome == "closed" else outcome)


def settle(work: Work, _params: Body, intent_id: str, outcome: str) -> Body:
    """Have a bank debit that is under way come through (`succeed`) or not (`fail`)."""
    if outcome not in {"succeed", "fail"}:
        raise invalid("A payment can succeed or fail.")
    body = work.get("payment_intent", intent_id)
    return paying.settle(work, body, succeeds=outcome == "succeed")


def read_deliveries(work: Work, _params: Body) -> Body:
    """The webhooks of the last events: which were sent, how often, and how it went."""
    sql = (
        "SELECT d.*, json_extract(o.body, '$.type') AS type FROM deliveries d"
        " JOIN objects o ON o.id = d.event ORDER BY d.seq DESC LIMIT 1000"
    )
    states = work.store.query("SELECT state, count(*) AS number FROM deliveries GROUP BY state")
    return {
        "deliveries": [dict(row) for row in work.store.query(sql)],
        "states": {row["state"]: row["number"] for row in states},
    }


def send_again(work: Work, params: Body, event_id: str) -> Body:
    """Send an event once more, or many times, in a style of choice."""
    event = work.get("event", event_id)
    for _ in range(params.get("copies", 1)):
        work.store.run(
            "INSERT INTO deliveries (event, style, lane, state, due) VALUES (?, ?, 0, ?, ?)",
            event_id,
            params.get("style", "snapshot"),
            "waiting",
            time.time(),
        )
    return event


def read_clock(work: Work, _params: Body) -> Body:
    """Where in time the sandbox is, in the words of a service's Whereabouts."""
    now, soon = work.store.now(), time.time() + SOON_SECONDS
    row = work.store.one(
        "SELECT (SELECT min(due) FROM agenda WHERE clock = '') AS due,"
        " (SELECT count(*) FROM agenda WHERE clock = '' AND due <= ?) AS tasks,"
        " (SELECT count(*) FROM deliveries WHERE state = 'waiting' AND due <= ?) AS webhooks,"
        " (SELECT max(seq) FROM deliveries) AS sent, (SELECT max(seq) FROM objects) AS made",
        now,
        soon,
    )
    found = dict(row or {})
    waiting = {name: found[name] for name in ("tasks", "webhooks") if found[name]}
    return {
        "service": "stripe_sandbox",
        "process_id": "stripe_sandbox",
        "at": work.store.clock.now().isoformat(),
        "due_at": found["due"] and datetime.fromtimestamp(found["due"], UTC).isoformat(),
        "waiting": waiting,
        "moved": (found["sent"] or 0) + (found["made"] or 0),
    }


def move_clock(work: Work, params: Body) -> Body:
    """Be so far ahead of the machine's clock; what falls due is done by the clockwork."""
    if not isinstance(work.store.clock, TravelClock):
        raise invalid("Without the setting TIME_MACHINE nobody travels in time.")
    work.store.clock.travel(timedelta(microseconds=params["offset_microseconds"]))
    work.store.travelled.set()
    return read_clock(work, {})


ENDPOINTS = (
    get("/sandbox/ledger", read_ledger, LEDGER),
    post("/sandbox/faults", order, FAULT),
    get("/sandbox/faults", read_faults),
    post("/sandbox/faults/clear", clear_faults),
    post("/sandbox/settings", change_settings, SETTINGS),
    post("/sandbox/idempotency/prune", prune),
    post("/sandbox/disputes", open_dispute, DISPUTE),
    post("/sandbox/disputes/{dispute:str}/{outcome:str}", end_dispute),
    post("/sandbox/payments/{intent:str}/{outcome:str}", settle),
    get("/sandbox/clock", read_clock),
    post("/sandbox/clock", move_clock, CLOCK),
    get("/sandbox/deliveries", read_deliveries),
    post("/sandbox/events/{event:str}/send", send_again, SEND),
)

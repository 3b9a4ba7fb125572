"""One piece of work in one transaction: objects, time, and what happens because of it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from services.stripe_sandbox.errors import Body, StripeError, missing
from services.stripe_sandbox.events import Events
from services.stripe_sandbox.faults import take_fault
from services.stripe_sandbox.settings import SandboxSettings
from services.stripe_sandbox.store import Store


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The request that work is done for; work of our own has none."""

    request_id: str | None = None
    idempotency_key: str | None = None
    # Made with a publishable key, that is from a browser, which must know an object's secret.
    public: bool = False


class Work:
    """What endpoints, pages and the agenda do their work with."""

    def __init__(
        self,
        store: Store,
        settings: SandboxSettings,
        reactions: "Reactions",
        origin: Origin | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.origin = origin or Origin()
        self._reactions = reactions
        self._events = Events(store)
        self._taken: list[tuple[str, ...]] = []

    # Objects

    def find(self, kind: str, object_id: str | None) -> Body | None:
        """An object that is not deleted, or None."""
        body = self.store.find(object_id) if object_id else None
        return body if body and body["object"] == kind and not body.get("deleted") else None

    def get(self, kind: str, object_id: str, param: str = "id") -> Body:
        """An object that must be there; `param` is the parameter that named it."""
        body = self.find(kind, object_id)
        if body is None:
            raise missing(kind, object_id, param)
        return body

    def all(self, kind: str, **having: Any) -> list[Body]:
        """Objects with these values, oldest first; `customer` is found by index."""
        where = ["1"]
        for name in having:
            field = "customer" if name == "customer" else f"json_extract(body, '$.{name}')"
            where.append(f"{field} IS ?")
        return self.store.select(kind, " AND ".join(where), *having.values(), order="seq")

    def add(self, body: Body, event: str | None = None) -> Body:
        """Keep a new object, and tell of it."""
        self.store.add(body)
        if event:
            self.emit(event, body)
        return body

    def save(self, body: Body, event: str | None = None) -> Body:
        """Keep a changed object, and tell what it was before."""
        before = self.store.find(body["id"]) if event else None
        self.store.put(body)
        if event:
            self.emit(event, body, _previous(before or {}, body))
        return body

    # What happens

    def emit(self, event: str, body: Body, previous: Body | None = None) -> None:
        """Record an event, queue its webhooks, and let the rest of the sandbox react."""
        self._events.record(
            event,
            body,
            previous,
            now=self.now(body),
            request_id=self.origin.request_id,
            idempotency_key=self.origin.idempotency_key,
        )
        for react in self._reactions.get(event, ()):
            react(self, body)

    def note(self, kind: str, body: Body, amount: int = 0) -> None:
        """Write into the ledger what was really made, charged (+) or given back (−), in cents."""
        self.store.run(
            "INSERT INTO ledger (kind, object, payment_intent, customer, amount, currency,"
            " metadata, idempotency_key, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            kind,
            body["id"],
            body.get("payment_intent"),
            body.get("customer"),
            amount,
            body.get("currency"),
            json.dumps(body.get("metadata") or {}),
            self.origin.idempotency_key,
            self.now(body),
        )

    def take_fault(self, kind: str, *targets: str) -> Body | None:
        """The options of a fault that a test has ordered, once for each time it was ordered."""
        fault = take_fault(self.store, kind, *targets)
        if fault is not None:
            self._taken.append((kind, *targets))
        return fault

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo everything done in here if it raises; only faults that happened stay spent."""
        begin = len(self._taken)
        try:
            with self.store.attempt():
                yield
        except StripeError:
            for fault in self._taken[begin:]:
                take_fault(self.store, *fault)
            raise

    # Time

    def clock_of(self, body: Body) -> str:
        """The id of the test clock that an object lives by; empty for the machine's clock."""
        if body["object"] == "test_helpers.test_clock":
            return str(body["id"])
        if body["object"] == "customer":
            return body.get("test_clock") or ""
        customer_id = body.get("customer") or body.get("_customer")
        customer = self.store.find(customer_id) if customer_id else None
        return (customer or {}).get("test_clock") or ""

    def now(self, body: Body | None = None) -> int:
        """What time it is for an object (seconds since 1970)."""
        clock = self.store.find(self.clock_of(body)) if body else None
        return int(clock["frozen_time"]) if clock else self.store.now()

    def plan(self, task: str, subject: Body, due: int) -> None:
        """Have a task done at a time; planning it again moves it."""
        self.store.run(
            "INSERT OR REPLACE INTO agenda (clock, due, task, subject) VALUES (?, ?, ?, ?)",
            self.clock_of(subject),
            due,
            task,
            subject["id"],
        )

    def drop(self, task: str, subject: Body) -> None:
        """Not to be done any more."""
        self.store.run("DELETE FROM agenda WHERE task = ? AND subject = ?", task, subject["id"])


Reaction = Callable[[Work, Body], None]
Reactions = Mapping[str, Sequence[Reaction]]


def _previous(before: Body, after: Body) -> Body:
    return {
        name: before.get(name)
        for name in before.keys() | after.keys()
        if not name.startswith("_") and before.get(name) != after.get(name)
    }

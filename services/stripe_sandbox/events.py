"""Events: one per change, as a snapshot and as a thin notification, queued for the webhook."""

import json
import time
import zlib
from datetime import UTC, datetime

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.faults import take_fault
from services.stripe_sandbox.settings import API_VERSION
from services.stripe_sandbox.store import Store, new_id

# Events of one customer are sent in order, those of different customers side by side.
LANES = 4
# A thin event has an id of its own, and names its snapshot.
THIN = "evt_thin"
# Where the API serves an object that a thin event names, when that is not `/v1/<object>s/<id>`.
FOLDERS = {
    "checkout.session": "checkout/sessions",
    "billing_portal.session": "billing_portal/sessions",
    "billing_portal.configuration": "billing_portal/configurations",
    "test_helpers.test_clock": "test_helpers/test_clocks",
    "radar.early_fraud_warning": "radar/early_fraud_warnings",
}


def public(body: Body) -> Body:
    """An object without what only the sandbox knows (names that begin with an underscore)."""
    return {
        name: public(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if not name.startswith("_")
    }


class Events:
    """Records events in the transaction of the change that they tell of."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(
        self,
        kind: str,
        body: Body,
        previous: Body | None,
        *,
        now: int,
        request_id: str | None,
        idempotency_key: str | None,
    ) -> None:
        """Keep the event and queue a delivery of it in every style that is wanted."""
        data: Body = {"object": public(body)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": request_id, "idempotency_key": idempotency_key},
            "type": kind,
        }
        subject = str(body.get("customer") or body.get("_customer") or body["id"])
        lane = zlib.crc32(subject.encode()) % LANES
        styles = self._store.setting("webhook_styles", ["snapshot"])
        if self._store.setting("webhook_url", None):
            event["pending_webhooks"] = len(styles)
            for style in styles:
                self._queue(event, style, lane)
        self._store.add(event)

    def _queue(self, event: Body, style: str, lane: int) -> None:
        kind = event["type"]
        copies, state, due = 1, "waiting", time.time()
        if fault := take_fault(self._store, "webhook_duplicate", kind):
            copies += int(fault.get("copies", 1))
        if fault := take_fault(self._store, "webhook_delay", kind):
            due += float(fault.get("seconds", 1))
        if take_fault(self._store, "webhook_lose", kind):
            state = "lost"
        if fault := take_fault(self._store, "webhook_reorder", kind):
            state = "held"
        for _ in range(copies):
            self._store.run(
                "INSERT INTO deliveries (event, style, lane, state, due) VALUES (?, ?, ?, ?, ?)",
                event["id"],
                style,
                lane,
                state,
                due,
            )
        if state == "held" and fault and fault["remaining"] == 0:
            self.release_held()

    def release_held(self) -> None:
        """Send what was held back, the last first."""
        # One lane and descending due times: the order is the fault, so it has to be certain.
        self._store.run(
            "UPDATE deliveries SET state = 'waiting', lane = 0, due = 0 - seq WHERE state = 'held'"
        )


def thin(event: Body) -> Body:
    """The event as a thin notification: what happened to which object, and nothing of it."""
    subject = event["data"]["object"]
    kind = subject["object"]
    folder = FOLDERS.get(kind, f"{kind}s")
    created = datetime.fromtimestamp(event["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    request = event["request"]
    reason = {
        "type": "request",
        "request": {
            "id": request["id"],
            "idempotency_key": request["idempotency_key"] or "",
        },
    }
    return {
        "id": f"{THIN}{event['id'].removeprefix('evt_')}",
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": created,
        "livemode": False,
        "context": None,
        "reason": reason if request["id"] else None,
        "snapshot_event": event["id"],
        "related_object": {
            "id": subject["id"],
            "type": kind,
            "url": f"/v1/{folder}/{subject['id']}",
        },
    }


def payload(event: Body, style: str) -> bytes:
    """The body of a webhook."""
    told = event if style == "snapshot" else thin(event)
    return json.dumps(told, indent=2).encode()

"""Builders for tests: a call as an agent reports it, in an envelope as the client sends it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4


def call(**changes: Any) -> dict[str, Any]:
    """One priced call: 1,000 tokens in and 500 out of gpt-4o, that is $0.0075."""
    return {
        "event_id": uuid4().hex,
        "task_id": "task-1",
        "provider": "openai",
        "model": "gpt-4o",
        "occurred_at": datetime.now(UTC).isoformat(),
        "usage_format": "openai_chat",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
        **changes,
    }


# What `call()` costs: 1,000 × $2.50 + 500 × $10.00 per million tokens.
CALL_PICOUSD = 7_500_000_000


# What no page of ours gave: other words, moments beyond the calendar, digits that are no digits.
MADE_UP_CURSORS = (
    "x",
    "~",
    "~x",
    "1~",
    "-1~x",
    "1_0~x",
    "\u0661~x",
    "0001-01-01T00:00:00+14:00~x",
    "9999-12-31T23:59:59-14:00~x",
    "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCB4",
    f"{'9' * 18}~x",
    "9" * 128,
)


def envelope(
    *events: Any, producer: str | None = None, first_seq: int = 1, **changes: Any
) -> bytes:
    """An envelope as bytes; events are calls, or text that is put in as it is."""
    parts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    header = {"v": 1, "producer": producer or uuid4().hex, "first_seq": first_seq, **changes}
    return f'{json.dumps(header)[:-1]}, "events": [{", ".join(parts)}]}}'.encode()

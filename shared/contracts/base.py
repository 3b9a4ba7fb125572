"""The forms of message that cross a service's border, and the answer that says no.

A message's address is its name: `CostsRecorded` in `contracts/cost_metering.py` travels on
`event.cost_metering.costs_recorded.<organization_id>`, and `GetCostSummary` is asked on
`ask.cost_metering.get_cost_summary`. Schemas only ever gain optional fields.
"""

import re
from datetime import datetime
from typing import Annotated, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta

ORGANIZATION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"
# No control characters: NUL decodes fine and then fails in PostgreSQL, for ever.
PRINTABLE_PATTERN = r"^[^\x00-\x1f\x7f]*\Z"
# Beyond 2**53 an integer is no longer exact in every JSON reader.
MAX_EXACT_INTEGER = 2**53

Organization = Annotated[str, Meta(pattern=ORGANIZATION_PATTERN)]
# An agent's id is one token of a subject, so it follows the organization's rule.
Agent = Annotated[str, Meta(pattern=ORGANIZATION_PATTERN)]
Text = Annotated[str, Meta(pattern=PRINTABLE_PATTERN, min_length=1, max_length=128)]
Count = Annotated[int, Meta(ge=0, le=MAX_EXACT_INTEGER)]
# Without a zone a time means something else on every machine.
AwareTime = Annotated[datetime, Meta(tz=True)]
PageLimit = Annotated[int, Meta(ge=1, le=200)]

# Codes of a "no" that time alone mends: what is asked for, or what it needs, is still being worked
# on. Whoever asks again gets another answer, so this one is no outcome and is not kept as one.
PASSING = frozenset(
    {
        "pending",
        "idempotency_key_in_flight",
        "charge_in_flight",
        "credit_note_in_flight",
        "customer_pending",
        "customer_replaced",
        "stripe_busy",
    }
)


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A value that crosses a border: immutable, named fields, JSON on the wire."""


class Event(Contract, frozen=True, kw_only=True):
    """A fact in the past tense, about one organization."""

    organization_id: Organization


class Reply(Contract, frozen=True, kw_only=True):
    """What a request is answered with."""


R = TypeVar("R", bound=Reply)


class Request(Contract, Generic[R], frozen=True, kw_only=True):
    """An imperative with exactly one answerer; `Request[R]` is answered by an `R` or a Refusal."""


class Refusal(Reply, frozen=True, kw_only=True):
    """A business "no": `code` is for machines, `detail` is a sentence for the user.

    `status` is the HTTP status the gateway gives it (4xx).
    """

    code: Text
    detail: str
    status: Annotated[int, Meta(ge=400, le=499)] = 409

    @property
    def passes(self) -> bool:
        """Whether time alone mends it, so that nothing is known yet."""
        return self.code in PASSING


class Done(Reply, frozen=True, kw_only=True):
    """It happened; `affected` counts what it happened to."""

    affected: int = 1
    at: datetime | None = None


def owner_of(contract: type) -> str:
    """The service that owns a contract: the last part of its module's name."""
    return contract.__module__.rpartition(".")[2]


def name_of(contract: type) -> str:
    """`GetCostSummary` → `get_cost_summary`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", contract.__name__).lower()


def event_subject(event: type[Event], organization_id: str = "*") -> str:
    """Where a fact is published; with `*`, where every organization's are heard."""
    return f"event.{owner_of(event)}.{name_of(event)}.{organization_id}"


def request_subject(request: type, owner: str | None = None) -> str:
    """Where a request is asked; `owner` names the answerer of a request that every service has."""
    return f"ask.{owner or owner_of(request)}.{name_of(request)}"


def reply_type_of(request: type) -> type[Reply]:
    """The `R` of a `Request[R]`."""
    for base in getattr(request, "__orig_bases__", ()):
        for argument in get_args(base):
            if isinstance(argument, type) and issubclass(argument, Reply):
                return argument
    raise TypeError(f"{request.__name__} does not say what answers it: write Request[SomeReply]")

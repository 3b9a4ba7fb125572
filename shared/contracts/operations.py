"""What services answer to operators, the auditor and the time machine. Asked by their names."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import (
    MAX_EXACT_INTEGER,
    PRINTABLE_PATTERN,
    AwareTime,
    Contract,
    Done,
    Organization,
    PageLimit,
    Reply,
    Request,
    Text,
)

# The services that own tables, in the order in which they are prepared and started; each of them
# answers these requests.
Owner = Literal[
    "account",
    "auditor",
    "cost_metering",
    "invoicing",
    "notices",
    "stripe_gateway",
    "subscription",
]
LetterId = Annotated[int, Meta(ge=1, le=MAX_EXACT_INTEGER)]
LetterIds = Annotated[tuple[LetterId, ...], Meta(min_length=1, max_length=200)]
DeadLetterState = Literal["parked", "replaying", "replayed", "discarded"]
StepId = Annotated[str, Meta(pattern=PRINTABLE_PATTERN, min_length=1, max_length=512)]
StepIds = Annotated[tuple[StepId, ...], Meta(min_length=1, max_length=200)]
StepStatus = Literal["prepared", "parked", "concluded"]


class DeadLetter(Contract, frozen=True, kw_only=True):
    """A message that could not be processed, kept until an operator decides."""

    letter_id: int
    consumer: str
    subject: str
    reason: str
    detail: str
    organization_id: str | None
    state: DeadLetterState
    occurrences: int
    first_seen_at: datetime
    last_seen_at: datetime
    body: str | None = None


class DeadLetters(Reply, frozen=True, kw_only=True):
    """Newest first; bodies only when one letter is asked for."""

    letters: tuple[DeadLetter, ...]


class ListDeadLetters(Request[DeadLetters], frozen=True, kw_only=True):
    """What a service has parked."""

    state: DeadLetterState = "parked"
    reason: Text | None = None
    limit: PageLimit = 50


class ShowDeadLetter(Request[DeadLetters], frozen=True, kw_only=True):
    """One letter with its body."""

    letter_id: LetterId


class ReplayDeadLetters(Request[Done], frozen=True, kw_only=True):
    """Hand letters to their handler again; what fails again is parked again."""

    letter_ids: LetterIds
    requested_by: Text | None = None


class DiscardDeadLetters(Request[Done], frozen=True, kw_only=True):
    """Give letters up for good, with a reason that stays on record."""

    letter_ids: LetterIds
    discard_reason: Text
    requested_by: Text | None = None


class ParkedStep(Contract, frozen=True, kw_only=True):
    """Work that calls another system and was given up after many attempts, until an operator
    resumes it.

    `state` is what it was prepared with, as JSON; only when one step is asked for.
    """

    step_id: str
    kind: str
    organization_id: str | None
    status: StepStatus
    attempts: int
    last_error: str | None
    created_at: datetime
    due_at: datetime
    state: str | None = None


class ParkedSteps(Reply, frozen=True, kw_only=True):
    """The last tried first; states only when one step is asked for."""

    steps: tuple[ParkedStep, ...]


class ListParkedSteps(Request[ParkedSteps], frozen=True, kw_only=True):
    """The steps of a service that wait for an operator."""

    kind: Text | None = None
    organization_id: Organization | None = None
    limit: PageLimit = 50


class ShowParkedStep(Request[ParkedSteps], frozen=True, kw_only=True):
    """One step with its state, whatever has become of it since."""

    step_id: StepId


class ResumeParkedSteps(Request[Done], frozen=True, kw_only=True):
    """Take steps up again, with all their attempts before them; one that is not parked stays as
    it is.
    """

    step_ids: StepIds
    requested_by: Text | None = None


class ControlRow(Contract, frozen=True, kw_only=True):
    """One row of a book: whose key, and how much of what the book counts."""

    key: str
    amount: int


class ControlRows(Reply, frozen=True, kw_only=True):
    """A page in the order of keys; `next_after` asks for the one that follows, null on the last."""

    rows: tuple[ControlRow, ...]
    next_after: str | None = None


class ListControlRows(Request[ControlRows], frozen=True, kw_only=True):
    """The rows behind a control total, for whoever wants to know which of them differ.

    `book` is a word of the owner's, such as `movements`; 404 when it has no such book.
    `until` leaves out what came later, in books that can tell.
    """

    organization_id: Organization
    book: Text
    after: Annotated[str, Meta(max_length=1024)] = ""
    until: AwareTime | None = None
    limit: Annotated[int, Meta(ge=1, le=2000)] = 1000


class Whereabouts(Reply, frozen=True, kw_only=True):
    """Where in time one process is, and what it still has to do there.

    `due_at` is when something falls due next; `waiting` counts what is under way, by name; `moved`
    grows with whatever is done, so that equal numbers mean that nothing was.
    """

    service: str
    process_id: str
    at: datetime
    due_at: datetime | None
    waiting: dict[str, int]
    moved: int


class Travel(Request[Whereabouts], frozen=True, kw_only=True):
    """Be so far ahead of the machine's clock, or, without an offset, say where you are. Every
    process of a service answers, not one of them; without the setting TIME_MACHINE none does.
    """

    offset_microseconds: Annotated[int, Meta(ge=0, le=MAX_EXACT_INTEGER)] | None = None


class OrganizationIds(Reply, frozen=True, kw_only=True):
    """A page in the order of ids; fewer than asked for on the last."""

    organization_ids: tuple[str, ...]


class ListOrganizations(Request[OrganizationIds], frozen=True, kw_only=True):
    """The organizations that a service has anything of."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=2000)] = 1000

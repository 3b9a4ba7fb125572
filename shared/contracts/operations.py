"""What every service answers to an operator: its dead letters. Asked of one service by name."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import (
    MAX_EXACT_INTEGER,
    Contract,
    Done,
    PageLimit,
    Reply,
    Request,
    Text,
)

LetterId = Annotated[int, Meta(ge=1, le=MAX_EXACT_INTEGER)]
LetterIds = Annotated[tuple[LetterId, ...], Meta(min_length=1, max_length=200)]
DeadLetterState = Literal["parked", "replaying", "replayed", "discarded"]


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


class DiscardDeadLetters(Request[Done], frozen=True, kw_only=True):
    """Give letters up for good, with a reason that stays on record."""

    letter_ids: LetterIds
    discard_reason: Text

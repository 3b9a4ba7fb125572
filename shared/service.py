"""Service: what a service hears, answers and does by itself, in one place."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import MetaData

from shared import dead_letters, parked_steps
from shared.bus import Asks
from shared.consumers import BatchHandler, EventHandler, Splitter, each_event
from shared.contracts.base import Event, Request, event_subject, owner_of, request_subject
from shared.contracts.operations import (
    DiscardDeadLetters,
    ListDeadLetters,
    ListParkedSteps,
    ReplayDeadLetters,
    ResumeParkedSteps,
    ShowDeadLetter,
    ShowParkedStep,
)
from shared.database import Database, Db
from shared.requests import RequestHandler
from shared.settings import ServiceSettings
from shared.steps import AnsweringStep, Step
from shared.topology import Durable, durable

Job = Callable[[Db], Awaitable[Sequence[Event]]]
NextDue = Callable[[Db], Awaitable[datetime | None]]
Opened = Callable[[Database, Any], AbstractAsyncContextManager[None]]

# Facts handled in one transaction; a batch of the hot loop has this many bytes.
HEARD_MESSAGES = 100
BATCH_BYTES = 1024 * 1024

E = TypeVar("E", bound=Event)
H = TypeVar("H", bound=Callable[..., Any])


class Intake(NamedTuple):
    """Messages that a service takes from one durable; `kind` is the fact, if it hears facts."""

    durable: Durable
    handler: BatchHandler
    kind: type[Event] | None
    split: Splitter | None
    max_messages: int
    max_bytes: int
    # Batches that one process works on at once.
    at_once: int


class Answered(NamedTuple):
    """A request this service answers."""

    kind: type[Request[Any]]
    handler: RequestHandler
    writes: bool


class Periodic(NamedTuple):
    """Work that is due every so often; one replica does it at a time."""

    name: str
    seconds: float
    job: Job


class Service:
    """A service as its `app.py` declares it.

    A handler reads from `store`, asks `rules`, writes with `store`, and returns facts. It never
    commits, publishes or catches; the runtime wraps each one the same way.
    """

    def __init__(
        self,
        name: str,
        metadata: MetaData,
        versions: Path,
        settings: type[ServiceSettings] = ServiceSettings,
    ) -> None:
        self.name = name
        self.settings = settings
        self.metadata = metadata
        self.versions = versions
        self.intakes: list[Intake] = []
        self.answered: list[Answered] = []
        self.periodic: list[Periodic] = []
        self.dues: list[NextDue] = []
        self.steps: list[Step[Any, Any]] = []
        self.opened: list[Opened] = []
        self.asks = Asks(name)
        self._answer_operations()

    def hears(self, kind: type[E]) -> Callable[[EventHandler[E]], EventHandler[E]]:
        """Handle a fact, exactly once by its message id, in one transaction with what it causes."""

        def register(handler: EventHandler[E]) -> EventHandler[E]:
            consumer = durable(self.name, "EVENTS", event_subject(kind))
            heard = each_event(consumer.name, kind, handler)
            self.intakes.append(
                Intake(consumer, heard, kind, None, HEARD_MESSAGES, BATCH_BYTES, at_once=1)
            )
            return handler

        return register

    def takes(
        self,
        subject: str,
        stream: str,
        *,
        split: Splitter | None = None,
        max_messages: int = 500,
        max_bytes: int = BATCH_BYTES,
    ) -> Callable[[BatchHandler], BatchHandler]:
        """Handle many messages at once in one transaction; duplicates are the handler's to drop.

        `split` cuts a message into parts that can stand alone, so that a bad part is parked alone.
        """

        def register(handler: BatchHandler) -> BatchHandler:
            consumer = durable(self.name, stream, subject)
            # Two, so that one is computed while the other is committed.
            self.intakes.append(
                Intake(consumer, handler, None, split, max_messages, max_bytes, at_once=2)
            )
            return handler

        return register

    def answers(self, kind: type[Request[Any]], *, writes: bool = False) -> Callable[[H], H]:
        """Answer a request with a Reply or a Refusal; one that `writes` runs in a transaction,
        may return `(reply, events)`, and honours the caller's idempotency key.
        """

        def register(handler: H) -> H:
            if owner_of(kind) not in {self.name, owner_of(ListDeadLetters)}:
                raise ValueError(f"{kind.__name__} is {owner_of(kind)}'s to answer")
            if kind in self._kinds_answered():
                raise ValueError(f"{kind.__name__} is answered twice")
            self.answered.append(Answered(kind, handler, writes))
            return handler

        return register

    def every(self, seconds: float, name: str) -> Callable[[Job], Job]:
        """Do something again and again; it must be idempotent, for two replicas may both try."""

        def register(job: Job) -> Job:
            self.periodic.append(Periodic(name, seconds, job))
            return job

        return register

    def due(self, next_due: NextDue) -> NextDue:
        """Say when the next thing falls due that one of the jobs does, None for never.

        Jobs look by themselves; this is for the time machine, which stops there. A moment that
        has passed means that the jobs have more to do, and they are done until it has gone.
        """
        self.dues.append(next_due)
        return next_due

    def step(self, step: Step[Any, Any]) -> None:
        """Carry out steps of this kind; an AnsweringStep answers its request, too."""
        self.steps.append(step)

    @property
    def answering_steps(self) -> list[AnsweringStep[Any, Any, Any]]:
        """The steps that requests begin."""
        return [step for step in self.steps if isinstance(step, AnsweringStep)]

    def opens(self, opened: Opened) -> Opened:
        """Enter this with the database and the service's own settings before anything is handled,
        and leave it after the last.
        """
        self.opened.append(opened)
        return opened

    @property
    def durables(self) -> tuple[Durable, ...]:
        """The consumers this service needs on the bus."""
        return tuple(each.durable for each in self.intakes)

    def describe(self) -> dict[str, list[str]]:
        """The subjects that it hears and answers, for documents and tests."""
        return {
            "hears": [each.subject for each in self.durables],
            "answers": [request_subject(kind, self.name) for kind in self._kinds_answered()],
        }

    def _kinds_answered(self) -> list[type[Request[Any]]]:
        stepped = [step.request for step in self.answering_steps]
        return [*(each.kind for each in self.answered), *stepped]

    def _answer_operations(self) -> None:
        self.answers(ListDeadLetters)(dead_letters.list_letters)
        self.answers(ShowDeadLetter)(dead_letters.show_letter)
        self.answers(ReplayDeadLetters, writes=True)(dead_letters.replay_letters)
        self.answers(DiscardDeadLetters, writes=True)(dead_letters.discard_letters)
        self.answers(ListParkedSteps)(parked_steps.list_steps)
        self.answers(ShowParkedStep)(parked_steps.show_step)
        self.answers(ResumeParkedSteps, writes=True)(parked_steps.resume_steps)

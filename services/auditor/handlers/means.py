"""What handlers work with while the process runs: settings, owners to ask, the stream of facts."""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

from nats.js.errors import NotFoundError
from prometheus_client import Counter

from services.auditor.rules.checks import CHECKS
from services.auditor.rules.forms import Pipe
from services.auditor.settings import AuditorSettings
from shared.bus import AnswerFailed, AnswerTimedOut, Asks, NoAnswerer
from shared.contracts.base import Refusal, Reply, Request, event_subject
from shared.contracts.operations import ListControlRows
from shared.database import Database
from shared.topology import EVENTS, durable

logger = logging.getLogger(__name__)

ASKING_SECONDS = 5.0
# Rows of one book that are laid beside another's; of more, the first are.
MOST_ROWS = 20_000
# Whoever has nothing left to hear has heard everything.
ALL = 2**62

unanswered = Counter(
    "billing_auditor_unanswered_total", "Questions that an owner did not answer", ["owner"]
)
PIPES = frozenset(pipe for check in CHECKS for pipe in check.pipes)

R = TypeVar("R", bound=Reply)


class Means:
    """Opened before anything is handled."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._settings: AuditorSettings | None = None

    @property
    def settings(self) -> AuditorSettings:
        """How often to look, and how patiently."""
        if self._settings is None:
            raise RuntimeError("the auditor is not running")
        return self._settings

    @asynccontextmanager
    async def open(self, _database: Database, settings: AuditorSettings) -> AsyncIterator[None]:
        """Read the settings."""
        self._settings = settings
        yield

    async def ask(self, owner: str, request: Request[R]) -> R | None:
        """What an owner says; None when it gives no answer now, or says no."""
        try:
            answer = await self._asks.bus.ask(
                request, owner=owner, principal=self._asks.principal, timeout_seconds=ASKING_SECONDS
            )
        except (NoAnswerer, AnswerTimedOut, AnswerFailed) as error:
            unanswered.labels(owner).inc()
            logger.warning("no answer", extra={"fields": {"owner": owner, "error": str(error)}})
            return None
        if isinstance(answer, Refusal):
            unanswered.labels(owner).inc()
            logger.warning("refused", extra={"fields": {"owner": owner, "code": answer.code}})
            return None
        return answer

    async def read_book(
        self, name: str, organization_id: str, until: datetime
    ) -> dict[str, int] | None:
        """The rows of `owner.book`, by key; None when they cannot be had."""
        owner, _, book = name.partition(".")
        rows: dict[str, int] = {}
        after: str | None = ""
        while after is not None and len(rows) < MOST_ROWS:
            request = ListControlRows(
                organization_id=organization_id, book=book, after=after, until=until
            )
            page = await self.ask(owner, request)
            if page is None:
                return None
            rows |= {row.key: row.amount for row in page.rows}
            after = page.next_after
        return rows

    async def stream_end(self) -> int:
        """Where the stream of facts ends now."""
        js = self._asks.bus.connection.jetstream()
        return (await js.stream_info(EVENTS.name or "")).state.last_seq

    async def heard(self, pipes: Iterable[Pipe] = PIPES) -> Mapping[Pipe, int]:
        """Up to where in the stream each pipe's consumer has worked."""
        js = self._asks.bus.connection.jetstream()
        found: dict[Pipe, int] = {}
        for pipe in pipes:
            name = durable(pipe.consumer, EVENTS.name or "", event_subject(pipe.fact)).name
            try:
                info: Any = await js.consumer_info(EVENTS.name or "", name)
            except NotFoundError:
                continue  # nobody hears it yet, so nothing can be said of it
            waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
            found[pipe] = info.ack_floor.stream_seq if waiting else ALL
        return found

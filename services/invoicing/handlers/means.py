"""What handlers work with while the process runs: this installation's settings, and the bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.invoicing.rules.taxes import TaxRates, rate_of_account
from services.invoicing.settings import InvoicingSettings
from shared.bus import AnswerFailed, Bus
from shared.contracts.base import Refusal, Reply, Request
from shared.database import Database
from shared.settings import ServiceSettings

ASKING_SECONDS = 20.0

R = TypeVar("R", bound=Reply)


class NotKnownYet(Exception):
    """The outcome of a call is not known: it is asked for again a little later."""


class Means:
    """Opened before anything is handled. Several replicas in one process share the last bus."""

    def __init__(self, tax_rates: TaxRates = rate_of_account) -> None:
        self.tax_rates = tax_rates
        self._settings: InvoicingSettings | None = None
        self._buses: list[Bus] = []
        self._databases: list[Database] = []

    @property
    def settings(self) -> InvoicingSettings:
        """How long until an invoice is due, and what else an installation chooses."""
        if self._settings is None:
            raise RuntimeError("invoicing is not running")
        return self._settings

    @property
    def database(self) -> Database:
        """For a step that waits for what another one writes down."""
        return self._databases[-1]

    @asynccontextmanager
    async def open(self, database: Database, settings: ServiceSettings) -> AsyncIterator[None]:
        """Connect to the bus, to ask account and stripe_gateway."""
        # Where a test runs the service with bare settings, these are the defaults.
        self._settings = (
            settings
            if isinstance(settings, InvoicingSettings)
            else InvoicingSettings(database_url=settings.database_url)
        )
        bus = await Bus.connect(settings, "invoicing")
        self._buses.append(bus)
        self._databases.append(database)
        try:
            yield
        finally:
            self._buses.remove(bus)
            self._databases.remove(database)
            await bus.close()

    async def ask(self, request: Request[R], key: str) -> R | Refusal:
        """Ask another service, once for a key; raises when the outcome is not known."""
        answer = await self._buses[-1].ask(
            request,
            principal="invoicing",
            idempotency_key=key,
            timeout_seconds=ASKING_SECONDS,
        )
        if isinstance(answer, Refusal) and answer.passes:
            raise AnswerFailed(answer.code)
        return answer

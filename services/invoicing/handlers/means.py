"""What handlers work with while the process runs: this installation's settings, whom to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.invoicing.rules.taxes import TaxRates, rate_of_account
from services.invoicing.settings import InvoicingSettings
from shared.bus import Asks
from shared.contracts.base import Refusal, Reply, Request
from shared.database import Database

R = TypeVar("R", bound=Reply)


class NotKnownYet(Exception):
    """The outcome of a call is not known: it is asked for again a little later."""


class Means:
    """Opened before anything is handled. Replicas in one process share the last database."""

    def __init__(self, asks: Asks, tax_rates: TaxRates = rate_of_account) -> None:
        self._asks = asks
        self.tax_rates = tax_rates
        self._settings: InvoicingSettings | None = None
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
    async def open(self, database: Database, settings: InvoicingSettings) -> AsyncIterator[None]:
        """Keep both for the handlers."""
        self._settings = settings
        self._databases.append(database)
        try:
            yield
        finally:
            self._databases.remove(database)

    async def ask(self, request: Request[R], key: str) -> R | Refusal:
        """Ask another service, once for a key; raises when the outcome is not known."""
        return await self._asks.settled(request, key)

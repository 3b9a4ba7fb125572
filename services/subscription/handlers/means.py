"""What handlers work with while the process runs: this installation's terms, and the bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.subscription.rules.entitlements import Standing, Terms
from services.subscription.settings import SubscriptionSettings
from services.subscription.store.organizations import get_organization, lock_organization
from services.subscription.store.subscriptions import find_live
from shared.bus import AnswerFailed, Bus, NoAnswerer
from shared.contracts.account import GetAccount
from shared.contracts.base import Refusal, Reply, Request
from shared.database import Database, Db
from shared.settings import ServiceSettings

ASKING_SECONDS = 20.0
# Within the patience of who asks whether a workflow may run.
LOOKING_SECONDS = 2.0

R = TypeVar("R", bound=Reply)


class Means:
    """Opened before anything is handled. Several replicas in one process share the last bus."""

    def __init__(self, terms: Terms | None = None) -> None:
        self._terms = terms
        self._buses: list[Bus] = []

    @property
    def terms(self) -> Terms:
        """The catalogue, the price of a workflow, the grace."""
        if self._terms is None:
            raise RuntimeError("subscription is not running")
        return self._terms

    @asynccontextmanager
    async def open(self, _database: Database, settings: ServiceSettings) -> AsyncIterator[None]:
        """Read the catalogue and connect to the bus, to ask account and stripe_gateway."""
        if not isinstance(settings, SubscriptionSettings):
            raise TypeError("subscription needs its own settings")
        self._terms = Terms(
            catalogue=settings.catalogue,
            workflow_price_cents=settings.workflow_price_cents,
            grace=settings.grace,
        )
        bus = await Bus.connect(settings, "subscription")
        self._buses.append(bus)
        try:
            yield
        finally:
            self._buses.remove(bus)
            await bus.close()

    async def ask(self, request: Request[R], key: str) -> R | Refusal:
        """Ask another service, once for a key; raises when the outcome is not known."""
        answer = await self._buses[-1].ask(
            request,
            principal="subscription",
            idempotency_key=key,
            timeout_seconds=ASKING_SECONDS,
        )
        if isinstance(answer, Refusal) and answer.passes:
            raise AnswerFailed(answer.code)
        return answer

    async def spendable_cents(self, organization_id: str) -> int:
        """The credits that nothing holds, as account has them now.

        Raises NoAnswerer or AnswerTimedOut when it does not say.
        """
        answer = await self._buses[-1].ask(
            GetAccount(organization_id=organization_id),
            principal="subscription",
            timeout_seconds=LOOKING_SECONDS,
        )
        if isinstance(answer, Refusal):
            raise NoAnswerer(f"account refuses: {answer.code}")
        return answer.credit_balance_cents

    async def standing(self, db: Db, organization_id: str) -> Standing:
        """How an organization stands, to be read."""
        return Standing(
            terms=self.terms,
            organization=await get_organization(db, organization_id),
            live=await find_live(db, organization_id),
            at=db.now,
        )

    async def locked_standing(self, db: Db, organization_id: str) -> Standing:
        """How an organization stands, held until the transaction ends."""
        organization = await lock_organization(db, organization_id)
        live = await find_live(db, organization_id)
        return Standing(terms=self.terms, organization=organization, live=live, at=db.now)

"""What handlers work with while the process runs: this installation's terms, whom to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.subscription.rules.entitlements import Standing, Terms
from services.subscription.settings import SubscriptionSettings
from services.subscription.store.organizations import get_organization, lock_organization
from services.subscription.store.subscriptions import find_live
from shared.bus import Asks, NoAnswerer
from shared.clock import Clock, SystemClock
from shared.contracts.account import GetAccount
from shared.contracts.base import Refusal, Reply, Request
from shared.database import Database, Db

# Within the patience of who asks whether a workflow may run.
LOOKING_SECONDS = 2.0

R = TypeVar("R", bound=Reply)


class Means:
    """Opened before anything is handled."""

    def __init__(self, asks: Asks, terms: Terms | None = None) -> None:
        self._asks = asks
        self._terms = terms
        self.clock: Clock = SystemClock()

    @property
    def terms(self) -> Terms:
        """The catalogue, the price of a workflow, the grace."""
        if self._terms is None:
            raise RuntimeError("subscription is not running")
        return self._terms

    @asynccontextmanager
    async def open(self, database: Database, settings: SubscriptionSettings) -> AsyncIterator[None]:
        """Read the catalogue."""
        self.clock = database.clock
        self._terms = Terms(
            catalogue=settings.catalogue,
            workflow_price_cents=settings.workflow_price_cents,
            grace=settings.grace,
        )
        yield

    async def ask(self, request: Request[R], key: str) -> R | Refusal:
        """Ask another service, once for a key; raises when the outcome is not known."""
        return await self._asks.settled(request, key)

    async def spendable_cents(self, organization_id: str) -> int:
        """The credits that nothing holds, as account has them now.

        Raises NoAnswerer or AnswerTimedOut when it does not say.
        """
        answer = await self._asks.bus.ask(
            GetAccount(organization_id=organization_id),
            principal=self._asks.principal,
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

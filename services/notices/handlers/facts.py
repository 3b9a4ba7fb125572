"""Facts of others: some are notices as they are, some only in comparison with what was before."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from services.notices.handlers.raising import Raising
from services.notices.rules import cards, plans, wording
from services.notices.rules.wording import Draft
from services.notices.store.organizations import lock_organization, save_organization
from services.notices.tables import OrganizationRow
from shared.contracts.account import AccountChanged
from shared.contracts.base import Event
from shared.contracts.invoicing import AccountReinstated, AccountSuspended
from shared.contracts.stripe_gateway import PaymentMethodsChanged
from shared.contracts.subscription import PlanChanged
from shared.database import Db

E = TypeVar("E", bound=Event)


class Facts:
    """Hears what others say."""

    def __init__(self, raising: Raising) -> None:
        self._raising = raising

    def say(
        self, word: Callable[[E], Draft | None]
    ) -> Callable[[E, Db], Awaitable[Sequence[Event]]]:
        """A handler of facts that are a notice as they are."""

        async def say(fact: E, db: Db) -> Sequence[Event]:
            # Locked, so that an address that comes meanwhile finds the notice, or the notice it.
            organization = await lock_organization(db, fact.organization_id)
            return await self._raising.say(db, organization, word(fact))

        return say

    async def follow_account(self, fact: AccountChanged, db: Db) -> Sequence[Event]:
        """Who is written to, and what they are called."""
        row = await lock_organization(db, fact.organization_id)
        if fact.version <= row.account_version:
            return ()
        known = msgspec.structs.replace(
            row,
            account_version=fact.version,
            billing_email=fact.billing_email,
            buyer_name=fact.buyer.name,
        )
        await save_organization(db, known)
        if known.billing_email != row.billing_email:
            await self._raising.mail_unmailed(db, known)
        return ()

    async def follow_methods(self, fact: PaymentMethodsChanged, db: Db) -> Sequence[Event]:
        """Which card is charged, and until when it can be."""
        row = await lock_organization(db, fact.organization_id)
        if fact.version > row.methods_version:
            await save_organization(db, cards.follow_methods(row, fact, db.now))
        return ()

    async def follow_plan(self, fact: PlanChanged, db: Db) -> Sequence[Event]:
        """The plan as it stands, and what that changes for the customer."""
        row = await lock_organization(db, fact.organization_id)
        if fact.version <= row.plan_version:
            return ()
        known = plans.follow_plan(row, fact, db.now)
        await save_organization(db, known)
        said = await self._raising.say(db, known, plans.plan_changed(row, fact))
        return [*said, *await self._say_suspension(db, row, known, f"plan:{fact.version}")]

    async def suspend(self, fact: AccountSuspended, db: Db) -> Sequence[Event]:
        """Dunning is exhausted."""
        return await self._follow_dunning(db, fact.organization_id, fact.version, suspended=True)

    async def reinstate(self, fact: AccountReinstated, db: Db) -> Sequence[Event]:
        """What was overdue is paid."""
        return await self._follow_dunning(db, fact.organization_id, fact.version, suspended=False)

    async def _follow_dunning(
        self, db: Db, organization_id: str, version: int, *, suspended: bool
    ) -> Sequence[Event]:
        row = await lock_organization(db, organization_id)
        if version <= row.dunning_version:
            return ()
        known = msgspec.structs.replace(row, dunning_version=version, dunning_suspended=suspended)
        await save_organization(db, known)
        return await self._say_suspension(db, row, known, f"dunning:{version}")

    async def _say_suspension(
        self, db: Db, before: OrganizationRow, after: OrganizationRow, reference: str
    ) -> Sequence[Event]:
        """Once, whether the plan or an invoice is the reason, or first the one and then both."""
        if before.suspended == after.suspended:
            return ()
        word = wording.suspended if after.suspended else wording.reinstated
        return await self._raising.say(db, after, word(reference))

"""Rounds: who is due is looked at, page by page; suspicions are looked at again sooner."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
from prometheus_client import Gauge

from services.auditor.handlers.looking import Asked, Look, LookState
from services.auditor.handlers.means import Means
from services.auditor.rules.judging import cut_of
from services.auditor.store import findings, rounds, suspicions, watches
from shared.clock import new_id
from shared.contracts.base import Event
from shared.contracts.operations import ListOrganizations
from shared.database import Db
from shared.steps import Step, prepare_step

# Organizations of one look, and those that changed and come into one round at most.
PAGE = 50
MOST_CHANGED = 2_000
MOST_SUSPICIONS = 500
# Who is killed in a second look leaves it to others after this long.
SUSPICION_LEASE = timedelta(seconds=60)
# Whose lists of organizations are read, for those that nothing was heard of.
LISTED = ("account", "cost_metering")
LISTED_AT_ONCE = 1_000

round_age = Gauge("billing_auditor_round_age_seconds", "Since the last finished round")
open_findings = Gauge("billing_auditor_findings", "Findings that nobody has decided on")
parked = Gauge("billing_auditor_parked_accounts", "Accounts that are parked")


class Rounds:
    """Begins rounds when they are due."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def begin(self, db: Db) -> Sequence[Event]:
        """Look again at what is suspected; begin a round if the last one began long enough ago."""
        await self._look_again(db)
        settings = self._means.settings
        last = await rounds.get_round(db)
        if last.is_over(db.now, settings.every):
            due = await watches.list_due(db, MOST_CHANGED, settings.audit_sweep)
            pages = [due[at : at + PAGE] for at in range(0, len(due), PAGE)]
            await rounds.begin_round(db, last.number + 1, len(pages))
            for page in pages:
                await self._look(db, last.number + 1, page)
            for owner in LISTED:
                state = DiscoverState(owner, await watches.get_bookmark(db, owner))
                await prepare_step(db, Discover, f"discover:{owner}:{new_id()}", state)
        round_age.set(last.age(db.now).total_seconds())
        found, stopped = await findings.count_open(db)
        open_findings.set(found)
        parked.set(stopped)
        return ()

    async def _look(self, db: Db, number: int, page: Sequence[Any]) -> None:
        until = db.now - self._means.settings.settle
        asked = [
            Asked(
                row["organization_id"],
                cut_of(until, row["records"], row["sliced_to"], recent=number % 2 == 0),
            )
            for row in page
        ]
        await prepare_step(db, Look, f"look:{new_id()}", LookState(asked, number))

    async def _look_again(self, db: Db) -> None:
        taken = await suspicions.take_suspicions(db, SUSPICION_LEASE, MOST_SUSPICIONS)
        for at in range(0, len(taken), PAGE):
            page = [
                Asked(each.organization_id, each.cut, before=each) for each in taken[at : at + PAGE]
            ]
            await prepare_step(db, Look, f"look:{new_id()}", LookState(page))


class DiscoverState(msgspec.Struct, frozen=True):
    """Whose list to read, and after which organization."""

    owner: str
    after: str


class Discover(Step[DiscoverState, list[str] | None]):
    """Reads a page of an owner's organizations, so that none is missed that was never heard of."""

    kind: ClassVar[str] = "discover"
    state = DiscoverState

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: DiscoverState) -> list[str] | None:  # noqa: ARG002
        """Ask the owner."""
        request = ListOrganizations(after=state.after, limit=LISTED_AT_ONCE)
        answer = await self._means.ask(state.owner, request)
        return None if answer is None else list(answer.organization_ids)

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: DiscoverState,
        outcome: list[str] | None,
        db: Db,
    ) -> Sequence[Event]:
        """Watch them; at the end of the list begin anew."""
        if outcome is not None:
            await watches.add_watches(db, outcome)
            is_last = len(outcome) < LISTED_AT_ONCE
            await watches.set_bookmark(db, state.owner, "" if is_last else outcome[-1])
        return ()

"""The monthly close: usage of the month is frozen in batches, and finished by steps that resume."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from asyncpg import QueryCanceledError

from services.invoicing.handlers.drafting import Frozen, freeze
from services.invoicing.handlers.generating import Closing, burning
from services.invoicing.handlers.issuing import issue
from services.invoicing.handlers.means import Means
from services.invoicing.rules import invoices as rules
from services.invoicing.rules.profiles import CLOSES_AFTER, next_close
from services.invoicing.store import closing as store
from services.invoicing.store import drafts
from services.invoicing.store.invoices import get_invoices
from services.invoicing.store.profiles import lock_profiles
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.bus import AnswerFailed
from shared.clock import new_id
from shared.contracts.account import AppliedCredits, ApplyManyCredits
from shared.contracts.base import Event, Refusal
from shared.database import Db
from shared.failpoints import failpoint
from shared.steps import Step, prepare_step

# Months closed in one transaction; invoices finished in one step, for which account keeps as many
# accounts locked at a time, so that nobody else waits for long.
CLOSED_AT_ONCE = 250
FINISHED_AT_ONCE = 25
# Ids of holds in one request: some 250 KiB of a message's 1 MiB.
HOLDS_AT_ONCE = 2000
# A draft that is not final after this long is taken up by a step of its own.
LEFT_AFTER = timedelta(minutes=5)


class Finishing(msgspec.Struct, frozen=True):
    """Drafts of different organizations."""

    drafts: tuple[Closing, ...]


class FinishesInvoices(Step[Finishing, tuple[AppliedCredits, ...]]):
    """Makes drafts final together. One that fails by itself holds none of the others up for long:
    each that is left after a while gets a step of its own.
    """

    kind: ClassVar[str] = "finish_invoices"
    state = Finishing

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Finishing) -> tuple[AppliedCredits, ...]:
        """Burn credits, once for each draft."""
        request = ApplyManyCredits(applications=tuple(burning(each) for each in state.drafts))
        answer = await self._means.ask(request, step_id)
        if isinstance(answer, Refusal):
            raise AnswerFailed(answer.code)
        return answer.results

    async def conclude(
        self, step_id: str, state: Finishing, outcome: tuple[AppliedCredits, ...], db: Db
    ) -> Sequence[Event]:
        """Finish those that nobody else has finished; a parked one waits for its release."""
        burned = {
            each.organization_id: each.balance.total_cents
            for each in outcome
            if each.balance is not None
        }
        profiles = await lock_profiles(db, sorted(burned))
        ids = {each.organization_id: each.invoice_id for each in state.drafts}
        unfinished = {
            each: row
            for each, row in (await get_invoices(db, ids)).items()
            if row.status == "draft" and each in burned and profiles[each].parked_reason is None
        }
        issued = await issue(self._means, db, profiles, unfinished, burned)
        failpoint("invoicing.finished")
        return issued.events


class MonthlyClose:
    """Closes months on the 1st, 01:00 UTC; late or twice, the same usage is taken."""

    def __init__(self, means: Means) -> None:
        self._means = means
        # Fewer after a statement that took too long, so that the busiest hold nobody up.
        self._at_once = CLOSED_AT_ONCE

    async def close(self, db: Db) -> Sequence[Event]:
        """Freeze the month of as many organizations as one transaction may."""
        profiles = await store.lock_due_profiles(db, self._at_once)
        if profiles:
            cuts = {each: _cut(profile) for each, profile in profiles.items()}
            frozen = await self._freeze(db, profiles, cuts)
            closings = await _closings(db, list(frozen.drafts.values()))
            for some in _portions(closings):
                step_id = f"finish_invoices:{new_id()}"
                await prepare_step(db, FinishesInvoices, step_id, Finishing(some))
            # Who has more than one invoice may take is closed again when that one is final.
            full = await drafts.list_with_more(db, {each: cuts[each] for each in frozen.drafts})
            closed = {
                each: next_close(profile.next_close_at)
                for each, profile in profiles.items()
                if each not in full
            }
            await store.set_next_closes(db, closed)
            failpoint("invoicing.frozen")
        return ()

    async def _freeze(
        self, db: Db, profiles: dict[str, ProfileRow], cuts: dict[str, rules.Cut]
    ) -> Frozen:
        try:
            frozen = await freeze(self._means, db, profiles, cuts)
        except QueryCanceledError:
            self._at_once = max(1, self._at_once // 2)
            raise
        self._at_once = min(CLOSED_AT_ONCE, self._at_once * 2)
        return frozen

    async def finish_left(self, db: Db) -> Sequence[Event]:
        """Take up drafts that were left, each by itself, once an hour."""
        left = await store.list_left_drafts(db, db.now - LEFT_AFTER, FINISHED_AT_ONCE)
        for draft in left:
            step_id = f"finish_invoices:{draft.invoice_id}:{db.now:%Y%m%d%H}"
            (one,) = await _closings(db, [draft])
            await prepare_step(db, FinishesInvoices, step_id, Finishing((one,)))
        return ()

    async def next_due(self, db: Db) -> datetime | None:
        """When the next month is to be closed."""
        return await store.find_next_close(db)


def _cut(profile: ProfileRow) -> rules.Cut:
    """All of the month, as far as it was known when it was to be closed."""
    return rules.Cut(profile.next_close_at - CLOSES_AFTER, profile.next_close_at)


async def _closings(db: Db, rows: Sequence[InvoiceRow]) -> list[Closing]:
    holds = await drafts.list_holds(db, {row.organization_id: row.invoice_id for row in rows})
    return [
        Closing(
            row.organization_id,
            row.invoice_id,
            row.total_cents,
            holds.get(row.organization_id, ()),
        )
        for row in rows
    ]


def _portions(closings: Sequence[Closing]) -> list[tuple[Closing, ...]]:
    """As many in one step as one request may ask for."""
    portions: list[tuple[Closing, ...]] = []
    some: list[Closing] = []
    held = 0
    for each in closings:
        full = len(some) == FINISHED_AT_ONCE or held + len(each.hold_ids) > HOLDS_AT_ONCE
        if some and full:
            portions.append(tuple(some))
            some, held = [], 0
        some.append(each)
        held += len(each.hold_ids)
    return [*portions, tuple(some)] if some else portions

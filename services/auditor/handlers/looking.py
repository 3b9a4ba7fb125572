"""A look at some organizations: ask every owner, compare, and look again before judging."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
from prometheus_client import Counter

from services.auditor.handlers.means import MOST_ROWS, Means
from services.auditor.handlers.verdicts import Verdict, keep_verdict
from services.auditor.rules.checks import BY_NAME, OWNERS
from services.auditor.rules.forms import Pipe
from services.auditor.rules.judging import (
    Cut,
    Evidence,
    Failures,
    Suspicion,
    confirmed,
    differences,
    evidence_of,
    failures,
    is_all_told,
)
from services.auditor.store import rounds, suspicions, watches
from shared.contracts.base import Event
from shared.contracts.cost_metering import GetControlTotals
from shared.contracts.invoicing import GetInvoicingTotals
from shared.contracts.subscription import GetWorkflowTotals
from shared.database import Db
from shared.failpoints import failpoint
from shared.steps import Step

# Organizations that one look asks about at a time.
AT_ONCE = 8
# Rows that a finding keeps of those that differ.
KEPT_ROWS = 50

looks_total = Counter("billing_auditor_looks_total", "Organizations that were looked at")
rounds_total = Counter("billing_auditor_rounds_total", "Rounds of the auditor that were finished")


class Asked(msgspec.Struct, frozen=True):
    """An organization to look at, and what it was suspected of at the look before."""

    organization_id: str
    cut: Cut
    before: Suspicion | None = None


class LookState(msgspec.Struct, frozen=True):
    """Organizations to look at; second looks belong to no round."""

    asked: list[Asked]
    round: int | None = None


class Seen(msgspec.Struct, frozen=True):
    """What the owners said of one organization, and what does not agree."""

    asked: Asked
    totals: dict[str, dict[str, int]]
    failures: Failures
    confirmed: dict[str, Evidence]


class Outcome(msgspec.Struct, frozen=True):
    """All that was seen, and where the stream of facts ended after that."""

    seen: list[Seen]
    stream_end: int


class Look(Step[LookState, Outcome]):
    """Looks at a page of organizations; done twice, it finds the same."""

    kind: ClassVar[str] = "look"
    state = LookState

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: LookState) -> Outcome:  # noqa: ARG002 -- its form
        """Ask the owners; whoever does not answer once is not asked again in this look."""
        # Before the sums: whatever was heard up to here is in them.
        heard = await self._means.heard() if any(each.before for each in state.asked) else {}
        away: set[str] = set()
        free = asyncio.Semaphore(AT_ONCE)

        async def look(asked: Asked) -> Seen:
            async with free:
                return await self._look(asked, heard, away)

        seen = await asyncio.gather(*(look(each) for each in state.asked))
        failpoint("auditor.looked")
        return Outcome(list(seen), await self._means.stream_end())

    async def _look(self, asked: Asked, heard: Mapping[Pipe, int], away: set[str]) -> Seen:
        totals = {}
        for owner in OWNERS:
            said = None if owner in away else await self._totals(owner, asked)
            if said is None:
                away.add(owner)
            else:
                totals[owner] = said
        found = failures(totals)
        sure = confirmed(asked.before, found, heard)
        evidence = {name: await self._explain(name, totals, asked) for name in sure}
        return Seen(asked, totals, found, evidence)

    async def _totals(self, owner: str, asked: Asked) -> dict[str, int] | None:
        request = OWNERS[owner].request(organization_id=asked.organization_id)
        if isinstance(request, GetControlTotals):
            hours = {"first_hour": asked.cut.first_hour, "end_hour": asked.cut.end_hour}
            request = msgspec.structs.replace(request, **hours)
        elif isinstance(request, GetWorkflowTotals | GetInvoicingTotals):
            request = msgspec.structs.replace(request, until=asked.cut.until)
        answer = await self._means.ask(owner, request)
        return None if answer is None else msgspec.structs.asdict(answer)

    async def _explain(
        self, name: str, totals: Mapping[str, Mapping[str, int]], asked: Asked
    ) -> Evidence:
        evidence = evidence_of(name, totals, asked.cut)
        check = BY_NAME[name]
        if check.left_rows is None:
            return evidence
        left = await self._means.read_book(check.left_rows, asked.organization_id, asked.cut.until)
        right = None
        if check.right_rows is not None:
            right = await self._means.read_book(
                check.right_rows, asked.organization_id, asked.cut.until
            )
        if left is None or (check.right_rows is not None and right is None):
            return msgspec.structs.replace(evidence, rows_complete=False)
        rows, complete = differences(left, right, KEPT_ROWS)
        whole = complete and max(len(left), len(right or {})) < MOST_ROWS
        return msgspec.structs.replace(evidence, rows=rows, rows_complete=whole)

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: LookState,
        outcome: Outcome,
        db: Db,
    ) -> Sequence[Event]:
        """Write down what was seen: suspected now, or found because it is as it was before."""
        seen = sorted(outcome.seen, key=lambda each: each.asked.organization_id)
        await watches.lock_watches(db, [each.asked.organization_id for each in seen])
        events: list[Event] = []
        clean: list[str] = []
        for each in seen:
            verdict = Verdict(each.totals, each.failures, each.confirmed)
            events += await keep_verdict(db, each.asked.organization_id, verdict)
            open_ones = {k: v for k, v in each.failures.items() if k not in each.confirmed}
            if open_ones:
                await self._suspect(db, each, open_ones, outcome.stream_end)
            else:
                clean.append(each.asked.organization_id)
            await self._settle_watch(db, each)
        await suspicions.drop_suspicions(db, clean)
        looks_total.inc(len(seen))
        if state.round is not None and await rounds.end_look(db, state.round):
            db.after_commit(rounds_total.inc)
        return events

    async def _suspect(self, db: Db, seen: Seen, open_ones: Failures, stream_end: int) -> None:
        suspicion = Suspicion(
            organization_id=seen.asked.organization_id,
            failures=open_ones,
            cut=seen.asked.cut,
            barrier=stream_end if is_all_told(seen.totals, open_ones) else None,
        )
        await suspicions.set_suspicion(db, suspicion, db.now + self._means.settings.again)

    async def _settle_watch(self, db: Db, seen: Seen) -> None:
        costs = seen.totals.get("cost_metering")
        # Who gave no answer may know of something, so it stays due.
        until = seen.asked.cut.until if seen.totals.keys() == OWNERS.keys() else None
        await watches.set_looked(
            db,
            seen.asked.organization_id,
            until,
            None if costs is None else costs["announced_records"],
            seen.asked.cut.end_hour,
        )

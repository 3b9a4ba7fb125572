"""What agents tell: workflows that ended, and what is in use; each event counts once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.handlers.storage import tell_before_reading
from services.subscription.handlers.workflows import Workflows
from services.subscription.rules.coverage import Warned, thresholds_crossed
from services.subscription.rules.decoding import Bad, Told, read_events, split_envelope
from services.subscription.rules.entitlements import Standing
from services.subscription.rules.offers import BYTES_PER_GB
from services.subscription.store import usage as store
from services.subscription.store.workflows import find_workflows
from services.subscription.tables import WorkflowRow
from shared.bus import Message
from shared.consumers import Handled
from shared.contracts.base import Done, Event, Refusal, Reply
from shared.contracts.subscription import LimitReached, SetGauge
from shared.contracts.usage import MAX_AHEAD, GaugeRead, WorkflowEnded
from shared.database import Db
from shared.dead_letters import Parked

# No reading after it would count until its time has come.
TOO_FAR_AHEAD = Refusal(
    code="time_out_of_range", detail="Field `measured_at` lies too far ahead of now.", status=422
)

U = TypeVar("U", WorkflowEnded, GaugeRead)


def split(message: Message) -> Sequence[Message]:
    """An envelope as envelopes of one event each."""
    bodies = split_envelope(message.body)
    return [msgspec.structs.replace(message, body=body) for body in bodies]


class Usage:
    """Handlers of what agents publish."""

    def __init__(self, means: Means, workflows: Workflows) -> None:
        self._means = means
        self._workflows = workflows

    async def end_workflows(self, messages: Sequence[Message], db: Db) -> Handled:
        """Charge what completed, give back what failed."""
        events: list[Event] = []
        told, parked = _read(messages, WorkflowEnded, db.now)
        for organization_id in sorted(told):
            standing = await self._means.locked_standing(db, organization_id)
            new, conflicts = await _claim(db, organization_id, told[organization_id])
            parked += conflicts
            for each in new:
                done = await self._end(db, standing, each)
                if isinstance(done, Parked):
                    parked.append(done)
                else:
                    events += done
        return Handled(events, parked)

    async def _end(
        self, db: Db, standing: Standing, told: Told[WorkflowEnded]
    ) -> Sequence[Event] | Parked:
        event = told.event
        found = await find_workflows(db, told.organization_id, [event.workflow_id])
        row = found.get(event.workflow_id)
        if event.outcome == "completed":
            if row is None:
                return await self._workflows.complete_unknown(
                    db, standing, event.workflow_id, event.ticket_id, event.occurred_at
                )
            if event.ticket_id is not None:
                row = msgspec.structs.replace(row, ticket_id=row.ticket_id or event.ticket_id)
            _, events = await self._workflows.complete_row(db, standing, row, event.occurred_at)
            return events
        if row is None or _is_of_an_earlier_try(row, event.occurred_at):
            return ()
        if _contradicts(row, event.occurred_at):
            detail = f"Workflow {event.workflow_id} completed before; it stays charged."
            return _letter(told, "workflow_conflict", detail)
        _, events = await self._workflows.release_row(db, row, event.outcome, standing.at)
        return events

    async def read_gauges(self, messages: Sequence[Message], db: Db) -> Handled:
        """Write down what is in use; warn when a limit is near."""
        events: list[Event] = []
        told, parked = _read(messages, GaugeRead, db.now)
        for organization_id in sorted(told):
            standing = await self._means.locked_standing(db, organization_id)
            new, conflicts = await _claim(db, organization_id, told[organization_id])
            parked += conflicts
            for each in new:
                event = each.event
                events += await tell_before_reading(db, standing, event.gauge, event.occurred_at)
                await store.set_gauge(
                    db, organization_id, event.gauge, event.value, event.occurred_at
                )
            events += await warn_of_gauges(db, standing)
        return Handled(events, parked)

    async def set_gauge(self, request: SetGauge, db: Db) -> tuple[Reply, Sequence[Event]]:
        """The same from a platform that has no agent's credential."""
        if request.measured_at > db.now + MAX_AHEAD:
            return TOO_FAR_AHEAD, ()
        standing = await self._means.locked_standing(db, request.organization_id)
        told = await tell_before_reading(db, standing, request.gauge, request.measured_at)
        written = await store.set_gauge(
            db, request.organization_id, request.gauge, request.value, request.measured_at
        )
        events = [*told, *await warn_of_gauges(db, standing)]
        return Done(affected=int(written), at=db.now), events


def _contradicts(row: WorkflowRow, occurred_at: datetime) -> bool:
    """Whether a run is told to have failed after it completed; before, it was an earlier try."""
    return row.completed_at is not None and occurred_at > row.completed_at


def _is_of_an_earlier_try(row: WorkflowRow, occurred_at: datetime) -> bool:
    """Whether what failed is not what the run has reserved for now, but has let go before."""
    return row.attempt > 1 and occurred_at < row.reserved_at


async def warn_of_gauges(db: Db, standing: Standing) -> list[Event]:
    """Tell of limits that are nearly reached, once per period and threshold."""
    organization_id = standing.organization.organization_id
    gauges = await store.get_gauges(db, organization_id)
    plan, start = standing.plan, standing.counted.start
    events: list[Event] = []
    for name, resource, limit, unit in (
        ("agents_in_use", "agents", plan.agents_limit, 1),
        ("storage_bytes", "storage", plan.storage_limit_gb, BYTES_PER_GB),
    ):
        gauge = gauges.get(name)
        if gauge is None:
            continue
        warned = Warned(
            gauge.warned_percent if gauge.warned_period_start == start else 0,
            None if gauge.warned_limit is None else gauge.warned_limit * unit,
        )
        crossed = thresholds_crossed(gauge.value, limit * unit, warned)
        if not crossed:
            continue
        await store.set_gauge_warned(db, organization_id, name, Warned(crossed[-1], limit), start)
        events += [
            LimitReached(
                organization_id=organization_id,
                resource="agents" if resource == "agents" else "storage",
                threshold_percent=percent,
                used=-(-gauge.value // unit),
                limit=limit,
                period_start=start,
                reached_at=standing.at,
            )
            for percent in crossed
        ]
    return events


def _read(
    messages: Sequence[Message], kind: type[U], now: datetime
) -> tuple[dict[str, list[Told[U]]], list[Parked]]:
    told: dict[str, list[Told[U]]] = defaultdict(list)
    parked: list[Parked] = []
    for message in messages:
        for each in read_events(message.subject, message.body, kind, now):
            if isinstance(each, Bad):
                parked.append(
                    Parked(
                        subject=each.subject,
                        body=each.body,
                        reason=each.reason,
                        detail=each.detail,
                        organization_id=each.organization_id,
                    )
                )
            else:
                told[each.organization_id].append(each)
    return told, parked


async def _claim(
    db: Db, organization_id: str, told: Sequence[Told[U]]
) -> tuple[list[Told[U]], list[Parked]]:
    """Which events are new; the same id with other content is set aside."""
    first: dict[str, Told[U]] = {}
    conflicts: list[Parked] = []
    for each in told:
        known = first.setdefault(each.event.event_id, each)
        if known.content_hash != each.content_hash:
            conflicts.append(_conflict(each))
    ids = [(event_id, each.content_hash) for event_id, each in first.items()]
    new, before = await store.add_usage_events(db, organization_id, ids)
    conflicts += [
        _conflict(first[event_id])
        for event_id, content_hash in before.items()
        if content_hash != first[event_id].content_hash
    ]
    return [each for event_id, each in first.items() if event_id in new], conflicts


def _conflict(told: Told[U]) -> Parked:
    detail = f"Event {told.event.event_id} came before with other content; the first one counts."
    return _letter(told, "event_conflict", detail)


def _letter(told: Told[U], reason: str, detail: str) -> Parked:
    return Parked(
        subject=told.subject,
        body=told.body,
        reason=reason,
        detail=detail,
        organization_id=told.organization_id,
        event_id=told.event.event_id,
    )

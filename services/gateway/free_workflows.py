"""The two fields of an account that the subscription service counts."""

import logging
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from services.gateway.asks import Caller
from services.gateway.errors import ApiError, unavailable
from shared.contracts.subscription import GetUsageSummary

logger = logging.getLogger(__name__)

# A page about money does not wait for a counter.
PATIENCE_SECONDS = 2.0
# What was counted is told so long after: who counts is away, so little can have been used since.
TOLD_FOR = timedelta(hours=1)
# About 300 bytes each; who is forgotten is not known while nobody counts.
MAX_REMEMBERED = 10_000


class FreeWorkflows(msgspec.Struct, frozen=True, kw_only=True):
    """How many are left, and when there are all of them again."""

    remaining: int
    reset_at: datetime
    counted_at: datetime


class FreeWorkflowCounter:
    """Asks who counts, and remembers the answers in memory that does not grow.

    The client's document gives both fields a value always, so while nobody answers the last one
    is told, and without one the account is "later": a number that nobody counted would be a lie.
    """

    def __init__(self, capacity: int = MAX_REMEMBERED) -> None:
        self._capacity = capacity
        self._counted: OrderedDict[str, FreeWorkflows] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counted)

    async def count(self, caller: Caller, organization_id: str, now: datetime) -> FreeWorkflows:
        """As they are counted, or were within the hour; raises a 503 when nobody can tell."""
        request = GetUsageSummary(organization_id=organization_id)
        try:
            usage = await caller.ask(request, timeout_seconds=PATIENCE_SECONDS)
        except ApiError as error:
            logger.warning("free workflows are not counted", extra={"fields": {"code": error.code}})
            return self._remembered(organization_id, now)
        counted = self._counted[organization_id] = FreeWorkflows(
            remaining=usage.free_workflows_remaining,
            reset_at=usage.free_workflows_reset_at,
            counted_at=now,
        )
        self._counted.move_to_end(organization_id)
        if len(self._counted) > self._capacity:
            self._counted.popitem(last=False)
        return counted

    def _remembered(self, organization_id: str, now: datetime) -> FreeWorkflows:
        found = self._counted.get(organization_id)
        if found is None or now >= min(found.reset_at, found.counted_at + TOLD_FOR):
            raise unavailable(
                "free_workflows_not_counted",
                "Free workflows cannot be counted right now; ask again in a moment.",
            )
        return found

"""The two fields of an account that the subscription service counts."""

import logging
from datetime import datetime

import msgspec

from services.gateway.asks import Caller
from services.gateway.errors import ApiError
from shared.contracts.subscription import GetUsageSummary

logger = logging.getLogger(__name__)

# A page about money does not wait for a counter.
PATIENCE_SECONDS = 2.0
# What the client's document gives every organization, each calendar month anew.
FREE_WORKFLOWS_A_MONTH = 5


class FreeWorkflows(msgspec.Struct, frozen=True, kw_only=True):
    """How many are left, and when there are all of them again."""

    remaining: int
    reset_at: datetime


async def free_workflows(caller: Caller, organization_id: str, now: datetime) -> FreeWorkflows:
    """As they are counted; while nobody answers, as they are documented for a new month."""
    try:
        usage = await caller.ask(
            GetUsageSummary(organization_id=organization_id), timeout_seconds=PATIENCE_SECONDS
        )
    except ApiError as error:
        logger.warning("free workflows are not counted", extra={"fields": {"code": error.code}})
        return FreeWorkflows(remaining=FREE_WORKFLOWS_A_MONTH, reset_at=next_month(now))
    return FreeWorkflows(
        remaining=usage.free_workflows_remaining, reset_at=usage.free_workflows_reset_at
    )


def next_month(now: datetime) -> datetime:
    """The first moment of the month that follows, in the zone of `now`."""
    midnight = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if now.month == 12:
        return midnight.replace(year=now.year + 1, month=1)
    return midnight.replace(month=now.month + 1)

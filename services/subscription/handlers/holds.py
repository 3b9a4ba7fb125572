"""Credits set aside at account: held by steps that a crash resumes, settled by others."""

# ruff: noqa: ARG002 -- the methods of a step have their form

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.tables import WorkflowRow
from shared.answers import KEPT_FOR
from shared.contracts.account import CreditBalance, HoldCredits, SettleHold
from shared.contracts.base import Event, Refusal
from shared.database import Db
from shared.steps import Step, prepare_step

logger = logging.getLogger(__name__)


class Hold(msgspec.Struct, frozen=True):
    """Credits to be set aside for one workflow."""

    workflow_id: str
    hold_id: str
    amount_cents: int
    expires_at: datetime


class Holding(msgspec.Struct, frozen=True):
    """Credits to be set aside for workflows of one organization."""

    organization_id: str
    workflow_ids: list[str]
    holds: list[Hold]


class Settling(msgspec.Struct, frozen=True):
    """What is to become of a hold."""

    organization_id: str
    hold_id: str
    action: Literal["commit", "renew", "release"]
    expires_at: datetime | None


async def hold_credits(means: Means, holding: Holding) -> list[bool]:
    """Ask account for each hold; after one "no" the others are not asked for.

    Raises when an outcome is not known: all holds are asked for again then, under the same ids.
    """
    granted: list[bool] = []
    for hold in holding.holds:
        request = HoldCredits(
            organization_id=holding.organization_id,
            hold_id=hold.hold_id,
            amount_cents=hold.amount_cents,
            expires_at=hold.expires_at,
        )
        answer = await means.ask(request, f"hold:{hold.hold_id}")
        if isinstance(answer, Refusal):
            break
        granted.append(True)
    return granted + [False] * (len(holding.holds) - len(granted))


async def settle_hold(
    db: Db,
    row: WorkflowRow,
    action: Literal["commit", "renew", "release"],
    expires_at: datetime | None = None,
) -> None:
    """Have account settle a workflow's hold, after this transaction and surely."""
    until = f":{expires_at.isoformat()}" if expires_at else ""
    await prepare_step(
        db,
        SettleHolds,
        f"settle_hold:{row.hold_id}:{action}{until}",
        Settling(row.organization_id, row.hold_id, action, expires_at),
    )


class SettleHolds(Step[Settling, CreditBalance | Refusal]):
    """Commits, renews or releases a hold."""

    kind: ClassVar[str] = "settle_hold"
    # Account's own row of the hold refuses what it has done already.
    kept_for = KEPT_FOR
    state = Settling

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Settling) -> CreditBalance | Refusal:
        """Tell account."""
        request = SettleHold(
            organization_id=state.organization_id,
            hold_id=state.hold_id,
            action=state.action,
            expires_at=state.expires_at,
        )
        return await self._means.ask(request, step_id)

    async def conclude(
        self, step_id: str, state: Settling, outcome: CreditBalance | Refusal, db: Db
    ) -> Sequence[Event]:
        """Nothing is left to do; a hold that is gone is worth a look when it was to be kept."""
        if isinstance(outcome, Refusal) and state.action == "commit":
            # The workflow stays charged: its invoice takes free credits or bills it.
            logger.error("hold was gone", extra={"fields": {"step": step_id, "code": outcome.code}})
        return ()

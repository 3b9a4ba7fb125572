"""Credits for the invoices of many organizations at once, as when a month is closed."""

from collections.abc import Sequence

from services.account.handlers.credits import Credits
from services.account.store import orders
from services.account.store.accounts import lock_without_credits
from shared.contracts.account import (
    AppliedCredits,
    ApplyCredits,
    ApplyManyCredits,
    CreditBalance,
    ManyApplied,
)
from shared.contracts.base import Event, Refusal
from shared.database import Db


class ManyCredits:
    """Answers `ApplyManyCredits`; what it does for one organization is what `Credits` does."""

    def __init__(self, credits_: Credits) -> None:
        self._credits = credits_

    async def apply_many(
        self, request: ApplyManyCredits, db: Db
    ) -> tuple[ManyApplied, Sequence[Event]]:
        """Burn credits for each, once; who has none is only noted, all of them together."""
        # Accounts are locked in one order everywhere, so that nobody waits in a circle.
        asked = sorted(request.applications, key=lambda each: each.organization_id)
        answers = await _note_without_credits(db, asked)
        events: list[Event] = []
        for each in asked:
            if each.invoice_id not in answers:
                answer = await self._credits.apply_credits(each, db)
                if isinstance(answer, Refusal):
                    answers[each.invoice_id] = _applied(each, refusal=answer)
                    continue
                answers[each.invoice_id] = _applied(each, answer[0])
                events += answer[1]
        results = tuple(answers[each.invoice_id] for each in request.applications)
        return ManyApplied(results=results), events


async def _note_without_credits(db: Db, asked: Sequence[ApplyCredits]) -> dict[str, AppliedCredits]:
    """Keep that these invoices got nothing, where there is nothing and nothing is held."""
    debts = await lock_without_credits(db, [each.organization_id for each in asked])
    poor = [each for each in asked if each.organization_id in debts and not each.hold_ids]
    noted = await orders.add_applications(
        db, [(each.organization_id, each.invoice_id, each.amount_cents) for each in poor]
    )
    return {
        each.invoice_id: _applied(
            each,
            CreditBalance(
                balance_cents=0,
                held_cents=0,
                debt_cents=debts[each.organization_id],
                changed_cents=0,
            ),
        )
        for each in poor
        if each.invoice_id in noted
    }


def _applied(
    request: ApplyCredits, balance: CreditBalance | None = None, refusal: Refusal | None = None
) -> AppliedCredits:
    return AppliedCredits(organization_id=request.organization_id, balance=balance, refusal=refusal)

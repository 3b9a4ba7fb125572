"""Charging a card for an attempt, once: by a step that a crash resumes under the same name."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.invoicing.handlers.attempts import Attempt
from services.invoicing.handlers.means import Means, NotKnownYet
from services.invoicing.handlers.returning import OURSELVES
from services.invoicing.handlers.settling import fail, keep_charge, keep_failure
from services.invoicing.rules.payments import COLLECTED, PARKED, UNDER_WAY
from services.invoicing.store.payments import get_payment, save_payment
from services.invoicing.store.profiles import find_profile, lock_profile
from services.invoicing.tables import ProfileRow
from shared.clock import new_id
from shared.contracts.base import Event, Refusal, Request
from shared.contracts.stripe_gateway import (
    CancelPayment,
    Charge,
    CollectPayment,
    PayStripeInvoice,
)
from shared.database import Db
from shared.steps import Step

PAID_BY_ANOTHER = ("paid_by_another_attempt", "Another payment was faster.")
REPLACED = ("replaced", "Another payment method was chosen.")
ANOTHER_UNDER_WAY = ("payment_under_way", "Another payment is still being worked on.")


class Collected(msgspec.Struct, frozen=True):
    """What a call came to: how the attempt that was replaced ended, and how this one stands."""

    ended: Charge | None
    made: Charge | Refusal | None


async def carry_out(means: Means, attempt: Attempt) -> Collected:
    """End what is replaced, then charge. Raises when the outcome is not known: the same call again
    finds the same charge.
    """
    ended = None
    if attempt.replaces is not None and attempt.stripe_invoice_id is None:
        ended = await end_charge(means, attempt.organization_id, attempt.replaces)
        if ended.status != "failed":
            return Collected(ended, None)
    key = f"collect:{attempt.payment_id}"
    return Collected(ended, await means.ask(request_for(attempt), key))


def request_for(attempt: Attempt) -> Request[Charge]:
    """What to ask stripe_gateway for; asked again, it answers how the charge stands."""
    if attempt.stripe_invoice_id is not None:
        return PayStripeInvoice(
            organization_id=attempt.organization_id,
            charge_id=attempt.payment_id,
            stripe_invoice_id=attempt.stripe_invoice_id,
            payment_method_id=attempt.payment_method_id,
            requested_by=attempt.requested_by,
        )
    return CollectPayment(
        organization_id=attempt.organization_id,
        charge_id=attempt.payment_id,
        amount_cents=attempt.amount_cents,
        description=attempt.description,
        payment_method_id=attempt.payment_method_id,
        off_session=attempt.off_session,
        requested_by=attempt.requested_by,
    )


async def end_charge(means: Means, organization_id: str, payment_id: str) -> Charge:
    """Make sure that an attempt never succeeds, even one that is still on its way to Stripe, or
    learn that it has.
    """
    async with means.database.read() as db:
        payment = await get_payment(db, organization_id, payment_id)
    request = CancelPayment(
        organization_id=organization_id,
        charge_id=payment_id,
        amount_cents=payment.amount_cents,
        requested_by=OURSELVES,
    )
    # A key of its own each time: an answer that was kept might be out of date.
    answer = await means.ask(request, new_id())
    if isinstance(answer, Refusal):
        raise NotKnownYet(answer.code)
    return answer


async def conclude_attempt(db: Db, attempt: Attempt, outcome: Collected) -> list[Event]:
    """Write down what came of an attempt, and of the one it replaced."""
    organization_id = attempt.organization_id
    profile = await lock_profile(db, organization_id)
    events, goes_on = await _conclude_replaced(db, profile, attempt, outcome)
    if not goes_on:
        return events
    made = outcome.made
    if isinstance(made, Refusal):
        events += await fail(db, profile, attempt.payment_id, made.code, made.detail)
    elif made is not None:
        events += await keep_charge(db, profile, attempt.payment_id, made)
    return events


async def _conclude_replaced(
    db: Db, profile: ProfileRow, attempt: Attempt, outcome: Collected
) -> tuple[list[Event], bool]:
    """Write down what came of an attempt that was replaced; whether it left room for this one."""
    if attempt.replaces is None:
        return [], True
    before = await get_payment(db, attempt.organization_id, attempt.replaces)
    if attempt.stripe_invoice_id is not None:
        # An invoice of Stripe's has one payment there, which goes on with the other card.
        if before.status in UNDER_WAY:
            return await keep_failure(db, profile, before, *REPLACED), True
        return [], True
    events: list[Event] = []
    if outcome.ended is not None:
        events += await keep_charge(db, profile, before.payment_id, outcome.ended)
    if outcome.made is not None:
        return events, True
    before = await get_payment(db, attempt.organization_id, attempt.replaces)
    if before.status in COLLECTED:
        return [*events, *await fail(db, profile, attempt.payment_id, *PAID_BY_ANOTHER)], False
    # It could not be ended, so it goes on, and this one never began.
    events += await fail(db, profile, attempt.payment_id, *ANOTHER_UNDER_WAY)
    await save_payment(db, msgspec.structs.replace(before, superseded=False))
    return events, False


class Collect(Step[Attempt, Collected]):
    """Charges an invoice without the customer."""

    kind: ClassVar[str] = "collect"
    state = Attempt

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Attempt) -> Collected:  # noqa: ARG002 -- its form
        """See Step. Of an account that was parked meanwhile nothing is charged any more."""
        async with self._means.database.read() as db:
            profile = await find_profile(db, state.organization_id)
        if profile is None or profile.parked_reason is None:
            return await carry_out(self._means, state)
        ended = await end_charge(self._means, state.organization_id, state.payment_id)
        if ended.status == "failed":
            ended = msgspec.structs.replace(ended, failure_code=PARKED.code)
        return Collected(None, ended)

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: Attempt,
        outcome: Collected,
        db: Db,
    ) -> Sequence[Event]:
        """See Step."""
        return await conclude_attempt(db, state, outcome)


class Stopping(msgspec.Struct, frozen=True):
    """An attempt at an invoice that is not owed any more."""

    organization_id: str
    payment_id: str


class Stop(Step[Stopping, Charge]):
    """Ends an attempt; what it has collected all the same goes back."""

    kind: ClassVar[str] = "stop_attempt"
    state = Stopping

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Stopping) -> Charge:  # noqa: ARG002
        """See Step."""
        return await end_charge(self._means, state.organization_id, state.payment_id)

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: Stopping,
        outcome: Charge,
        db: Db,
    ) -> Sequence[Event]:
        """See Step."""
        profile = await lock_profile(db, state.organization_id)
        return await keep_charge(db, profile, state.payment_id, outcome)

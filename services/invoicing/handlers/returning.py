"""Money that came for an invoice which was not owed any more: it goes back by itself."""

import logging
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.invoicing.handlers.facts import number_of
from services.invoicing.handlers.means import Means, NotKnownYet
from services.invoicing.tables import InvoiceRow, PaymentRow
from shared.clock import hourly
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.invoicing import PaymentReturned
from shared.contracts.stripe_gateway import RefundPayment
from shared.database import Db
from shared.steps import Step, prepare_step

logger = logging.getLogger(__name__)

OURSELVES = "invoicing"
# An operator was faster.
GONE_ALREADY = frozenset({"refund_too_large"})


class Returning(msgspec.Struct, frozen=True):
    """An attempt that collected for nothing."""

    organization_id: str
    payment_id: str


class GiveBack(Step[Returning, Reply]):
    """Refunds all of an attempt; that it went back comes as a fact, like any other refund."""

    kind: ClassVar[str] = "give_back"
    state = Returning

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Returning) -> Reply:
        """See Step."""
        request = RefundPayment(
            organization_id=state.organization_id,
            refund_id=f"surplus:{state.payment_id}",
            charge_id=state.payment_id,
            requested_by=OURSELVES,
        )
        # Whatever the key, the refund's id has it made once.
        key = hourly(step_id, self._means.database.clock.now())
        answer = await self._means.ask(request, key)
        if isinstance(answer, Refusal) and answer.code not in GONE_ALREADY:
            # The customer was told that it comes back, so it is tried until it does.
            raise NotKnownYet(answer.code)
        return answer

    async def conclude(
        self,
        step_id: str,
        state: Returning,  # noqa: ARG002 -- its form
        outcome: Reply,
        db: Db,  # noqa: ARG002
    ) -> Sequence[Event]:
        """See Step."""
        if isinstance(outcome, Refusal):
            fields = {"step": step_id, "code": outcome.code}
            logger.warning("a surplus was given back by others", extra={"fields": fields})
        return ()


def giving_back_of(payment_id: str) -> str:
    """The step in which an attempt goes back."""
    return f"give_back:{payment_id}"


async def give_back(db: Db, invoice: InvoiceRow, payment: PaymentRow) -> Event:
    """Have an attempt refunded, once; the fact that says so."""
    told = {"payment": payment.payment_id, "invoice": invoice.invoice_id}
    logger.error("money came for an invoice that is not owed", extra={"fields": told})
    state = Returning(payment.organization_id, payment.payment_id)
    await prepare_step(db, GiveBack, giving_back_of(payment.payment_id), state)
    return PaymentReturned(
        organization_id=payment.organization_id,
        payment_id=payment.payment_id,
        invoice_id=invoice.invoice_id,
        invoice_number=number_of(invoice),
        amount_cents=payment.amount_cents,
        returned_at=db.now,
    )

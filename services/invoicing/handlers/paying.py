"""Paying an invoice with the customer there, the attempts at it, and what is told of charges."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from services.invoicing.handlers.attempts import (
    Attempt,
    attempt_of,
    begin_attempt,
    get_invoice,
)
from services.invoicing.handlers.charging import (
    Collected,
    carry_out,
    conclude_attempt,
    end_charge,
    request_for,
)
from services.invoicing.handlers.facts import payment_of
from services.invoicing.handlers.means import Means, NotKnownYet
from services.invoicing.handlers.settling import keep_charge
from services.invoicing.rules.payments import (
    NO_INVOICE,
    UNDER_WAY,
    is_same_attempt,
    refuse_to_pay,
)
from services.invoicing.store.invoices import find_invoice
from services.invoicing.store.payments import (
    find_payment,
    find_replaced,
    find_under_way,
    get_payment,
    list_payments,
)
from services.invoicing.store.profiles import find_profile, lock_profile
from services.invoicing.tables import InvoiceRow, PaymentRow, ProfileRow
from shared.clock import new_id
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.invoicing import ListPayments, PayInvoice, Payments
from shared.contracts.stripe_gateway import ChargeChanged
from shared.database import Db
from shared.steps import AnsweringStep

# Who joins an attempt waits so long for it, and then asks about its charge itself.
JOIN_SECONDS = 5.0
POLL_SECONDS = 0.05


class Paying(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt of one's own, or (`joins`) one that somebody else carries out."""

    attempt: Attempt
    joins: bool = False
    # What may still succeed in place of the attempt that is joined.
    replaces: str | None = None


class Pay(AnsweringStep[PayInvoice, Paying, Collected]):
    """Many at once make one attempt: the first one charges, the others join it."""

    kind: ClassVar[str] = "pay_invoice"
    state = Paying
    request = PayInvoice

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: PayInvoice, db: Db) -> Paying | Reply:
        """See AnsweringStep."""
        profile = await lock_profile(db, request.organization_id)
        invoice = await find_invoice(db, [request.organization_id], request.invoice_id)
        if invoice is None:
            return NO_INVOICE
        refusal = refuse_to_pay(profile, invoice)
        if refusal is not None:
            return refusal
        under_way = await find_under_way(db, request.organization_id, request.invoice_id)
        if under_way is not None and _goes_on(under_way, request, profile):
            replaced = await find_replaced(db, request.organization_id, request.invoice_id)
            return _joining(under_way, invoice, request, replaced)
        attempt = await begin_attempt(
            db,
            profile,
            invoice,
            method_id=request.payment_method_id,
            automatic=False,
            requested_by=request.requested_by,
            instead_of=under_way,
        )
        return Paying(attempt=attempt)

    async def call(self, step_id: str, state: Paying) -> Collected:  # noqa: ARG002 -- its form
        """See Step."""
        if not state.joins:
            return await carry_out(self._means, state.attempt)
        if not await self._is_settled(state.attempt):
            await self._end(state)
            # A key of its own: how it stands now, and the secret of one that has to be confirmed.
            asked = await self._means.ask(request_for(state.attempt), new_id())
            if isinstance(asked, Refusal):
                raise NotKnownYet(asked.code)
            return Collected(None, asked)
        return Collected(None, None)

    async def _end(self, state: Paying) -> None:
        """Nobody may charge before the attempt in whose place this one is has ended."""
        if state.replaces is None or state.attempt.stripe_invoice_id is not None:
            return
        ended = await end_charge(self._means, state.attempt.organization_id, state.replaces)
        if ended.status != "failed":
            # Whoever began this attempt writes down what that means for it.
            raise NotKnownYet("payment_under_way")

    async def _is_settled(self, attempt: Attempt) -> bool:
        """Wait for whoever carries it out; what waits for the customer is not settled."""
        deadline = asyncio.get_running_loop().time() + JOIN_SECONDS
        while True:
            async with self._means.database.read() as db:
                row = await get_payment(db, attempt.organization_id, attempt.payment_id)
            if row.status != "pending":
                return row.status not in UNDER_WAY
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)

    async def answer(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: Paying,
        outcome: Collected,
        db: Db,
    ) -> tuple[Reply, Sequence[Event]]:
        """See AnsweringStep."""
        attempt = state.attempt
        events = await conclude_attempt(db, attempt, outcome)
        if isinstance(outcome.made, Refusal):
            return outcome.made, events
        profile = await lock_profile(db, attempt.organization_id)
        invoice = await get_invoice(db, attempt.organization_id, attempt.invoice_id)
        row = await get_payment(db, attempt.organization_id, attempt.payment_id)
        secret = outcome.made.client_secret if outcome.made is not None else None
        return payment_of(row, profile, invoice, secret), events


def _goes_on(under_way: PaymentRow, request: PayInvoice, profile: ProfileRow) -> bool:
    wanted = request.payment_method_id or profile.default_payment_method_id
    return under_way.status == "pending" or is_same_attempt(under_way, wanted)


def _joining(
    under_way: PaymentRow, invoice: InvoiceRow, request: PayInvoice, replaced: str | None
) -> Paying:
    attempt = attempt_of(
        under_way,
        invoice,
        method_id=request.payment_method_id,
        requested_by=request.requested_by,
    )
    return Paying(attempt=attempt, joins=True, replaces=replaced)


async def list_attempts(request: ListPayments, db: Db) -> Payments | Refusal:
    """All attempts at an invoice, newest first."""
    invoice = await find_invoice(db, [request.organization_id], request.invoice_id)
    profile = await find_profile(db, request.organization_id)
    if invoice is None or profile is None:
        return NO_INVOICE
    rows = await list_payments(db, request.organization_id, request.invoice_id)
    return Payments(payments=tuple(payment_of(row, profile, invoice) for row in rows))


async def follow_charge(fact: ChargeChanged, db: Db) -> Sequence[Event]:
    """The second reader of what becomes of an attempt: refunds, and what nobody waited for."""
    profile = await lock_profile(db, fact.organization_id)
    payment = await find_payment(db, fact.organization_id, fact.charge.charge_id)
    if payment is None:
        return ()
    return await keep_charge(db, profile, payment.payment_id, fact.charge, fact.version)

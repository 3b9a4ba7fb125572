"""Those whom invoicing asks: a real account on its own database, and Stripe as a ledger of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import msgspec

from services.account.app import credits_, holds, many
from services.account.handlers.accounts import get_account, update_account
from services.invoicing.app import monthly_close, service
from services.invoicing.handlers.means import Means
from services.invoicing.settings import InvoicingSettings
from shared.bus import Asks
from shared.contracts.account import (
    ApplyCredits,
    ApplyManyCredits,
    CreditBalance,
    GetAccount,
    GrantCredits,
    HoldCredits,
    RestoreCredits,
    SettleHold,
    UpdateAccount,
)
from shared.contracts.base import Event, Refusal, Reply, Request
from shared.contracts.stripe_gateway import (
    CancelPayment,
    Charge,
    ChargeStatus,
    CollectPayment,
    MoneyMoved,
    RefundPayment,
)
from shared.database import Database

Card = Literal["pm_good", "pm_poor", "pm_lost", "pm_asks"]
# What a card answers, and why.
CARDS: dict[str, tuple[ChargeStatus, str | None]] = {
    "pm_good": ("succeeded", None),
    "pm_poor": ("failed", "insufficient_funds"),
    "pm_lost": ("failed", "lost_card"),
    "pm_asks": ("requires_action", "authentication_required"),
}
COLLECTED = {"succeeded", "partially_refunded", "refunded"}
NO_CARD = Refusal(code="payment_method_not_found", detail="No such method.", status=404)
TOO_MUCH = Refusal(code="refund_too_large", detail="More than was paid.")


class Bank(Means):
    """Asks account by its handlers, and keeps what was charged and what went back."""

    def __init__(self, account: Database, invoicing: Database) -> None:
        super().__init__(Asks("invoicing"))
        self.account = account
        self._databases.append(invoicing)
        self._settings = InvoicingSettings(database_url="postgresql://unused")
        self.handlers: dict[type[Any], Any] = {
            ApplyCredits: credits_.apply_credits,
            ApplyManyCredits: many.apply_many,
            RestoreCredits: credits_.restore_credits,
            GrantCredits: credits_.grant_credits,
            HoldCredits: holds.hold_credits,
            SettleHold: holds.settle_hold,
            GetAccount: get_account,
            UpdateAccount: update_account,
            CollectPayment: self.collect,
            CancelPayment: self.cancel,
            RefundPayment: self.refund,
        }
        self.default_card: str | None = None
        self.charges: dict[str, Charge] = {}
        self.owners: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.told: dict[str, int] = {}
        # By its id: the charge, and how much of it went back.
        self.refunds: dict[str, tuple[str, int]] = {}
        self.moved: list[MoneyMoved] = []
        # What account has said, until somebody passes it on.
        self.said: list[Event] = []

    async def ask(self, request: Request[Any], key: str) -> Any:
        """Twice, as after an answer that was lost: the second one is the same."""
        handler = self.handlers[type(request)]
        if isinstance(request, CollectPayment | CancelPayment | RefundPayment):
            handler(request)
            return handler(request)
        first = await self.carry_out(handler, request)
        second = await self.carry_out(handler, request)
        if isinstance(first, CreditBalance) and isinstance(second, CreditBalance):
            assert first.total_cents == second.total_cents
        return second

    async def carry_out(self, handler: Any, argument: Any) -> Any:
        """What account does about a request or a fact, in a transaction."""
        async with self.account.transaction() as db:
            answer = await handler(argument, db)
        if isinstance(answer, Reply):
            return answer
        reply, events = answer if isinstance(answer, tuple) and answer else (None, answer)
        self.said += events
        return reply

    @property
    def now(self) -> datetime:
        """The time at the bank."""
        return self.account.clock.now()

    def collect(self, request: CollectPayment) -> Charge | Refusal:
        """Once a charge, as the card does."""
        card = request.payment_method_id or self.default_card
        if request.charge_id in self.charges:
            return self.charges[request.charge_id]
        if card is None:
            return NO_CARD
        status, code = CARDS[card]
        charge = Charge(
            charge_id=request.charge_id,
            stripe_payment_intent_id=f"pi_{request.charge_id}",
            amount_cents=request.amount_cents,
            status="pending",
            created_at=self.now,
        )
        return self.keep(request.organization_id, charge, status=status, failure_code=code)

    def cancel(self, request: CancelPayment) -> Charge:
        """What has not succeeded never will."""
        charge = self.charges[request.charge_id]
        if charge.status != "requires_action":
            return charge
        return self.keep(request.organization_id, charge, status="failed", failure_code="canceled")

    def refund(self, request: RefundPayment) -> Charge | Refusal:
        """Once a refund, never beyond the charge."""
        charge = self.charges[request.charge_id or ""]
        if request.refund_id in self.refunds:
            return charge
        cents = request.amount_cents or charge.amount_cents - charge.refunded_cents
        if charge.refunded_cents + cents > charge.amount_cents:
            return TOO_MUCH
        self.refunds[request.refund_id] = charge.charge_id, cents
        return self.give_back(request.organization_id, charge, request.refund_id, cents)

    def answer(self, charge_id: str, *, yes: bool) -> Charge:
        """The customer confirms what the bank asked about, or fails to."""
        charge = self.charges[charge_id]
        organization_id = self.owners[charge_id]
        assert charge.status == "requires_action"
        if yes:
            return self.keep(organization_id, charge, status="succeeded", failure_code=None)
        return self.keep(organization_id, charge, status="failed")

    def fail(self, organization_id: str, refund_id: str) -> None:
        """A bank did not take a refund: its money comes home."""
        charge_id, cents = self.refunds[refund_id]
        self.give_back(organization_id, self.charges[charge_id], refund_id, -cents)

    def give_back(self, organization_id: str, charge: Charge, name: str, cents: int) -> Charge:
        """So much more of a charge; below zero, a refund comes home."""
        back = charge.refunded_cents + cents
        status: ChargeStatus = "partially_refunded" if back else "succeeded"
        self.move(organization_id, f"{name}:{cents}", -cents, "refund")
        return self.keep(
            organization_id,
            charge,
            status="refunded" if back == charge.amount_cents else status,
            refunded_cents=back,
        )

    def keep(self, organization_id: str, charge: Charge, **changes: Any) -> Charge:
        """A charge stands otherwise from now on."""
        after = msgspec.structs.replace(charge, **changes)
        self.charges[charge.charge_id] = after
        self.owners[charge.charge_id] = organization_id
        self.versions[charge.charge_id] = self.versions.get(charge.charge_id, 0) + 1
        if after.status in COLLECTED and charge.status not in COLLECTED:
            self.move(organization_id, charge.charge_id, charge.amount_cents, "invoice")
        return after

    def move(self, organization_id: str, name: str, cents: int, purpose: Any) -> None:
        """Money came, or went."""
        moved = MoneyMoved(
            organization_id=organization_id,
            movement_id=name,
            amount_cents=cents,
            purpose=purpose,
            reference=name,
            moved_at=self.now,
        )
        self.moved.append(moved)


@contextmanager
def steps_ask(bank: Bank) -> Iterator[None]:
    """Have every step ask this bank; the app's own means are put back afterwards."""
    asking: list[Any] = [
        each for each in (*service.steps, monthly_close) if hasattr(each, "_means")
    ]
    kept = [each._means for each in asking]
    for each in asking:
        each._means = bank
    try:
        yield
    finally:
        for each, means in zip(asking, kept, strict=True):
            each._means = means

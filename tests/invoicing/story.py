"""A life of an organization's money as a script: raw facts and requests, each with its moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec

from shared.contracts.account import GrantCredits, HoldCredits, SettleHold, UpdateAccount
from shared.contracts.base import Event, Refusal, Request
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.invoicing import (
    GenerateInvoice,
    IssueCreditNote,
    PayInvoice,
    SetBillingTerms,
    VoidInvoice,
)
from shared.contracts.stripe_gateway import (
    MoneyMoved,
    PaymentMethodsChanged,
    RefundFailed,
)
from shared.contracts.subscription import PlanChanged, StorageMeasured, WorkflowCharged
from tests.invoicing import examples
from tests.invoicing.examples import month
from tests.invoicing.organization import BEGINNING, Organization

DOLLAR = 10**12
# Facts that say themselves when they happened, and when they were known.
DATED = (WorkflowCharged, StorageMeasured, CostsRecorded, PlanChanged, MoneyMoved)


class Said(NamedTuple):
    """What is told or asked, and when; None: months that have ended are closed."""

    at: datetime
    what: Event | Request[Any] | None


class Script:
    """Says things at days after the beginning."""

    def __init__(self, name: str) -> None:
        self.name, self.said = name, list[Said]()
        self.day = 0.0

    @property
    def now(self) -> datetime:
        return BEGINNING + timedelta(days=self.day)

    def say(self, *whats: Event | Request[Any] | None) -> None:
        for what in whats:
            self.said.append(Said(self.now, what))
            self.day += 1 / 1440

    def workflow(self, run: str, **changes: Any) -> None:
        self.say(examples.workflow(self.name, run, changes.pop("at", self.now), **changes))

    def llm(self, sequence: int, picousd: int, **changes: Any) -> None:
        self.say(examples.costs(self.name, sequence, picousd, self.now, **changes))

    def moved(self, name: str, cents: int, purpose: Any) -> None:
        said = {"movement_id": name, "amount_cents": cents, "purpose": purpose, "reference": name}
        self.say(MoneyMoved(organization_id=self.name, moved_at=self.now, **said))

    def bought(self, session: str, cents: int) -> None:
        self.moved(f"paid:{session}", cents, "credits")
        self.say(examples.purchase(self.name, session, cents, self.now))

    def disputed(self, session: str, version: int, cents: int, of_cents: int) -> None:
        self.say(examples.reversal(self.name, session, version, cents, of_cents, self.now))

    def gift(self, name: str, cents: int, days: int) -> None:
        until = self.now + timedelta(days=days)
        by: dict[str, Any] = {
            "requested_by": "operator",
            "description": "gift",
            "expires_at": until,
        }
        self.say(GrantCredits(organization_id=self.name, grant_id=name, amount_cents=cents, **by))

    def held(self, name: str, cents: int, *, commit: bool) -> None:
        until = self.now + timedelta(days=2)
        asked: dict[str, Any] = {"hold_id": name, "amount_cents": cents, "expires_at": until}
        self.say(HoldCredits(organization_id=self.name, **asked))
        if commit:
            self.say(SettleHold(organization_id=self.name, hold_id=name, action="commit"))

    def by_credits(self, run: str, cents: int) -> None:
        self.held(f"hold-{run}", cents, commit=True)
        covered: dict[str, Any] = {"covered_by": "credits", "hold_id": f"hold-{run}"}
        self.workflow(run, unit_price_cents=cents, **covered)

    def generate(self) -> None:
        self.say(GenerateInvoice(organization_id=self.name, requested_by="owner"))

    # Invoices are named by their number; whoever tells the story knows which they are.

    def pay(self, number: int, card: str) -> None:
        by = {"payment_method_id": card, "requested_by": "owner"}
        self.say(PayInvoice(organization_id=self.name, invoice_id=str(number), **by))

    def void(self, number: int) -> None:
        by = {"reason": "a mistake", "requested_by": "operator"}
        self.say(VoidInvoice(organization_id=self.name, invoice_id=str(number), **by))

    def credit(self, note: str, number: int, cents: int, kind: Any = "credit") -> None:
        by = {"kind": kind, "reason": "a mistake", "requested_by": "operator"}
        self.say(
            IssueCreditNote(
                organization_id=self.name,
                invoice_id=str(number),
                credit_note_id=note,
                amount_cents=cents,
                **by,
            )
        )

    def terms(self, **terms: Any) -> None:
        self.say(SetBillingTerms(organization_id=self.name, requested_by="operator", **terms))


def january(script: Script) -> None:
    """A plan, credits of both kinds, every kind of use; one invoice is paid, one is taken back."""
    script.say(examples.plan(script.name, 1, 2345, script.now))
    script.bought("cs-1", 1600)
    script.gift("gift-1", 700, 20)
    for run, covered_by in (("plan-1", "plan"), ("free-1", "free"), ("none-1", "none")):
        script.workflow(run, covered_by=covered_by)
    script.by_credits("held-1", 900)
    script.llm(1, DOLLAR * 123 // 100 + 7)
    script.llm(2, 5 * DOLLAR, billable_cost_picousd=0)
    # Of December, whose month was closed before anybody knew.
    script.workflow("late-1", at=month(2026, 12), charged_at=script.now, ticket_id="ticket-1")
    script.say(examples.storage(script.name, month(2026, 12), 3, 25, script.now))
    script.terms(discount_basis_points=1000, tax_basis_points=1900, tax_name="VAT")
    script.day = 3
    script.generate()
    script.pay(1, "pm_poor")
    script.pay(1, "pm_good")
    script.day = 5
    script.bought("cs-2", 1500)
    script.by_credits("held-2", 450)
    script.workflow("none-2", unit_price_cents=2500)
    script.generate()
    script.void(2)
    script.held("nobody", 500, commit=False)
    script.llm(3, -DOLLAR // 3)
    script.llm(4, 4 * DOLLAR // 3)


def february(script: Script) -> None:
    """What the void invoice billed is billed again; corrections of each kind; a month ends."""
    script.day = 9
    script.generate()
    script.credit("cn-1", 3, 100)
    script.pay(3, "pm_asks")
    script.pay(3, "pm_good")
    script.credit("cn-2", 1, 200, "refund")
    script.credit("cn-3", 3, 300)
    script.disputed("cs-1", 1, 1600, 1600)
    script.bought("cs-3", 900)
    script.disputed("cs-1", 2, 600, 1600)
    script.say(examples.plan(script.name, 2, 0, script.now))
    script.llm(5, 2 * DOLLAR // 7)
    script.by_credits("held-3", 330)
    script.workflow("none-3", ticket_id="ticket-2")
    script.day = 16.52
    script.say(examples.storage(script.name, month(2027, 1), 7, 25, script.now))
    # It ended with January, but is known only when that is closed.
    script.workflow("late-2", at=script.now - timedelta(hours=1), charged_at=month(2027, 2))
    script.day = 17
    script.say(None)
    script.workflow("late-3", at=month(2027, 1), charged_at=script.now)


def march(script: Script) -> None:
    """Auto-billing fails and tries again, a refund comes home, and another month ends."""
    script.say(
        UpdateAccount(organization_id=script.name, requested_by="owner", auto_billing_enabled=True)
    )
    script.say(examples.card(script.name, 1, "pm_poor", script.now))
    script.credit("cn-4", 3, 150, "refund")
    failed: dict[str, Any] = {"refund_id": "cn-2", "amount_cents": 200, "failed_at": script.now}
    script.say(RefundFailed(organization_id=script.name, **failed))
    script.llm(6, DOLLAR // 3)
    script.workflow("none-4", unit_price_cents=15)
    script.terms(discount_basis_points=0)
    script.day = 46
    script.say(None)
    script.day = 47.5
    script.say(None)
    script.say(examples.card(script.name, 2, "pm_good", script.now))
    script.day = 50
    script.gift("gift-2", 40, 3)
    script.llm(7, DOLLAR + 1)
    script.day = 60
    script.say(None)
    script.generate()


def story(name: str) -> Sequence[Said]:
    """All of it."""
    script = Script(name)
    for chapter in (january, february, march):
        chapter(script)
    return script.said


def shuffled(said: Sequence[Said], random: Random) -> list[Said]:
    """The same, told otherwise: what has its own date comes earlier than it did, in whatever
    order; and every fact comes once more, at any time afterwards.
    """
    places: list[tuple[float, Said]] = []
    for place, each in enumerate(said):
        at: float = place
        if isinstance(each.what, DATED):
            at = random.uniform(_earliest(said, place), place)
        places.append((at, each))
        if isinstance(each.what, Event):
            places.append((random.uniform(at, len(said)), each))
    return [each for _, each in sorted(places, key=lambda pair: pair[0])]


def _earliest(said: Sequence[Said], place: int) -> int:
    """A cost that takes back names the invoice that was the last one when it is told; what else
    has a date may come at the beginning.
    """
    what = said[place].what
    if not (isinstance(what, CostsRecorded) and what.billable_cost_picousd < 0):
        return 0
    bounds = (Request, type(None))
    before = (at for at in range(place) if isinstance(said[at].what, bounds))
    return max(before, default=0)


class Teller:
    """Tells a story to an organization."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.refunds_failed: set[str] = set()
        self.cards = 0

    async def tell(self, said: Sequence[Said]) -> None:
        """All of it, in this order. Time passes with what has no date of its own."""
        here, told = self.organization, set[int]()
        for each in said:
            is_new = id(each) not in told
            if is_new and not isinstance(each.what, DATED) and each.at > here.clock.now():
                here.clock.advance(each.at - here.clock.now())
            told.add(id(each))
            if each.what is None:
                await here.do_jobs()
                await here.close_months(2)
            elif isinstance(each.what, Event):
                await self.tell_fact(each.what)
            else:
                await self.ask(each.what)
            if not isinstance(each.what, DATED):
                await here.tell_charges()

    async def tell_fact(self, fact: Event) -> None:
        if isinstance(fact, RefundFailed) and fact.refund_id not in self.refunds_failed:
            self.refunds_failed.add(fact.refund_id)
            self.organization.bank.fail(fact.organization_id, fact.refund_id)
        if isinstance(fact, PaymentMethodsChanged) and fact.version > self.cards:
            self.cards = fact.version
            self.organization.bank.default_card = fact.default_payment_method_id
        await self.organization.tell(fact)

    async def ask(self, request: Any) -> None:
        here = self.organization
        if number := getattr(request, "invoice_id", None):
            invoice_id = await here.id_of(int(number))
            request = msgspec.structs.replace(request, invoice_id=invoice_id)
        answer = await here.request(request)
        assert not isinstance(answer, Refusal), (request, answer)

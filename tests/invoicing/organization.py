"""One organization at the handlers of invoicing and account, on real databases and its own time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import msgspec

from deploy.provisioning import ServiceDatabase
from services.account.app import expiry, purchases
from services.account.handlers import accounts
from services.account.handlers.accounts import open_account
from services.invoicing.app import monthly_close, service
from services.invoicing.handlers import (
    autobilling,
    llm_costs,
    notes,
    paying,
    profiles,
    terms,
    usage,
)
from shared.answers import IdempotencyKey, StoredAnswer
from shared.clock import FixedClock
from shared.contracts.account import AccountChanged, AccountOpened
from shared.contracts.base import Event, Refusal, Request, event_subject, reply_type_of
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.invoicing import AccountReinstated, AccountSuspended, SetBillingTerms
from shared.contracts.stripe_gateway import (
    ChargeChanged,
    MoneyMoved,
    PaymentMethodsChanged,
    PurchasePaid,
    PurchaseReversed,
    RefundFailed,
)
from shared.contracts.subscription import PlanChanged, StorageMeasured, WorkflowCharged
from shared.database import Database, Db
from shared.outbox import add_events
from shared.stepped_requests import SteppedAnswer
from shared.steps import StepRunner
from tests.account.invariants import check_credits
from tests.invoicing.bank import Bank, steps_ask

BEGINNING = datetime(2027, 1, 15, 12, tzinfo=UTC)
# What each hears, as its app wires it.
INVOICING_HEARS: dict[type[Event], Any] = {
    AccountOpened: profiles.meet_account,
    AccountChanged: profiles.follow_account,
    PlanChanged: llm_costs.follow_plan,
    WorkflowCharged: usage.add_workflow,
    StorageMeasured: usage.add_storage,
    CostsRecorded: llm_costs.add_llm_cost,
    PaymentMethodsChanged: autobilling.follow_methods,
    ChargeChanged: paying.follow_charge,
    RefundFailed: notes.void_note,
}
ACCOUNT_HEARS: dict[type[Event], Any] = {
    PaymentMethodsChanged: accounts.set_payment_methods,
    PurchasePaid: purchases.grant_purchase,
    PurchaseReversed: purchases.reverse_purchase,
    MoneyMoved: accounts.count_money,
    AccountSuspended: accounts.suspend,
    AccountReinstated: accounts.reinstate,
}
_SAID = """
SELECT position, subject, body FROM outbox
WHERE position > $1 AND subject = ANY($2::text[]) ORDER BY position
"""
_FAILED = """
SELECT kind, last_error FROM steps
WHERE status <> 'concluded' AND state::text LIKE '%' || $1 || '%' AND last_error IS NOT NULL
"""
# Nobody else's job finds anything left to do for it.
_FORGET = """
WITH closed AS (
    UPDATE billing_profiles SET next_close_at = 'infinity' WHERE organization_id = $1
), asked AS (DELETE FROM dunning WHERE organization_id = $1)
DELETE FROM steps WHERE status <> 'concluded' AND state::text LIKE '%' || $1 || '%'
"""


class Organization:
    """What it is told, what it asks, and the jobs and steps of both services for it."""

    def __init__(self, bank: Bank, database: Database, clock: FixedClock, name: str) -> None:
        self.bank, self.database, self.clock, self.organization_id = bank, database, clock, name
        self.runner = StepRunner(database, service.steps)
        self.asked = 0
        self._passed_on = 0

    async def request(self, request: Request[Any], key: str = "") -> Any:
        """As it comes over the bus, by default under a key of its own."""
        if isinstance(request, SetBillingTerms):
            return await self.at_invoicing(terms.set_terms, request)
        if type(request) in self.bank.handlers:
            answer = await self.bank.ask(request, key)
            await self.work()
            return answer
        (step,) = (each for each in service.answering_steps if each.request is type(request))
        self.asked += 1
        named = IdempotencyKey(
            self.organization_id, "owner", step.kind, key or f"request {self.asked}", b""
        )
        answer = await SteppedAnswer(step, self.database, self.runner).answer(request, named, 30)
        await self.work()
        if isinstance(answer, StoredAnswer):
            kind = Refusal if answer.refused else reply_type_of(type(request))
            return msgspec.json.decode(answer.reply, type=kind)
        return answer

    async def tell(self, *facts: Event) -> None:
        """Facts as their owners tell them, to whoever hears them."""
        for fact in facts:
            if heard := INVOICING_HEARS.get(type(fact)):
                await self.at_invoicing(heard, fact)
            if heard := ACCOUNT_HEARS.get(type(fact)):
                await self.bank.carry_out(heard, fact)
        await self.work()

    async def at_invoicing(self, handler: Any, *arguments: Any) -> Any:
        """What invoicing does about something, in a transaction with the facts it causes."""
        async with self.database.transaction() as db:
            answer = await handler(*arguments, db)
            if isinstance(answer, Sequence):
                await add_events(db, answer)
        return answer

    async def work(self) -> None:
        """Carry out steps and pass on what the two tell each other, until all is done."""
        while leased := await self.runner._lease(100):
            for step in leased:
                await self.runner.begin(step)
        async with self.database.read() as db:
            failed = await db.driver.fetch(_FAILED, self.organization_id)
            said = await db.driver.fetch(_SAID, self._passed_on, list(self._subjects()))
        assert not failed, [tuple(row) for row in failed]
        for row in said:
            self._passed_on = row["position"]
            kind = self._subjects()[row["subject"]]
            fact: Event = msgspec.json.decode(row["body"], type=kind)
            await self.bank.carry_out(ACCOUNT_HEARS[kind], fact)
        told, self.bank.said = self.bank.said, []
        for event in told:
            if heard := INVOICING_HEARS.get(type(event)):
                await self.at_invoicing(heard, event)
        if told:
            await self.work()

    def _subjects(self) -> dict[str, type[Event]]:
        kinds: tuple[type[Event], ...] = (AccountSuspended, AccountReinstated)
        return {event_subject(kind, self.organization_id): kind for kind in kinds}

    async def do_jobs(self) -> None:
        """What both services do every so often, except closing months."""
        await self.bank.carry_out(_job(expiry.expire), None)
        for job in (autobilling.act_on_due, autobilling.remind):
            await self.at_invoicing(job)
        await self.work()

    async def close_months(self, count: int) -> None:
        """Close so many months that have ended, one after the other."""
        for _ in range(count):
            await self.at_invoicing(monthly_close.close)
            await self.work()

    async def tell_charges(self) -> None:
        """How charges stand that have changed, and what money moved, each twice."""
        news: list[Event] = [
            ChargeChanged(
                organization_id=self.organization_id,
                version=self.bank.versions[name],
                charge=charge,
                changed_at=self.clock.now(),
            )
            for name, charge in self.bank.charges.items()
            if self.bank.told.get(name) != self.bank.versions[name]
        ]
        self.bank.told = dict(self.bank.versions)
        news += self.bank.moved
        self.bank.moved = []
        if news:
            await self.tell(*news, *news)

    async def id_of(self, number: int) -> str:
        """The invoice with a number."""
        async with self.database.read() as db:
            found: str = await db.driver.fetchval(
                "SELECT invoice_id FROM invoices WHERE organization_id = $1 AND number = $2",
                self.organization_id,
                number,
            )
        return found

    async def check_credits(self) -> None:
        """The ledger's invariants."""
        async with self.bank.account.read() as db:
            await check_credits(db.driver, self.organization_id)


def _job(job: Callable[[Db], Awaitable[Sequence[Event]]]) -> Any:
    async def carry_out(_: None, db: Db) -> Any:
        return await job(db)

    return carry_out


O = TypeVar("O", bound=Organization)  # noqa: E741


@asynccontextmanager
async def founded(
    kind: type[O], databases: Mapping[str, ServiceDatabase], name: str | None = None
) -> AsyncIterator[O]:
    """One with time of its own; nothing of it is left to be done by others afterwards."""
    clock = FixedClock(BEGINNING)
    invoicing = Database(databases["invoicing"].dsn, clock)
    account = Database(databases["account"].dsn, clock)
    bank = Bank(account, invoicing)
    organization = kind(bank, invoicing, clock, name or f"org-{uuid4().hex[:12]}")
    try:
        with steps_ask(bank):
            async with account.transaction() as db:
                bank.said += await open_account(db, organization.organization_id)
            await organization.work()
            yield organization
            await organization.check_credits()
    finally:
        connection = await asyncpg.connect(databases["invoicing"].owner_dsn)
        await connection.execute(_FORGET, organization.organization_id)
        await connection.close()
        await invoicing.close()
        await account.close()

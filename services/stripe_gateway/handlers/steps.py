"""The form of a request that Stripe is called for."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct

from services.stripe_gateway.handlers.links import link
from services.stripe_gateway.handlers.looks import order_look
from services.stripe_gateway.handlers.workshop import Overtaken, Workshop
from services.stripe_gateway.rules.refusals import BUSY, NO_CUSTOMER, REPLACED, refusal_for
from services.stripe_gateway.store import customers
from services.stripe_gateway.store.customers import Who
from services.stripe_gateway.store.leases import give_back
from services.stripe_gateway.stripe_api import Mark, StripeRefused
from shared.clock import new_id
from shared.contracts.base import Event, Reply, Request
from shared.database import Db
from shared.steps import AnsweringStep

# Requests of one kind that wait for Stripe at once in one process; more are sent away, so that
# a slow Stripe leaves room for those who do not need it.
AT_ONCE = 12

Told = tuple[Reply, Sequence[Event]]


class Begun(Struct, frozen=True, kw_only=True):
    """What every step keeps: for whom, and the mark that gives its keys."""

    who: Who
    mark: Mark


class Asking(Protocol):
    """A request of an organization."""

    @property
    def organization_id(self) -> str:
        """Whose request it is."""


class Outcome(Struct, frozen=True):
    """What a call came to: a value, or Stripe's definite "no"."""

    customer_id: str
    value: Any
    fence: int | None = None


Q = TypeVar("Q", bound=Request[Any])
S = TypeVar("S", bound=Begun)
V = TypeVar("V")


class StripeStep(AnsweringStep[Q, S, Outcome], Generic[Q, S, V]):
    """`plan` decides what to do, `do` does it at Stripe, `done` writes it down.

    A step that is `laned` works on its customer alone, from the call until it is written down.
    """

    laned: ClassVar[bool] = False

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self._under_way = 0

    async def plan(self, request: Q, begun: Begun, db: Db) -> S | Reply:
        """Decide what to call for, or answer at once."""
        raise NotImplementedError

    async def do(self, state: S, customer_id: str) -> V:
        """Call Stripe. Raises StripeRefused, or OutcomeUnknown to be called again."""
        raise NotImplementedError

    async def done(self, state: S, value: V, db: Db) -> Told:
        """Write down what came of it, and answer."""
        raise NotImplementedError

    async def refused(self, state: S, refused: StripeRefused, db: Db) -> Told:  # noqa: ARG002
        """Answer a definite "no"."""
        if refused.may_miss_customer:
            return REPLACED, ()
        return refusal_for(refused.code, declined=refused.declined), ()

    async def prepare(self, request: Q, db: Db) -> S | Reply:
        """See AnsweringStep."""
        if self._under_way >= AT_ONCE:
            return BUSY
        who = await customers.find_customer(db, request.organization_id)  # type: ignore[attr-defined]
        if who is None:
            return NO_CUSTOMER
        mark = Mark(local_id=new_id(), begun_at=db.now)
        return await self.plan(request, Begun(who=who, mark=mark), db)

    async def call(self, step_id: str, state: S) -> Outcome:  # noqa: ARG002 -- its form
        """See Step."""
        self._under_way += 1
        try:
            customer_id = await self.workshop.customer_id(state.who)
            if not self.laned:
                return Outcome(customer_id, await self._try(state, customer_id))
            async with self.workshop.lane(customer_id) as fence:
                return Outcome(customer_id, await self._try(state, customer_id), fence)
        finally:
            self._under_way -= 1

    async def _try(self, state: S, customer_id: str) -> V | StripeRefused:
        try:
            return await self.do(state, customer_id)
        except StripeRefused as refused:
            return refused

    async def answer(self, step_id: str, state: S, outcome: Outcome, db: Db) -> Told:  # noqa: ARG002
        """See AnsweringStep."""
        customer_id, value = outcome.customer_id, outcome.value
        if outcome.fence is not None and not await give_back(db, customer_id, outcome.fence):
            raise Overtaken(customer_id)
        linked = await link(db, state.who, customer_id)
        if not isinstance(value, StripeRefused):
            reply, events = await self.done(state, value, db)
            return reply, [*linked, *events]
        if value.may_miss_customer:
            # It may have been deleted at Stripe: whoever looks will see, and make another.
            await order_look(
                db,
                "customer",
                customer_id,
                name=f"{customer_id}:{state.mark.local_id}",
                customer_id=customer_id,
            )
        reply, events = await self.refused(state, value, db)
        return reply, [*linked, *events]

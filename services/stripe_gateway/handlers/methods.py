"""Payment methods: saved, listed, made default, removed."""

from services.stripe_gateway.handlers.links import CustomerView, keep_view, look_at_customer
from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.refusals import LAST_METHOD, NO_METHOD
from services.stripe_gateway.store import customers, subscriptions
from services.stripe_gateway.stripe_api import StripeRefused
from services.stripe_gateway.stripe_api import customers as at_stripe
from services.stripe_gateway.stripe_api.subscriptions import pay_with
from shared.contracts.base import Refusal, Reply
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    CreateSetupIntent,
    DetachPaymentMethod,
    ListPaymentMethods,
    PaymentMethods,
    SetupIntent,
)
from shared.database import Db


async def list_payment_methods(request: ListPaymentMethods, db: Db) -> PaymentMethods:
    """From our own rows."""
    return await customers.list_methods(db, request.organization_id)


class AttachState(Begun, frozen=True, kw_only=True):
    """What to attach."""

    payment_method_id: str
    set_as_default: bool


class Attach(StripeStep[AttachPaymentMethod, AttachState, CustomerView | Refusal]):
    """Attach, or make default what is attached."""

    kind = "attach_payment_method"
    state = AttachState
    request = AttachPaymentMethod
    laned = True

    async def plan(self, request: AttachPaymentMethod, begun: Begun, db: Db) -> AttachState | Reply:
        """See StripeStep."""
        owner = await customers.find_method_owner(db, request.payment_method_id)
        if owner not in {None, request.organization_id}:
            return NO_METHOD
        return AttachState(
            who=begun.who,
            mark=begun.mark,
            payment_method_id=request.payment_method_id,
            set_as_default=request.set_as_default,
        )

    async def do(self, state: AttachState, customer_id: str) -> CustomerView | Refusal:
        """See StripeStep."""
        api, method_id = self.workshop.api, state.payment_method_id
        owner = await self._owner(method_id)
        if owner not in {None, customer_id}:
            return NO_METHOD
        if owner is None:
            try:
                attached = await at_stripe.attach_method(api, state.mark, customer_id, method_id)
            except StripeRefused as refused:
                if refused.declined or refused.param == "customer":
                    raise
                return NO_METHOD
            method_id = attached.id
        if state.set_as_default:
            await at_stripe.set_default(api, state.mark, customer_id, method_id)
            await pay_with(api, state.mark, customer_id, method_id)
        return await look_at_customer(self.workshop, state.mark, customer_id)

    async def _owner(self, method_id: str) -> str | None:
        try:
            return (await at_stripe.fetch_method(self.workshop.api, method_id)).customer
        except StripeRefused:
            # Tokens of test cards can be attached, but not all of them can be looked at.
            return None

    async def done(self, state: AttachState, value: CustomerView | Refusal, db: Db) -> Told:
        """See StripeStep."""
        if isinstance(value, Refusal):
            return value, ()
        events = await keep_view(db, state.who.organization_id, value)
        return await customers.list_methods(db, state.who.organization_id), events


class DetachState(Begun, frozen=True, kw_only=True):
    """What to detach."""

    payment_method_id: str


class Detach(StripeStep[DetachPaymentMethod, DetachState, CustomerView | Refusal]):
    """Detach; the newest left becomes the default."""

    kind = "detach_payment_method"
    state = DetachState
    request = DetachPaymentMethod
    laned = True

    async def plan(self, request: DetachPaymentMethod, begun: Begun, db: Db) -> DetachState | Reply:
        """See StripeStep."""
        owner = await customers.find_method_owner(db, request.payment_method_id)
        if owner != request.organization_id:
            return NO_METHOD
        return DetachState(
            who=begun.who, mark=begun.mark, payment_method_id=request.payment_method_id
        )

    async def do(self, state: DetachState, customer_id: str) -> CustomerView | Refusal:
        """See StripeStep."""
        api = self.workshop.api
        found = await at_stripe.fetch_method(api, state.payment_method_id)
        if found.customer == customer_id:
            # Two who remove the last two at once would leave none: only one is in the lane.
            if await self._is_needed(state):
                return LAST_METHOD
            await at_stripe.detach_method(api, state.mark, state.payment_method_id)
        return await look_at_customer(self.workshop, state.mark, customer_id)

    async def _is_needed(self, state: DetachState) -> bool:
        organization_id = state.who.organization_id
        async with self.workshop.database.read() as db:
            methods = await customers.list_methods(db, organization_id)
            left = [
                method
                for method in methods.payment_methods
                if method.payment_method_id != state.payment_method_id
            ]
            return not left and await subscriptions.has_running(db, organization_id)

    async def done(self, state: DetachState, value: CustomerView | Refusal, db: Db) -> Told:
        """See StripeStep."""
        if isinstance(value, Refusal):
            return value, ()
        events = await keep_view(db, state.who.organization_id, value)
        return await customers.list_methods(db, state.who.organization_id), events


class SetupState(Begun, frozen=True, kw_only=True):
    """Nothing more."""


class Setup(StripeStep[CreateSetupIntent, SetupState, SetupIntent]):
    """Begin to save a card."""

    kind = "create_setup_intent"
    state = SetupState
    request = CreateSetupIntent

    async def plan(self, request: CreateSetupIntent, begun: Begun, db: Db) -> SetupState:  # noqa: ARG002
        """See StripeStep."""
        return SetupState(who=begun.who, mark=begun.mark)

    async def do(self, state: SetupState, customer_id: str) -> SetupIntent:
        """See StripeStep."""
        made = await at_stripe.create_setup_intent(
            self.workshop.api, state.mark, state.who.organization_id, customer_id
        )
        return SetupIntent(setup_intent_id=made.id, client_secret=made.client_secret)

    async def done(self, state: SetupState, value: SetupIntent, db: Db) -> Told:  # noqa: ARG002
        """See StripeStep."""
        return value, ()

"""Customers: made once, linked, looked at as a whole, and replaced when they are deleted."""

from collections.abc import Sequence

from msgspec import Struct

from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import Customer, Method
from services.stripe_gateway.store import customers
from services.stripe_gateway.store.customers import Who
from services.stripe_gateway.stripe_api import Mark
from services.stripe_gateway.stripe_api.customers import fetch_customer, list_methods, set_default
from shared.contracts.account import AccountOpened
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import CustomerLinked, PaymentMethodsChanged
from shared.database import Db
from shared.steps import Step, prepare_step


class CreateCustomer(Step[Who, str]):
    """Makes an organization's customer in the background; heals when Stripe is back."""

    kind = "create_customer"
    state = Who

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    async def call(self, step_id: str, state: Who) -> str:  # noqa: ARG002 -- its form
        """See Step."""
        return await self.workshop.customer_id(state)

    async def conclude(self, step_id: str, state: Who, outcome: str, db: Db) -> Sequence[Event]:  # noqa: ARG002
        """See Step."""
        return await link(db, state, outcome)


async def expect_customer(event: AccountOpened, db: Db) -> Sequence[Event]:
    """An organization has an account: it will need a customer."""
    if await customers.add_customer(db, event.organization_id, event.billing_account_id):
        await order_customer(db, event.organization_id)
    return ()


async def order_customer(db: Db, organization_id: str) -> None:
    """Have the customer made that is expected."""
    who = await customers.find_customer(db, organization_id)
    if who is not None and who.stripe_customer_id is None:
        await prepare_step(db, CreateCustomer, f"customer:{who.local_id}", who)


async def link(db: Db, who: Who, customer_id: str) -> Sequence[Event]:
    """Link a customer, once; the fact to tell."""
    if who.stripe_customer_id is not None:
        return ()
    version = await customers.link_customer(db, who, customer_id)
    return () if version is None else (_linked(who.organization_id, customer_id, version, db),)


async def replace_customer(db: Db, customer_id: str) -> Sequence[Event]:
    """Forget a customer that was deleted at Stripe, and begin to make another."""
    who = await customers.find_linked_customer(db, customer_id)
    if who is None:
        return ()
    methods = await _keep_methods(db, who.organization_id, (), None)
    version = await customers.unlink_customer(db, who)
    await order_customer(db, who.organization_id)
    return [*methods, _linked(who.organization_id, None, version, db)]


def _linked(organization_id: str, customer_id: str | None, version: int, db: Db) -> CustomerLinked:
    return CustomerLinked(
        organization_id=organization_id,
        stripe_customer_id=customer_id,
        version=version,
        linked_at=db.now,
    )


class CustomerView(Struct, frozen=True):
    """A customer and all that it pays with, newest first, as Stripe had them at one moment."""

    customer: Customer
    methods: list[Method]

    @property
    def default(self) -> str | None:
        """The default, if it is really there."""
        settings = self.customer.invoice_settings
        named = settings.default_payment_method if settings else None
        return named if named in {method.id for method in self.methods} else None


async def look_at_customer(
    workshop: Workshop, mark: Mark, customer_id: str, *, needs_default: bool = False
) -> CustomerView:
    """Fetch a customer; when its default is gone, or it needs one, the newest method becomes it.

    To be called in the customer's lane.
    """
    view = await _fetch(workshop, customer_id)
    if view.default is not None or not view.methods:
        return view
    if not needs_default:
        async with workshop.database.read() as db:
            who = await customers.find_linked_customer(db, customer_id)
            known = await customers.list_methods(db, who.organization_id) if who else None
        needs_default = known is not None and any(m.is_default for m in known.payment_methods)
    if not needs_default:
        return view
    await set_default(workshop.api, mark, customer_id, view.methods[0].id)
    return await _fetch(workshop, customer_id)


async def _fetch(workshop: Workshop, customer_id: str) -> CustomerView:
    customer = await fetch_customer(workshop.api, customer_id)
    methods = [] if customer.deleted else await list_methods(workshop.api, customer_id)
    newest_first = sorted(methods, key=lambda method: method.created, reverse=True)
    return CustomerView(customer, newest_first)


async def keep_view(db: Db, organization_id: str, view: CustomerView) -> Sequence[Event]:
    """Write down what a customer pays with; the fact to tell when it changed."""
    if view.customer.deleted:
        return await replace_customer(db, view.customer.id)
    return await _keep_methods(db, organization_id, view.methods, view.default)


async def _keep_methods(
    db: Db, organization_id: str, methods: Sequence[Method], default: str | None
) -> Sequence[Event]:
    version = await customers.set_methods(db, organization_id, methods, default)
    if version is None:
        return ()
    listed = await customers.list_methods(db, organization_id)
    cards = [each for each in listed.payment_methods if each.is_default and each.type == "card"]
    return (
        PaymentMethodsChanged(
            organization_id=organization_id,
            version=version,
            has_payment_method=bool(methods),
            default_payment_method_id=default,
            changed_at=db.now,
            default_card=cards[0] if cards else None,
        ),
    )

"""Looking at customers and what they pay with."""

from services.stripe_gateway.handlers.links import (
    CustomerView,
    keep_view,
    link,
    look_at_customer,
)
from services.stripe_gateway.handlers.looks.look import LookState, NotKnownYet, SetAside, Written
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.store import customers
from services.stripe_gateway.stripe_api import StripeRefused
from services.stripe_gateway.stripe_api.customers import fetch_method, fetch_setup_customer
from shared.database import Db


class CustomerLook:
    """Also for its methods: they are always looked at together."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """The customer itself, or who has the method, or had it."""
        if state.subject == "customer":
            return state.object_id
        if state.kind.startswith("setup_intent."):
            return await fetch_setup_customer(workshop.api, state.object_id)
        async with workshop.database.read() as db:
            owner = await customers.find_method_owner(db, state.object_id)
            who = await customers.find_customer(db, owner) if owner else None
        if who is not None:
            return who.stripe_customer_id
        try:
            return (await fetch_method(workshop.api, state.object_id)).customer
        except StripeRefused:
            return None

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> CustomerView:
        """See SubjectLook. A card saved on purpose becomes the default where there is none."""
        saved = state.kind.startswith("setup_intent.")
        return await look_at_customer(workshop, state.mark, customer_id, needs_default=saved)

    async def write(self, view: CustomerView, db: Db) -> Written:
        """See SubjectLook."""
        customer = view.customer
        who = await customers.find_linked_customer(db, customer.id)
        if who is not None:
            return await keep_view(db, who.organization_id, view)
        if customer.deleted:
            return SetAside("ignored", "deleted customer")
        if customer.metadata.get("environment") != self._workshop.api.environment:
            return SetAside("ignored", "other environment")
        who = await customers.find_customer(db, customer.metadata.get("organization_id", ""))
        if who is None or customer.metadata.get("mark") != who.local_id:
            raise NotKnownYet
        # Our own link is not committed yet, or was lost: the customer says whose it is.
        linked = await link(db, who, customer.id)
        return [*linked, *await keep_view(db, who.organization_id, view)]

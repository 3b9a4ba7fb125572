"""Looking at subscriptions."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from services.stripe_gateway.handlers.looks.look import LookState, NotKnownYet, SetAside, Written
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.rules.states import SUBSCRIPTION_STATUSES
from services.stripe_gateway.rules.subscriptions import described
from services.stripe_gateway.store import customers, subscriptions
from services.stripe_gateway.stripe_api.subscriptions import fetch_subscription
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import SubscriptionChanged
from shared.database import Db

logger = logging.getLogger(__name__)


class SubscriptionLook:
    """Whatever was done to a subscription, also at Stripe's own pages, is accepted as a fact."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """See SubjectLook."""
        return (await fetch_subscription(workshop.api, state.object_id)).customer

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> Subscription:  # noqa: ARG002
        """See SubjectLook."""
        return await fetch_subscription(workshop.api, state.object_id)

    async def write(self, view: Subscription, db: Db) -> Written:
        """See SubjectLook."""
        if self._workshop.api.is_foreign(view.metadata):
            return SetAside("ignored", "other environment")
        organization_id = await owner_of(view, db)
        if organization_id is None:
            raise NotKnownYet
        return await keep_subscription(db, organization_id, view)


async def owner_of(subscription: Subscription, db: Db) -> str | None:
    """The organization that a subscription belongs to."""
    who = await customers.find_linked_customer(db, subscription.customer)
    if who is not None:
        return who.organization_id
    # Its customer was replaced or is not linked yet: we marked what we made.
    marked = await customers.find_customer(db, subscription.metadata.get("organization_id", ""))
    return None if marked is None else marked.organization_id


async def keep_subscription(
    db: Db, organization_id: str, view: Subscription, *, renewed: bool = False
) -> Sequence[Event]:
    """Write a whole subscription down; the fact to tell when it changed."""
    before = await subscriptions.lock_subscription(db, view.id)
    told = described(view, subscriptions.subscription_of(before) if before else None)
    if told is None or told.status_at_stripe not in SUBSCRIPTION_STATUSES:
        logger.error(
            "Stripe has a new word for how a subscription stands",
            extra={"fields": {"subscription": view.id, "status": view.status}},
        )
    if told is None:
        return ()
    version = await subscriptions.set_subscription(
        db,
        organization_id,
        told,
        datetime.fromtimestamp(view.created, UTC),
        announce=renewed,
    )
    if version is None:
        return ()
    return (
        SubscriptionChanged(
            organization_id=organization_id,
            version=version,
            subscription=told,
            renewal_paid=renewed,
            changed_at=db.now,
        ),
    )

"""What operators set, and the providers that a customer brings keys of."""

from collections.abc import Sequence

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.handlers.plans import ended
from services.subscription.handlers.settling import settle
from services.subscription.handlers.views import subscription_of
from services.subscription.rules.offers import NO_PAID_PLAN
from services.subscription.store.subscriptions import list_subscriptions, save_subscription
from services.subscription.tables import SubscriptionRow
from shared.clock import new_id
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.subscription import PlanSetByHand, SetByoProviders, SetTier
from shared.database import Db

TIER_FIELDS = ("tier", "workflows_limit", "agents_limit", "storage_limit_gb")
NOT_BYO = Refusal(code="not_byo", detail="The subscription is not of the BYO tier.")


class Operators:
    """Handlers of what is set by hand."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def set_tier(self, request: SetTier, db: Db) -> tuple[Reply, Sequence[Event]]:
        """Give a tier or take it back; the tier that runs is only given its own limits."""
        standing = await self._means.locked_standing(db, request.organization_id)
        rows = await list_subscriptions(db, request.organization_id)
        given = next(
            (row for row in rows if row.source == "operator" and row.status != "canceled"), None
        )
        live = standing.live
        if request.tier == "free":
            if given is None:
                return NO_PAID_PLAN, ()
            changed = ended(given, db)
        elif live is not None and live.tier == request.tier and standing.serves:
            changed = _limited(live, request, db)
        else:
            changed = _limited(given or _new(request, db), request, db)
        await save_subscription(db, changed)
        events = await settle(self._means, db, standing.organization)
        after = await self._means.standing(db, request.organization_id)
        told = PlanSetByHand(
            organization_id=request.organization_id,
            requested_by=request.requested_by,
            action="tier_set",
            changes=_changes(standing.shown, after.shown, TIER_FIELDS),
            set_at=db.now,
        )
        return await subscription_of(self._means, db, request.organization_id), [*events, told]

    async def set_byo_providers(
        self, request: SetByoProviders, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Keep the providers that run on the customer's own keys."""
        live = (await self._means.locked_standing(db, request.organization_id)).live
        if live is None or live.tier != "byo":
            return NOT_BYO, ()
        providers = sorted(set(request.providers))
        changed = msgspec.structs.replace(live, byo_providers=providers, updated_at=db.now)
        await save_subscription(db, changed)
        told = PlanSetByHand(
            organization_id=request.organization_id,
            requested_by=request.requested_by,
            action="byo_providers_set",
            changes=_changes(live, changed, ("byo_providers",)),
            set_at=db.now,
        )
        return await subscription_of(self._means, db, request.organization_id), (told,)


def _changes(
    before: SubscriptionRow, after: SubscriptionRow, names: Sequence[str]
) -> dict[str, str]:
    """What was and what is, by name; a limit that is None is the tier's."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return {name: f"{was} → {now}" for name, was, now in pairs if was != now}


def _new(request: SetTier, db: Db) -> SubscriptionRow:
    return SubscriptionRow(
        subscription_id=new_id(),
        organization_id=request.organization_id,
        source="operator",
        tier=request.tier,
        status="active",
        began_at=db.now,
        created_at=db.now,
        updated_at=db.now,
    )


def _limited(row: SubscriptionRow, request: SetTier, db: Db) -> SubscriptionRow:
    return msgspec.structs.replace(
        row,
        tier=request.tier,
        workflows_limit=request.workflows_limit,
        agents_limit=request.agents_limit,
        storage_limit_gb=request.storage_limit_gb,
        updated_at=db.now,
    )

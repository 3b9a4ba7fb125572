"""Stripe's list of events, walked through in walks that are never too long."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text

from services.stripe_gateway.handlers import reconciling
from services.stripe_gateway.handlers.reconciling import Reconciler, WalkEvents, WalkState
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.settings import StripeSettings
from tests.stripe_gateway.processes import FRONTEND
from tests.stripe_gateway.shop import Shop
from tests.stripe_sandbox.running import PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET

WALKS = "SELECT step_id, state FROM steps WHERE kind = 'walk_events' AND status = 'prepared'"
WALKED = (
    "INSERT INTO walks VALUES ('events', :now, :now)"
    " ON CONFLICT (name) DO UPDATE SET walked_until = :now, begun_at = :now"
)


def settings(shop: Shop) -> StripeSettings:
    return StripeSettings(
        database_url="postgresql://nowhere",
        stripe_secret_key=SECRET_KEY,
        stripe_publishable_key=PUBLISHABLE_KEY,
        stripe_webhook_secret=WEBHOOK_SECRET,
        stripe_api_base=shop.sandbox.url,
        stripe_frontend_url=FRONTEND,
    )


async def begin_round(shop: Shop, reconciler: Reconciler) -> int:
    """Another round; how many walks wait then."""
    await shop.reconcile()
    async with shop.database.transaction() as db:
        await reconciler.begin_round(db)
    return len(await shop.rows(WALKS))


async def walk_on(shop: Shop, workshop: Workshop) -> list[int]:
    """Do what walks there are, as a process would; how much each carried home."""
    carried: list[int] = []
    for _ in range(50):
        waiting = await shop.rows(WALKS)
        if not waiting:
            return carried
        [(step_id, state)] = waiting
        walk, found = WalkEvents(workshop), msgspec.convert(state, WalkState)
        outcome = await walk.call(step_id, found)
        async with shop.database.transaction() as db:
            await db.execute(
                text("UPDATE steps SET status = 'concluded' WHERE step_id = :id"), {"id": step_id}
            )
            await walk.conclude(step_id, found, outcome, db)
        if outcome is not None:
            carried.append(len(outcome))
    raise AssertionError("walks without an end")


async def test_more_than_one_walk_carries_is_brought_home_by_several(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long outage. While a walk waits, no other one begins."""
    shop.gateway.kill()
    shop.sandbox.control("faults", kind="webhook_lose", target="*", count=999)
    monkeypatch.setattr(reconciling, "MOST_EVENTS", 2)
    monkeypatch.setattr(reconciling, "OVERLAP", timedelta(seconds=1))
    monkeypatch.setattr(reconciling, "SHORTEST", timedelta(seconds=2))
    async with shop.database.transaction() as db:
        await db.execute(text("DELETE FROM steps WHERE kind = 'walk_events'"))
        await db.execute(text(WALKED), {"now": datetime.now(UTC)})
    customer = await shop.stripe.customers.create_async({"name": "Somebody"})
    for number in range(8):
        await shop.stripe.customers.update_async(customer.id, {"name": f"Somebody {number}"})
        await asyncio.sleep(0.8)
    workshop = Workshop()
    async with workshop.open(shop.database, settings(shop)):
        reconciler = Reconciler(workshop)
        assert await begin_round(shop, reconciler) == 1
        assert await begin_round(shop, reconciler) == 1
        carried = await walk_on(shop, workshop)
    assert len(carried) > 2
    assert max(carried) < 8
    kept = await shop.rows(
        "SELECT event_id FROM webhook_events WHERE object_id = :id", id=customer.id
    )
    assert len(kept) == 8
    [reached] = await shop.rows("SELECT walked_until >= begun_at - interval '10 s' FROM walks")
    assert reached[0]

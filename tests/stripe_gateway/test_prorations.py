"""Upgrades at random moments, month ends and leap days too: the money moved is the preview's."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from services.stripe_gateway.rules.invoice_objects import Preview
from services.stripe_gateway.rules.objects import SubscriptionItem
from services.stripe_gateway.rules.subscriptions import due_now, main_item
from services.stripe_gateway.settings import StripeSettings
from services.stripe_gateway.stripe_api import Mark, StripeApi
from services.stripe_gateway.stripe_api import subscriptions as at_stripe
from services.stripe_gateway.stripe_api.prices import ensure_price
from tests.stripe_sandbox.running import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    Running,
    start_sandbox,
)

COLLECTED_SECONDS = 2 * 3600
PLANS = (("starter", 2900), ("pro", 7900), ("team", 19_900))
MONTH_ENDS = [
    datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 1, 29, 9, tzinfo=UTC),
    datetime(2028, 1, 31, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
    datetime(2027, 2, 28, 0, 0, 1, tzinfo=UTC),
    datetime(2027, 8, 31, 6, 30, tzinfo=UTC),
]
ANY_DAY = st.datetimes(datetime(2027, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
# Whole periods that pass, then how far into the next one (in thousandths) the upgrade is chosen.
UPGRADES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 999)), min_size=1, max_size=2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A sandbox that tells nobody."""
    running = start_sandbox(tmp_path_factory.mktemp("alone"), "")
    yield running
    running.stop()


class Payer:
    """A customer on a test clock, with what our own calls do for it."""

    def __init__(self, sandbox: Running, api: StripeApi) -> None:
        self._sandbox, self._api = sandbox, api
        self._mark = Mark(local_id=uuid4().hex, begun_at=datetime.now(UTC))
        self._clock = self._customer = self._subscription = ""
        self.now = 0

    async def subscribe(self, at: datetime) -> None:
        """Begin with the cheapest plan."""
        self.now = int(at.timestamp())
        clock = await self._api.v1.test_helpers.test_clocks.create_async({"frozen_time": self.now})
        made = await self._api.v1.customers.create_async({"test_clock": clock.id})
        card = await self._api.v1.payment_methods.attach_async(
            "pm_card_visa", {"customer": made.id}
        )
        price = await ensure_price(self._api, self._mark, *PLANS[0])
        begun = await self._api.v1.subscriptions.create_async(
            {
                "customer": made.id,
                "items": [{"price": price.id}],
                "default_payment_method": card.id,
            }
        )
        self._clock, self._customer, self._subscription = clock.id, made.id, begun.id

    async def item(self) -> SubscriptionItem:
        """What is subscribed to now."""
        found = await at_stripe.fetch_subscription(self._api, self._subscription)
        item = main_item(found)
        assert item is not None
        return item

    async def until(self, moment: int) -> None:
        """Let time pass."""
        if moment > self.now:
            await self._api.v1.test_helpers.test_clocks.advance_async(
                self._clock, {"frozen_time": moment}
            )
            self.now = moment

    async def renew(self) -> None:
        """Let the next period begin, and be paid."""
        end = (await self.item()).current_period_end
        assert end is not None
        await self.until(end + COLLECTED_SECONDS)

    async def upgrade(self, tier: str, cents: int) -> tuple[Preview, Fraction]:
        """What the preview says, and what part of the period is left; then do it."""
        item, mark = await self.item(), Mark(local_id=uuid4().hex, begun_at=datetime.now(UTC))
        start, end = item.current_period_start, item.current_period_end
        assert start is not None
        assert end is not None
        shown = await at_stripe.preview(
            self._api, mark, self._subscription, item.id, tier, cents, self.now
        )
        price = await ensure_price(self._api, mark, tier, cents)
        changed = await at_stripe.upgrade(
            self._api, mark, self._subscription, item.id, price.id, self.now
        )
        assert changed.pending_update is None
        assert (await self.item()).price.unit_amount == cents
        return shown, Fraction(end - self.now, end - start)

    def charged(self) -> list[int]:
        """What was really taken."""
        entries = self._sandbox.ledger(kind="charge", customer=self._customer)["entries"]
        return [each["amount"] for each in entries]


async def live(payer: Payer, beginning: datetime, upgrades: list[tuple[int, int]]) -> None:
    await payer.subscribe(beginning)
    (_, paying), expected, waiting = PLANS[0], [PLANS[0][1]], 0
    for (periods, thousandths), (tier, cents) in zip(upgrades, PLANS[1:], strict=False):
        for _ in range(periods):
            await payer.renew()
            expected.append(paying + waiting)
            waiting = 0
        end = (await payer.item()).current_period_end or 0
        await payer.until(payer.now + (end - payer.now) * thousandths // 1000)
        shown, left = await payer.upgrade(tier, cents)
        note(f"{tier}: {shown.amount_due} for {float(left):.6f} of the period")
        # What waits from before comes in; and of each of the two lines a cent may be rounded.
        assert abs(shown.amount_due - waiting - (cents - paying) * left) <= 1
        expected += [due_now(shown)] if due_now(shown) else []
        waiting, paying = shown.amount_due - due_now(shown), cents
        assert payer.charged() == expected
    await payer.renew()
    assert payer.charged() == [*expected, paying + waiting]


def _settings(sandbox: Running) -> StripeSettings:
    return StripeSettings(
        database_url="postgresql://nowhere",
        stripe_secret_key=SECRET_KEY,
        stripe_publishable_key=PUBLISHABLE_KEY,
        stripe_webhook_secret=WEBHOOK_SECRET,
        stripe_api_base=sandbox.url,
    )


def test_whatever_the_moment_an_upgrade_moves_the_money_of_its_preview(alone: Running) -> None:
    loop = asyncio.new_event_loop()
    api = StripeApi(_settings(alone))

    @settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(st.one_of(st.sampled_from(MONTH_ENDS), ANY_DAY), UPGRADES)
    def lives(beginning: datetime, upgrades: list[tuple[int, int]]) -> None:
        loop.run_until_complete(live(Payer(alone, api), beginning, upgrades))

    try:
        lives()
    finally:
        loop.run_until_complete(api.close())
        loop.close()

"""Upgrades at random moments, month ends and leap days too, in trials, and while a cheaper plan is
announced: the money moved is the preview's.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from services.stripe_gateway.handlers import plan_changes
from services.stripe_gateway.rules.invoices import begins_since
from services.stripe_gateway.rules.lowering import lowering_of, main_item
from services.stripe_gateway.rules.objects import Subscription, SubscriptionItem
from services.stripe_gateway.rules.refusals import UPGRADE_UNPAID
from services.stripe_gateway.rules.subscriptions import Quote, described
from services.stripe_gateway.settings import StripeSettings
from services.stripe_gateway.stripe_api import Mark, StripeApi, invoices
from services.stripe_gateway.stripe_api import subscriptions as at_stripe
from services.stripe_gateway.stripe_api.prices import ensure_price
from shared.contracts.base import Refusal
from tests.stripe_sandbox.running import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    Running,
    start_sandbox,
)

if TYPE_CHECKING:
    from stripe.params import SubscriptionCreateParams

COLLECTED_SECONDS = 2 * 3600
BYO = ("byo", 1900)
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
TRIALS = st.sampled_from([0, 0, 14])


class Upgrade(NamedTuple):
    """Whole periods that pass, then how far into the next one (in thousandths) it is chosen; and
    whether a cheaper plan was to follow by then, and the first try is declined.
    """

    periods: int
    thousandths: int
    lowered: bool
    declined: bool


UPGRADES = st.lists(
    st.builds(Upgrade, st.integers(0, 2), st.integers(0, 999), st.booleans(), st.booleans()),
    min_size=1,
    max_size=2,
)


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

    async def subscribe(self, at: datetime, trial_days: int) -> None:
        """Begin with the cheapest plan, perhaps with a trial."""
        self.now = int(at.timestamp())
        clock = await self._api.v1.test_helpers.test_clocks.create_async({"frozen_time": self.now})
        made = await self._api.v1.customers.create_async({"test_clock": clock.id})
        card = await self._api.v1.payment_methods.attach_async(
            "pm_card_visa", {"customer": made.id}
        )
        price = await ensure_price(self._api, self._mark, *PLANS[0])
        params: SubscriptionCreateParams = {
            "customer": made.id,
            "items": [{"price": price.id}],
            "default_payment_method": card.id,
        }
        if trial_days:
            params["trial_period_days"] = trial_days
        begun = await self._api.v1.subscriptions.create_async(params)
        self._clock, self._customer, self._subscription = clock.id, made.id, begun.id

    async def stands(self) -> tuple[Subscription, SubscriptionItem]:
        """The subscription now, and its plan."""
        found = await at_stripe.fetch_subscription(self._api, self._subscription)
        item = main_item(found)
        assert item is not None
        return found, item

    async def item(self) -> SubscriptionItem:
        """What is subscribed to now."""
        return (await self.stands())[1]

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

    async def lower(self, plan: tuple[str, int]) -> None:
        """Announce a cheaper plan."""
        mark = self._new_mark()
        price = await ensure_price(self._api, mark, *plan)
        await plan_changes.lower(self._api, mark, *await self.stands(), price)

    async def quoted(self, plan: tuple[str, int]) -> tuple[Quote, Fraction]:
        """What the preview of an upgrade says, and what part of the period is left."""
        item, mark = await self.item(), self._new_mark()
        start, end = item.current_period_start, item.current_period_end
        assert start is not None
        assert end is not None
        shown = await plan_changes.preview_upgrade(
            self._api, mark, self._subscription, *plan, self.now
        )
        assert isinstance(shown, Quote)
        return shown, Fraction(end - self.now, end - start)

    async def upgrade(self, plan: tuple[str, int]) -> Refusal | None:
        """Have another plan now."""
        mark = self._new_mark()
        price = await ensure_price(self._api, mark, *plan)
        return await plan_changes.upgrade(self._api, mark, *await self.stands(), price, self.now)

    async def declined(self, plan: tuple[str, int]) -> None:
        """Try an upgrade that the bank declines: nothing is changed, whatever was announced."""
        before, item = await self.stands()
        self._sandbox.control("faults", kind="decline", target=self._customer)
        assert await self.upgrade(plan) == UPGRADE_UNPAID
        after, same = await self.stands()
        assert (described(after, None), same.price) == (described(before, None), item.price)

    def _new_mark(self) -> Mark:
        return Mark(local_id=uuid4().hex, begun_at=datetime.now(UTC))

    def charged(self) -> list[int]:
        """What was really taken."""
        entries = self._sandbox.ledger(kind="charge", customer=self._customer)["entries"]
        return [each["amount"] for each in entries]


async def live(payer: Payer, beginning: datetime, trial_days: int, upgrades: list[Upgrade]) -> None:
    await payer.subscribe(beginning, trial_days)
    paying, waiting, tried = PLANS[0][1], 0, trial_days > 0
    expected = [] if tried else [paying]
    for each, cheaper, plan in zip(upgrades, (BYO, PLANS[0]), PLANS[1:], strict=False):
        for _ in range(each.periods):
            await payer.renew()
            expected.append(paying + waiting)
            tried, waiting = False, 0
        end = (await payer.item()).current_period_end or 0
        await payer.until(payer.now + (end - payer.now) * each.thousandths // 1000)
        if each.lowered:
            await payer.lower(cheaper)
        shown, left = await payer.quoted(plan)
        note(f"{plan}: {shown} for {float(left):.6f} of the period")
        # Of each of the two lines a cent may be rounded.
        difference = Fraction(0) if tried else (plan[1] - paying) * left
        assert abs(shown.proration_cents - difference) <= 1
        # What waits from before comes in, and too little to be charged waits on.
        due = shown.proration_cents + waiting
        assert shown.due_now_cents == (due if due >= 50 else 0)
        if each.declined and shown.due_now_cents:
            await payer.declined(plan)
            assert await payer.quoted(plan) == (shown, left)
        assert await payer.upgrade(plan) is None
        subscription, item = await payer.stands()
        assert (item.price.unit_amount, lowering_of(subscription)) == (plan[1], None)
        expected += [shown.due_now_cents] if shown.due_now_cents else []
        waiting, paying = due - shown.due_now_cents, plan[1]
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
    @given(st.one_of(st.sampled_from(MONTH_ENDS), ANY_DAY), TRIALS, UPGRADES)
    def lives(beginning: datetime, trial_days: int, upgrades: list[Upgrade]) -> None:
        loop.run_until_complete(live(Payer(alone, api), beginning, trial_days, upgrades))

    try:
        lives()
    finally:
        loop.run_until_complete(api.close())
        loop.close()


@pytest.mark.parametrize(("most", "seen"), [(500, 5), (3, 3)])
async def test_what_a_plan_was_paid_with_is_found_page_by_page_the_newest_first(
    alone: Running, monkeypatch: pytest.MonkeyPatch, most: int, seen: int
) -> None:
    monkeypatch.setattr(invoices, "PAGE", 2)
    monkeypatch.setattr(invoices, "MOST_INVOICES", most)
    api = StripeApi(_settings(alone))
    try:
        payer = Payer(alone, api)
        await payer.subscribe(datetime(2027, 1, 31, tzinfo=UTC), 0)
        for _ in range(4):
            await payer.renew()
        subscription, item = await payer.stands()
        found = await invoices.list_invoices(api, subscription.id, "paid")
        starts = [each.lines.data[0].period.start for each in found if each.lines.data[0].period]
        assert starts == sorted(starts, reverse=True)
        assert (len(starts), starts[0]) == (seen, item.current_period_start)
        paid = await invoices.payments_where(
            api, subscription.id, partial(begins_since, since=starts[1])
        )
        assert list(paid.values()) == [PLANS[0][1]] * 2
    finally:
        await api.close()

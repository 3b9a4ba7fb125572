"""Each organization's announced costs have a gapless sequence and add up, whoever announces."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from nats.aio.msg import Msg

from services.cost_metering.app import service as cost_metering
from shared.bus import Bus, watch
from shared.contracts.base import event_subject
from shared.contracts.cost_metering import CostsRecorded, SetPriceOverride, TokenRates
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import CALL_PICOUSD, call
from tests.stack import Stack, until


class Listener:
    """Hears what is announced about one organization."""

    def __init__(self) -> None:
        self.heard: dict[int, CostsRecorded] = {}

    async def hear(self, message: Msg) -> None:
        event = msgspec.json.decode(message.data, type=CostsRecorded)
        # The relay may publish twice after a crash; it may never say two things.
        assert self.heard.setdefault(event.sequence, event) == event

    @property
    def in_order(self) -> Sequence[CostsRecorded]:
        return [self.heard[number] for number in sorted(self.heard)]

    async def reach(self, records: int, cost_picousd: int) -> None:
        """Wait until the totals announced are these, and the sequence has no gap."""

        async def last() -> tuple[int, int, bool]:
            if not self.heard:
                return 0, 0, True
            event = self.in_order[-1]
            gapless = sorted(self.heard) == list(range(1, event.sequence + 1))
            return event.total_records, event.total_cost_picousd, gapless

        await until(last, lambda found: found == (records, cost_picousd, True))

    def check(self) -> None:
        """Every total is the sum of all changes up to it."""
        sums = dict.fromkeys(("records", "tokens", "cost_picousd", "billable_cost_picousd"), 0)
        for number, event in enumerate(self.in_order, 1):
            assert event.sequence == number
            for name in sums:
                sums[name] += getattr(event, name)
                assert getattr(event, f"total_{name}") == sums[name]
            for name in ("records", "tokens", "cost_picousd"):
                assert sum(getattr(change, name) for change in event.changes) == getattr(
                    event, name
                )


@asynccontextmanager
async def listening(bus: Bus, customer: Customer) -> AsyncIterator[Listener]:
    listener = Listener()
    subject = event_subject(CostsRecorded, customer.organization_id)
    subscription = await watch(bus, subject, listener.hear)
    await bus.connection.flush()
    yield listener
    await subscription.unsubscribe()
    listener.check()


async def test_totals_are_announced_within_seconds_and_add_up(bus: Bus, customer: Customer) -> None:
    async with listening(bus, customer) as listener:
        for number in range(1, 5):
            await customer.report(*(call() for _ in range(25)))
            await listener.reach(25 * number, 25 * number * CALL_PICOUSD)
        own = [call(credential_source="byo") for _ in range(5)]
        await customer.report(*own)
        await listener.reach(105, 105 * CALL_PICOUSD)
        last = listener.in_order[-1]
        assert last.total_billable_cost_picousd == 100 * CALL_PICOUSD
        assert last.total_tokens == 105 * 1500


async def test_corrections_and_prices_found_are_announced_too(bus: Bus, customer: Customer) -> None:
    model = f"model-{customer.organization_id}"
    async with listening(bus, customer) as listener:
        original, unpriced = call(), call(provider="acme", model=model)
        await customer.report(original, unpriced)
        await listener.reach(2, CALL_PICOUSD)
        assert listener.in_order[-1].unpriced_records == 1
        await customer.report(
            call(
                corrects=original["event_id"],
                usage={
                    "prompt_tokens": 100,
                    "completion_tokens": 50,
                },
            )
        )
        await listener.reach(2, CALL_PICOUSD // 10)
        override = SetPriceOverride(
            provider="acme",
            model=model,
            rates=TokenRates(input="1", output="2"),
            reason="list",
            requested_by="olga",
        )
        await customer.ask(override)
        await listener.reach(2, CALL_PICOUSD // 10 + 2 * 10**9)
        assert listener.in_order[-1].unpriced_records == 0


async def test_two_replicas_announce_one_sequence(
    bus: Bus, customers: list[Customer], stack: Stack
) -> None:
    async def stream(customer: Customer) -> None:
        async with listening(bus, customer) as listener:
            for number in range(40):
                events = [call() for _ in range(10)]
                await customer.report(*events, producer="p", first_seq=10 * number + 1)
            await listener.reach(400, 400 * CALL_PICOUSD)
        assert_agrees(await customer.totals())

    async with stack.running(cost_metering):
        await asyncio.gather(*(stream(customer) for customer in customers[:3]))

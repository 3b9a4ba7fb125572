"""`kill -9` of the sandbox in the middle of charges: each key charges exactly once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stripe

from tests.stripe_sandbox.examples import unique
from tests.stripe_sandbox.running import Running, Webhooks, start_sandbox, until
from tests.stripe_sandbox.test_idempotency import charge

KILLS = 4


@pytest.fixture
def mortal(webhooks: Webhooks, tmp_path: Path) -> Iterator[Running]:
    """A sandbox of one's own, to be killed."""
    running = start_sandbox(tmp_path, webhooks.url)
    yield running
    running.stop()


@pytest.fixture
async def survivor(mortal: Running) -> AsyncIterator[stripe.StripeClient]:
    """A client of it."""
    client = mortal.client()
    yield client
    await mortal.close_client(client)


async def insist(client: stripe.StripeClient, key: str) -> None:
    """Charge under one key until there is an answer."""
    for _ in range(200):
        try:
            paid = await charge(client, key)
        except (stripe.APIConnectionError, stripe.APIError):
            await asyncio.sleep(0.05)
        else:
            assert paid.status == "succeeded"
            return
    raise AssertionError("no answer")


async def test_each_key_charges_once_through_kills(
    mortal: Running, survivor: stripe.StripeClient, webhooks: Webhooks
) -> None:
    run = unique()
    keys: list[str] = []
    killing = True

    async def charge_on() -> None:
        while killing:
            keys.append(f"{run}-{len(keys)}")
            await insist(survivor, keys[-1])

    charging = asyncio.gather(*(charge_on() for _ in range(12)))
    for _ in range(KILLS):
        begun = len(keys)
        await asyncio.sleep(0.2)
        assert len(keys) > begun
        mortal.kill()
        await asyncio.to_thread(mortal.start)
    killing = False
    await charging
    ledger = mortal.ledger(kind="charge")
    orders = [each["idempotency_key"] for each in ledger["entries"]]
    assert sorted(orders) == sorted(keys)
    assert ledger["charged"] == 1999 * len(keys)

    async def every_charge_was_told() -> bool:
        told = [e for e in webhooks.events(run) if e["type"] == "charge.succeeded"]
        return {each["data"]["object"]["metadata"]["order"] for each in told} == set(keys)

    await until(every_charge_was_told)


async def test_what_was_ordered_and_planned_survives_a_kill(
    mortal: Running, survivor: stripe.StripeClient
) -> None:
    mortal.control("faults", kind="lock_timeout", target="POST /v1/customers")
    clock = await survivor.v1.test_helpers.test_clocks.create_async({"frozen_time": 1_800_000_000})
    mortal.kill()
    mortal.start()
    with pytest.raises(stripe.RateLimitError):
        await survivor.v1.customers.create_async({})
    found = await survivor.v1.test_helpers.test_clocks.retrieve_async(clock.id)
    assert found.frozen_time == 1_800_000_000

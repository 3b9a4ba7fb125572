"""Every fault that a test can order of the API, and what is really charged under each."""

import asyncio
import time

import pytest
import stripe

from tests.stack import until
from tests.stripe_sandbox.examples import unique
from tests.stripe_sandbox.running import Running
from tests.stripe_sandbox.test_idempotency import charge

INTENTS = "POST /v1/payment_intents"


def charged(sandbox: Running, order: str) -> int:
    cents: int = sandbox.ledger(order=order, kind="charge")["charged"]
    return cents


async def test_a_locked_object_is_429_and_nothing_happens(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    sandbox.control("faults", kind="lock_timeout", target=INTENTS, count=2)
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as caught:
            await charge(client, key)
        assert caught.value.error is not None
        assert caught.value.error.code == "lock_timeout"
    assert charged(sandbox, key) == 0
    assert (await charge(client, key)).status == "succeeded"


async def test_a_500_before_the_work_is_replayed_for_ever(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    sandbox.control("faults", kind="error_before", target=INTENTS)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            await charge(client, key)
        assert caught.value.http_status == 500
    assert charged(sandbox, key) == 0
    await charge(client, f"{key}-2", metadata={"order": key})
    assert charged(sandbox, key) == 1999


async def test_a_500_after_the_work_has_charged(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    sandbox.control("faults", kind="error_after", target=INTENTS)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await charge(client, key)
    assert charged(sandbox, key) == 1999
    found = await client.v1.payment_intents.search_async({"query": f"metadata['order']:'{key}'"})
    assert [each.status for each in found.data] == ["succeeded"]


@pytest.mark.parametrize(("kind", "cents"), [("reset_before", 0), ("reset_after", 1999)])
async def test_a_connection_that_breaks_leaves_the_outcome_open(
    kind: str, cents: int, client: stripe.StripeClient, sandbox: Running
) -> None:
    key = unique()
    sandbox.control("faults", kind=kind, target=INTENTS)
    with pytest.raises(stripe.APIConnectionError):
        await charge(client, key)
    assert charged(sandbox, key) == cents
    assert (await charge(client, key)).status == "succeeded"
    assert charged(sandbox, key) == 1999


async def test_an_answer_that_never_comes_has_charged_once(sandbox: Running) -> None:
    key = unique()
    impatient = sandbox.client(timeout=0.3)
    sandbox.control("faults", kind="timeout_after", target=INTENTS)
    with pytest.raises(stripe.APIConnectionError):
        await charge(impatient, key)
    await sandbox.close_client(impatient)

    async def cents() -> int:
        return charged(sandbox, key)

    # Who has not waited knows nothing of when.
    await until(cents, lambda found: found == 1999)
    patient = sandbox.client()
    assert (await charge(patient, key)).status == "succeeded"
    assert charged(sandbox, key) == 1999
    await sandbox.close_client(patient)


async def test_retries_of_the_sdk_itself_charge_once(sandbox: Running) -> None:
    key = unique()
    patient = sandbox.client(max_network_retries=2)
    sandbox.control("faults", kind="reset_after", target=INTENTS)
    assert (await charge(patient, key)).status == "succeeded"
    assert charged(sandbox, key) == 1999
    await sandbox.close_client(patient)


async def test_a_slow_request_delays_no_other(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    sandbox.control("faults", kind="slow", seconds=10, target=INTENTS)
    began = time.monotonic()
    slow = asyncio.create_task(charge(client, unique()))
    await asyncio.sleep(0)
    for _ in range(5):
        await client.v1.customers.list_async({"limit": 1})
    assert not slow.done()
    await slow
    assert time.monotonic() - began >= 10


async def test_a_fault_waits_for_what_it_is_ordered_for(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    sandbox.control("faults", kind="error_before", target="POST /v1/refunds*")
    await client.v1.customers.create_async({})
    assert len(sandbox.control("faults/clear")["faults"]) == 0

"""From what an operator writes into TIERS to the line of an invoice: every service real."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.cost_metering.app import service as cost_metering
from services.invoicing.rules.profiles import next_close
from services.subscription.app import service as subscription
from services.subscription.settings import SubscriptionSettings
from shared.clock import FixedClock
from shared.contracts.cost_metering import CostSummary, GetCostSummary
from shared.contracts.invoicing import ListInvoiceUsage, PreviewInvoice
from shared.contracts.subscription import SetTier, TierName
from shared.contracts.usage import usage_subject
from shared.runtime import Runtime
from shared.settings import ServiceSettings
from tests.examples import call, envelope
from tests.invoicing.customer import Customer
from tests.stack import Stack, until

TIERS = {"pro": {"llm_markup_basis_points": 2345, "storage_overage_cents_per_gb": 25}}
GB = 1024**3
# Of gpt-4o, 100,000 tokens: a quarter of a dollar.
QUARTER = {"usage": {"prompt_tokens": 100_000, "completion_tokens": 0, "total_tokens": 100_000}}
DOLLAR = 10**12
PASSED_ON = DOLLAR * 12_345 // 10_000


@asynccontextmanager
async def running(
    service: Any, settings: ServiceSettings, clock: FixedClock
) -> AsyncIterator[None]:
    app = Runtime(service, settings, clock).app()
    await app.start()
    yield
    await app.stop()


@pytest.fixture(scope="module")
async def platform(stack: Stack, clock: FixedClock, replicas: list[Runtime]) -> AsyncIterator[None]:
    """Meter and plans, beside account and invoicing."""
    given = stack.settings("subscription")
    settings = SubscriptionSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
        tiers=json.dumps(TIERS),
    )
    async with AsyncExitStack() as services:
        await services.enter_async_context(running(subscription, settings, clock))
        metering = running(cost_metering, stack.settings("cost_metering"), clock)
        await services.enter_async_context(metering)
        yield


async def subscribe(customer: Customer, tier: TierName) -> None:
    """Have a tier; returns when invoicing knows."""
    await customer.account()
    await customer.ask(
        SetTier(organization_id=customer.organization_id, tier=tier, requested_by="operator")
    )

    async def known() -> list[str]:
        query = """
            SELECT tier FROM plan_terms WHERE organization_id = $1 ORDER BY version DESC LIMIT 1
        """
        return [row["tier"] for row in await customer.sql(query)]

    await until(known, lambda tiers: tiers == [tier])


async def publish(customer: Customer, stack: Stack, kind: str, *events: dict[str, Any]) -> None:
    """As an agent does."""
    agent = await stack.agent(customer.organization_id)
    subject = usage_subject(kind, customer.organization_id, "agent-1")
    await agent.request(subject, envelope(*events), timeout=10)
    await agent.close()


async def call_four_times(customer: Customer, stack: Stack) -> CostSummary:
    """For a dollar with keys of the platform's, and once with one's own; when it is all metered."""
    at = customer.clock.now().isoformat()
    calls = [call(occurred_at=at, **QUARTER) for _ in range(4)]
    own = call(occurred_at=at, credential_source="byo", **QUARTER)
    await publish(customer, stack, "llm", *calls, own)

    async def summary() -> CostSummary:
        return await customer.ask(GetCostSummary(organization_id=customer.organization_id))

    return await until(summary, lambda found: found.records == 5)


async def store(customer: Customer, stack: Stack, used_bytes: int) -> None:
    at = customer.clock.now().isoformat()
    reading = {"event_id": uuid4().hex, "gauge": "storage_bytes", "value": used_bytes}
    await publish(customer, stack, "gauge", {**reading, "occurred_at": at})

    async def read() -> int:
        query = "SELECT value FROM gauges WHERE organization_id = $1"
        return sum(row["value"] for row in await customer.sql(query, service="subscription"))

    await until(read, lambda value: value == used_bytes)


async def used(customer: Customer, expected: dict[str, int]) -> None:
    """Wait until so much is recorded of each kind, in pico-dollars."""

    async def recorded() -> dict[str, int]:
        found = Counter[str]()
        for record in await customer.usage():
            found[record.usage_type] += record.total_picousd
        return dict(found)

    await until(recorded, lambda found: found == expected)


async def end_month(customer: Customer, expected: dict[str, int]) -> None:
    """Let it end: half an hour later storage is told, half an hour after that it is closed."""
    close = next_close(customer.clock.now())
    customer.clock.advance(close - timedelta(minutes=30) - customer.clock.now())
    await used(customer, expected)
    customer.clock.advance(close - customer.clock.now())


@pytest.mark.usefixtures("platform")
async def test_what_tiers_say_is_what_an_invoice_says(customer: Customer, stack: Stack) -> None:
    await subscribe(customer, "pro")
    await call_four_times(customer, stack)
    # The plan has 50 GB.
    await store(customer, stack, 53 * GB + 1)
    # They are of the month in which they are announced.
    await used(customer, {"llm_cost": PASSED_ON})
    await end_month(customer, {"llm_cost": PASSED_ON, "storage": DOLLAR})

    async def invoices() -> Any:
        return [each for each in await customer.invoices() if each.status != "draft"]

    (invoice,) = await until(invoices, lambda found: len(found) == 1)
    storage, costs = sorted(invoice.lines, key=lambda line: line.kind, reverse=True)
    assert (storage.kind, storage.quantity, storage.total_cents) == ("storage", 4, 100)
    assert storage.unit_price_cents == 25
    assert (costs.kind, costs.total_cents, invoice.total_cents) == ("llm_cost", 123, 223)
    behind = await customer.ask(
        ListInvoiceUsage(
            organization_ids=(customer.organization_id,),
            invoice_id=invoice.invoice_id,
            position=costs.position,
        )
    )
    assert sum(record.total_picousd for record in behind.records) == PASSED_ON
    carried = await customer.sql("SELECT * FROM carries WHERE organization_id = $1")
    assert [(row["usage_type"], row["carry_picousd"]) for row in carried] == [
        ("llm_cost", DOLLAR * 45 // 10_000)
    ]


@pytest.mark.usefixtures("platform")
async def test_costs_of_who_brings_keys_are_shown_and_never_invoiced(
    customer: Customer, stack: Stack
) -> None:
    await subscribe(customer, "byo")
    shown = await call_four_times(customer, stack)
    # Also those that were made with keys of the platform's.
    assert shown.cost_picousd == 5 * DOLLAR // 4
    await store(customer, stack, 60 * GB)
    preview = await customer.ask(PreviewInvoice(organization_id=customer.organization_id))
    assert (preview.invoice, preview.carried_cents) == (None, 0)
    assert (await customer.generate()).invoice is None
    await end_month(customer, {})

    async def closes_next() -> Any:
        query = "SELECT next_close_at FROM billing_profiles WHERE organization_id = $1"
        return (await customer.sql(query))[0][0]

    await until(closes_next, lambda at: at > customer.clock.now())
    assert await customer.usage() == ()
    assert await customer.invoices() == ()

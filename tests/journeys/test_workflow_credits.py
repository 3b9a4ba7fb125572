"""Workflows beyond the free ones run on credits: granted, held, committed, never twice."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.account.app import AccountSettings
from services.account.app import service as account
from services.subscription.app import service as subscription
from services.subscription.settings import SubscriptionSettings
from shared.bus import Bus
from shared.contracts.account import Account, GetAccount, GrantCredits
from shared.contracts.base import Refusal
from shared.contracts.subscription import (
    CheckExecution,
    CompleteWorkflow,
    ReleaseWorkflow,
    Reservation,
    ReserveWorkflow,
)
from shared.runtime import Runtime
from tests.stack import Stack, until


@pytest.fixture(scope="module")
async def services(stack: Stack) -> AsyncIterator[None]:
    """Account and subscription, both real."""
    runtimes = []
    for service, kind in ((account, AccountSettings), (subscription, SubscriptionSettings)):
        given = stack.settings(service.name)
        settings: Any = kind(
            nats_url=given.nats_url,
            nats_credentials=given.nats_credentials,
            database_url=given.database_url,
        )
        runtimes.append(Runtime(service, settings))
    apps = [runtime.app() for runtime in runtimes]
    for app in apps:
        await app.start()
    yield
    for app in reversed(apps):
        await app.stop()


async def balance(bus: Bus, organization: str) -> Account:
    answer = await bus.ask(GetAccount(organization_id=organization))
    assert not isinstance(answer, Refusal)
    return answer


async def reserve(bus: Bus, organization: str) -> Reservation | Refusal:
    request = ReserveWorkflow(organization_id=organization, workflow_id=uuid4().hex)
    return await bus.ask(request, timeout_seconds=15)


async def granted(bus: Bus, organization: str) -> Reservation:
    answer = await reserve(bus, organization)
    assert isinstance(answer, Reservation), answer
    return answer


async def check(bus: Bus, organization: str) -> str:
    return (await bus.ask(CheckExecution(organization_id=organization))).code


async def test_credits_carry_workflows_beyond_the_free_ones(
    services: None, bus: Bus, organization: str
) -> None:
    await balance(bus, organization)
    grant = GrantCredits(
        organization_id=organization,
        grant_id="grant",
        amount_cents=2_500,
        description="A gift",
        requested_by="operator",
    )
    assert not isinstance(await bus.ask(grant), Refusal)
    assert [(await granted(bus, organization)).covered_by for _ in range(5)] == ["free"] * 5
    first, second = await granted(bus, organization), await granted(bus, organization)
    assert (first.covered_by, second.covered_by) == ("credits", "credits")
    found = await balance(bus, organization)
    assert (found.credit_balance_cents, found.credit_held_cents) == (500, 2_000)
    assert await check(bus, organization) == "free_workflows_used"
    refusal = await reserve(bus, organization)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (402, "free_workflows_used")

    await bus.ask(
        ReleaseWorkflow(organization_id=organization, reservation_id=second.reservation_id)
    )
    await until(lambda: balance(bus, organization), lambda each: each.credit_balance_cents == 1_500)
    done = CompleteWorkflow(organization_id=organization, reservation_id=first.reservation_id)
    answer = await bus.ask(done)
    assert isinstance(answer, Reservation)
    assert answer.state == "charged"
    found = await balance(bus, organization)
    assert (found.credit_balance_cents, found.credit_held_cents) == (1_500, 1_000)

    assert await check(bus, organization) == "covered_by_credits"

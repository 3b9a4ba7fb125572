"""Agents are counted while they may hold a credential, and not for ever."""

from datetime import timedelta

import pytest

from services.cost_metering.handlers import costs
from services.cost_metering.store.producers import COUNTED_FOR
from shared.clock import FixedClock, SystemClock
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import AgentRegistered, RegisterAgent
from shared.contracts.usage import MAX_ENVELOPE_BYTES, USAGE_KINDS
from shared.credentials import MAX_LIFETIME
from shared.database import Database
from shared.topology import HEADER_BYTES, MAX_ENVELOPES_PER_AGENT, USAGE
from tests.cost_metering.customer import Customer
from tests.stack import Stack

CAP = 3


class Platform:
    """Asks for credentials of one organization's agents, at a time of its own."""

    def __init__(self, stack: Stack, organization_id: str) -> None:
        self.clock = FixedClock(SystemClock().now())
        self._database = Database(stack.databases["cost_metering"].dsn, self.clock, "test")
        self._organization_id = organization_id

    async def register(self, agent_id: str) -> int | str:
        """How many agents count then, or the code of the refusal."""
        request = RegisterAgent(organization_id=self._organization_id, agent_id=agent_id)
        async with self._database.transaction() as db:
            answer = await costs.register_agent(request, db)
        return answer.code if isinstance(answer, Refusal) else answer.agents

    async def aclose(self) -> None:
        await self._database.close()


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "MAX_AGENTS", CAP)


@pytest.mark.usefixtures("small_cap")
async def test_agents_that_come_and_go_every_day_never_reach_the_cap(
    stack: Stack, customer: Customer
) -> None:
    platform = Platform(stack, customer.organization_id)
    for day in range(4):
        for number in range(CAP):
            assert await platform.register(f"task-{day}-{number}") == number + 1
        assert await platform.register("one-more") == "agent_limit_reached"
        platform.clock.advance(COUNTED_FOR)
    query = "SELECT agent_id FROM agents WHERE organization_id = $1"
    assert len(await customer.rows(query)) == CAP
    await platform.aclose()


@pytest.mark.usefixtures("small_cap")
async def test_an_agent_counts_from_its_last_credential_on(
    stack: Stack, customer: Customer
) -> None:
    platform = Platform(stack, customer.organization_id)
    assert await platform.register("stays") == 1
    for number in range(1, CAP):
        await platform.register(f"goes-{number}")
    platform.clock.advance(COUNTED_FOR - timedelta(minutes=1))
    # It was counted before, so the cap is not in its way, and its day begins anew.
    assert await platform.register("stays") == CAP
    platform.clock.advance(timedelta(minutes=1))
    assert await platform.register("new") == 2
    await platform.aclose()


async def test_the_service_counts_an_agent_once_however_often_it_asks(customer: Customer) -> None:
    request = RegisterAgent(organization_id=customer.organization_id, agent_id="agent-1")
    assert [await customer.ask(request) for _ in range(3)] == [AgentRegistered(agents=1)] * 3


def test_an_agent_counts_as_long_as_any_credential_lives() -> None:
    assert COUNTED_FOR > MAX_LIFETIME


def test_no_ten_agents_can_fill_the_stream() -> None:
    of_one = len(USAGE_KINDS) * MAX_ENVELOPES_PER_AGENT * (MAX_ENVELOPE_BYTES + HEADER_BYTES)
    assert 10 * of_one < (USAGE.max_bytes or 0)

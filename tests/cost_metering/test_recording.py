"""An event that an agent publishes becomes one record, priced exactly, whatever happens to it."""

from shared.bus import Bus
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import (
    ControlTotals,
    CostSummary,
    GetControlTotals,
    GetCostSummary,
)
from shared.contracts.usage import usage_subject
from shared.runtime import Runtime
from tests.examples import CALL_PICOUSD, call, envelope
from tests.stack import Stack, until


async def summary(bus: Bus, organization: str) -> CostSummary:
    answer = await bus.ask(GetCostSummary(organization_id=organization))
    assert not isinstance(answer, Refusal)
    return answer


async def totals(bus: Bus, organization: str) -> ControlTotals:
    answer = await bus.ask(GetControlTotals(organization_id=organization))
    assert not isinstance(answer, Refusal)
    return answer


async def test_a_call_is_recorded_and_priced(
    stack: Stack, meter: Runtime, bus: Bus, organization: str
) -> None:
    agent = await stack.agent(organization)
    ack = await agent.request(
        usage_subject("llm", organization, "agent-1"), envelope(call()), timeout=5
    )
    assert b'"stream":"USAGE"' in ack.data
    found = await until(lambda: summary(bus, organization), lambda s: s.records == 1)
    assert found.cost_picousd == CALL_PICOUSD
    assert found.tokens == 1500
    await agent.close()


async def test_an_envelope_delivered_twice_is_recorded_once(
    stack: Stack, meter: Runtime, bus: Bus, organization: str
) -> None:
    agent = await stack.agent(organization)
    body = envelope(*[call() for _ in range(10)], producer="p")
    more = envelope(*[call() for _ in range(10)], producer="p", first_seq=11)
    for each in (body, body, more, body, more):
        await agent.request(usage_subject("llm", organization, "agent-1"), each, timeout=5)
    found = await until(lambda: totals(bus, organization), lambda t: t.announced_records == 20)
    assert found.records == found.rollups_records == 20
    assert found.records_cost_picousd == 20 * CALL_PICOUSD
    assert found.rollups_cost_picousd == found.announced_cost_picousd == 20 * CALL_PICOUSD
    assert found.holes == found.dead_letters == 0
    await agent.close()

"""What an agent's credential allows and for how long, and that no token allows more."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import nkeys
import pytest
from nats.errors import Error

from deploy.bus_keys import AGENT_SUBSCRIPTIONS
from shared import topology
from shared.contracts.usage import MAX_ENVELOPE_BYTES, USAGE_KINDS, usage_subject
from shared.credentials import (
    MAX_LIFETIME,
    AgentCredential,
    encode_token,
    issue_agent_credential,
    new_key,
    public_key,
)
from tests.deploy.bus import CAREFUL, OurBus, happens, new_organization, usage_of


def handmade(
    bus: OurBus, claims: Mapping[str, Any], signer: nkeys.KeyPair | None = None
) -> AgentCredential:
    """A user token as somebody with a key could make it, past all our checks."""
    user, now = new_key(nkeys.PREFIX_BYTE_USER), datetime.now(UTC)
    nats_claims = {"type": "user", "version": 2, "issuer_account": bus.keys.agents, **claims}
    token = encode_token(
        {"name": "handmade", "sub": public_key(user), "nats": nats_claims},
        signer or bus.keys.agent_signer,
        now,
    )
    return AgentCredential(token, user.seed.decode(), public_key(user), now)


@pytest.mark.parametrize("kind", USAGE_KINDS)
async def test_an_agent_reports_usage_and_hears_the_acknowledgement(
    our_bus: OurBus, kind: str
) -> None:
    organization_id = new_organization()
    agent = await our_bus.agent(organization_id)
    answer = await agent.ask(usage_subject(kind, organization_id, "agent-1"))
    assert answer is not None
    assert answer["stream"] == "USAGE"
    assert await our_bus.stored(organization_id) == 1


async def test_organizations_that_differ_in_case_stay_apart(our_bus: OurBus) -> None:
    mixed = new_organization()
    lower = mixed.lower()
    of_mixed, of_lower = await our_bus.agent(mixed), await our_bus.agent(lower)
    assert await of_mixed.ask(usage_of(mixed)) is not None
    assert await of_lower.ask(usage_of(lower)) is not None
    assert not await of_mixed.publish(usage_of(lower))
    assert not await of_lower.publish(usage_of(mixed))
    assert [await our_bus.stored(mixed), await our_bus.stored(lower)] == [1, 1]


async def test_an_agent_cannot_report_as_another_agent_or_of_an_unknown_kind(
    our_bus: OurBus,
) -> None:
    organization_id = new_organization()
    agent = await our_bus.agent(organization_id)
    assert not await agent.publish(usage_subject("llm", organization_id, "agent-2"))
    assert not await agent.publish(usage_subject("gold", organization_id, "agent-1"))


@pytest.mark.parametrize(
    "bad_id",
    ["*", ">", "acme.*", "a.b", "", " acme", "acme\n", "_acme", "{{name()}}", "é", "a" * 65],
)
def test_an_id_that_is_not_one_plain_token_gets_no_credential(our_bus: OurBus, bad_id: str) -> None:
    signing_seed = our_bus.keys.agent_signing_seed.read_text()
    for organization_id, agent_id in ((bad_id, "agent-1"), ("acme", bad_id)):
        with pytest.raises(ValueError, match="is not the id of"):
            issue_agent_credential(
                signing_seed,
                our_bus.keys.agents,
                organization_id,
                agent_id,
                now=datetime.now(UTC),
            )


async def test_an_unchecked_wildcard_would_reach_every_organization(our_bus: OurBus) -> None:
    unchecked = handmade(our_bus, {"tags": ["org:*", "agent:agent-1"]})
    agent = await our_bus.agent_with(unchecked)
    assert await agent.ask(usage_of(new_organization())) is not None


async def test_a_token_without_tags_may_publish_nothing(our_bus: OurBus) -> None:
    agent = await our_bus.agent_with(handmade(our_bus, {}))
    assert not await agent.publish(usage_of(CAREFUL))
    assert not await agent.publish("anything")


WIDER = {"pub": {"allow": [">"]}, "sub": {"allow": [">"]}, "subs": -1, "data": -1, "payload": -1}


async def test_a_token_with_permissions_of_its_own_is_refused(our_bus: OurBus) -> None:
    with pytest.raises(Error):
        await our_bus.agent_with(handmade(our_bus, {"tags": ["org:acme", "agent:a"], **WIDER}))


async def test_a_key_without_a_template_would_have_signed_those_permissions(
    our_bus: OurBus,
) -> None:
    claims = {"issuer_account": public_key(our_bus.keys.billing), **WIDER}
    user = await our_bus.agent_with(handmade(our_bus, claims, our_bus.keys.billing))
    assert await user.publish("event.cost_metering.costs_recorded.acme")


async def test_a_token_of_a_key_that_nobody_knows_is_refused(our_bus: OurBus) -> None:
    stranger = new_key(nkeys.PREFIX_BYTE_ACCOUNT)
    with pytest.raises(Error):
        await our_bus.agent_with(
            handmade(our_bus, {"tags": ["org:acme", "agent:a"]}, signer=stranger)
        )


async def test_a_token_without_its_private_key_is_refused(our_bus: OurBus) -> None:
    stolen = our_bus.credential(new_organization())
    other_seed = new_key(nkeys.PREFIX_BYTE_USER).seed.decode()
    with pytest.raises(Error):
        await our_bus.agent_with(replace(stolen, seed=other_seed))


async def test_an_expired_credential_ends_its_connection_and_opens_no_other(
    our_bus: OurBus,
) -> None:
    short = our_bus.credential(new_organization(), lifetime=timedelta(seconds=2))
    agent = await our_bus.agent_with(short)
    assert agent.nc.is_connected
    assert await happens(lambda: agent.nc.is_closed, within_seconds=5)

    async def refused() -> bool:
        try:
            await our_bus.agent_with(short)
        except Error:
            return True
        return False  # a token's time is in whole seconds: this one was not over

    assert await happens(refused, within_seconds=5)


@pytest.mark.parametrize("lifetime", [timedelta(0), -timedelta(1), MAX_LIFETIME * 1.001])
def test_no_credential_lives_longer_than_a_day(our_bus: OurBus, lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="24 hours"):
        our_bus.credential("acme", lifetime=lifetime)


async def test_an_agent_that_does_set_a_message_id_is_held_up_for_less_than_a_second(
    our_bus: OurBus,
) -> None:
    victim, event_id = new_organization(), {"Nats-Msg-Id": f"{new_organization()}:call-1"}
    attacker, careless = await our_bus.agent(CAREFUL), await our_bus.agent(victim)
    await attacker.ask(usage_of(CAREFUL), headers=event_id)

    async def stored() -> bool:
        answer = await careless.ask(usage_of(victim), headers=event_id)
        return answer is not None and not answer.get("duplicate", False)

    assert await happens(stored, within_seconds=1)


async def test_an_agent_that_floods_is_told_to_wait_and_nobody_else_is(our_bus: OurBus) -> None:
    room = 3
    await our_bus.js.update_stream(topology.USAGE.evolve(max_msgs_per_subject=room))
    noisy_id, quiet_id = new_organization(), new_organization()
    noisy, quiet = await our_bus.agent(noisy_id), await our_bus.agent(quiet_id)
    answers = [await noisy.ask(usage_of(noisy_id)) for _ in range(room + 1)]
    assert ["error" in (answer or {}) for answer in answers] == [False] * room + [True]
    assert "error" not in (await quiet.ask(usage_of(quiet_id)) or {"error": "no answer"})
    assert await our_bus.stored(noisy_id) == room


async def test_an_oversized_message_ends_the_agents_connection(our_bus: OurBus) -> None:
    organization_id = new_organization()
    agent = await our_bus.agent(organization_id)
    await agent.nc.publish(usage_of(organization_id), b" " * (MAX_ENVELOPE_BYTES + 1))
    assert await happens(lambda: agent.nc.is_closed, within_seconds=5)
    assert await our_bus.stored(organization_id) == 0


async def test_an_agent_holds_a_handful_of_subscriptions(our_bus: OurBus) -> None:
    credential = our_bus.credential(new_organization())
    agent = await our_bus.agent_with(credential)
    for number in range(AGENT_SUBSCRIPTIONS):
        assert await agent.hear(f"{credential.inbox_prefix}.{number}") is not None
    await agent.nc.subscribe(f"{credential.inbox_prefix}.more")
    assert await happens(lambda: agent.nc.is_closed, within_seconds=5)

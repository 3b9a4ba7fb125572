"""Credentials that let an agent report its usage on the bus."""

from datetime import timedelta

import msgspec
from litestar import post

from services.gateway.asks import Caller
from services.gateway.errors import WRITING_STATUSES, ApiError, declared
from services.gateway.parameters import AgentId, Given, IdempotencyKey, OrganizationId
from services.gateway.responses import AgentCredentialResponse
from shared.clock import Clock
from shared.contracts.cost_metering import RegisterAgent
from shared.credentials import issue_agent_credential

LIFETIME = timedelta(hours=1)


class CredentialIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """What credentials are signed with; `signing_seed` is a secret."""

    signing_seed: str
    agents_account: str
    nats_url: str | None


@post(
    "/account/{organization_id:str}/agents/{agent_id:str}/credentials",
    operation_id="issue_agent_credentials",
    opt={"permission": "issue_credentials", "no_compression": True},
    status_code=201,
    responses=declared(*WRITING_STATUSES),
    tags=["agents"],
)
async def issue_agent_credentials(
    organization_id: OrganizationId,
    agent_id: AgentId,
    caller: Given[Caller],
    issuer: Given[CredentialIssuer | None],
    wall_clock: Given[Clock],
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 -- taken, and not passed on
) -> AgentCredentialResponse:
    """Give an agent an hour's credential for its own subjects of the bus.

    Nothing of it is stored, so asking again, with the same key too, gives a new one; the one
    before stays valid until it ends. Refused beyond the organization's number of agents.
    """
    if issuer is None:
        raise ApiError(
            503, "credentials_not_configured", "This installation issues no agent credentials."
        )
    # Without the key: counting an agent twice counts it once, and an answer that was kept from
    # last week would leave an agent uncounted that gets a credential today.
    await caller.ask(RegisterAgent(organization_id=organization_id, agent_id=agent_id))
    credential = issue_agent_credential(
        issuer.signing_seed,
        issuer.agents_account,
        organization_id,
        agent_id,
        now=wall_clock.now(),
        lifetime=LIFETIME,
    )
    return AgentCredentialResponse(
        organization_id=organization_id,
        agent_id=agent_id,
        credentials=credential.text,
        inbox_prefix=credential.inbox_prefix,
        nats_url=issuer.nats_url,
        expires_at=credential.expires_at,
    )

"""What an agent imports to report the LLM calls it made; needs nats-py, nkeys and msgspec only.

async with AgentClient(nats_url=…, credentials="agent.creds", spool="~/.billing") as meter:
    response = anthropic.messages.create(…)
    meter.record_response(response, task_id="task-1")
"""

from shared.agent_client.client import AgentClient, Stats
from shared.agent_client.credentials import CredentialsError

__all__ = ["AgentClient", "CredentialsError", "Stats"]

"""An agent for the page's tests: each line that it reads is a model, called once.

`python -m tests.frontend.agent ORGANIZATION`, with BILLING_HOME and NATS_PORT of a `make run`. A
line is `PROVIDER MODEL [DAYS_AGO [TIMES]]`.
"""

import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta

from deploy.credentials import issue
from deploy.files import default_home, default_nats_url
from shared.agent_client import AgentClient

USAGE = {"prompt_tokens": 200_000, "completion_tokens": 50_000}


def main() -> None:
    """Call what is asked for, and say so once the bus has it."""
    organization_id = sys.argv[1]
    issuing = issue(
        default_home(), default_nats_url(), organization_id, "agent-1", lifetime=timedelta(hours=1)
    )
    credential = asyncio.run(issuing)
    with tempfile.TemporaryDirectory() as spool:
        agent = AgentClient(nats_url=default_nats_url(), credentials=credential.text, spool=spool)
        print("ready", flush=True)
        for line in sys.stdin:
            call(agent, *line.split())
            print("recorded", flush=True)
        agent.close()


def call(
    agent: AgentClient, provider: str, model: str, days_ago: str = "0", times: str = "1"
) -> None:
    """Call a model so many times, as if it were so many days ago."""
    at = datetime.now(UTC) - timedelta(days=int(days_ago))
    for _ in range(int(times)):
        agent.record_llm(
            task_id="task-1", provider=provider, model=model, usage=USAGE, occurred_at=at
        )


if __name__ == "__main__":
    main()

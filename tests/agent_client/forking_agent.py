"""An agent that forks while it records; parent and child say what they have recorded.

python forking_agent.py NATS_URL CREDENTIALS SPOOL
"""

import os
import sys

from shared.agent_client import AgentClient
from tests.agent_client.usage_bus import call


def main(nats_url: str, credentials: str, spool: str) -> None:
    meter = AgentClient(nats_url=nats_url, credentials=credentials, spool=spool)
    say(meter, "before")
    child = os.fork()
    for _ in range(20):
        say(meter, "parent" if child else "child")
    if not meter.close(20):
        os._exit(1)
    if not child:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def say(meter: AgentClient, who: str) -> None:
    os.write(1, f"{who} {meter.record_llm(**call())}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])

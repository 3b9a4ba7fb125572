"""An agent for the tests to kill: it records as fast as it can and says what it has recorded.

    python recording_agent.py NATS_URL CREDENTIALS SPOOL

One line per call goes to standard output, after `record_llm` has returned.
"""

import itertools
import os
import sys

from shared.agent_client import AgentClient
from tests.agent_client.usage_bus import call


def main(nats_url: str, credentials: str, spool: str) -> None:
    meter = AgentClient(nats_url=nats_url, credentials=credentials, spool=spool)
    for number in itertools.count():
        event_id = meter.record_llm(**call(number))
        if event_id is None:
            sys.exit("a call was not recorded")
        os.write(1, f"{event_id}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])

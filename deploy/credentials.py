"""Give an agent a short-lived credential: `python -m deploy.credentials --help`."""

import argparse
import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.asking import USER, NotDone, ask, connected, where_options
from deploy.files import write_private
from shared.contracts.base import owner_of
from shared.contracts.cost_metering import RegisterAgent
from shared.credentials import AgentCredential, issue_agent_credential
from shared.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        credential = asyncio.run(
            issue(
                options.home,
                options.nats_url,
                options.organization,
                options.agent,
                lifetime=timedelta(hours=options.hours),
            )
        )
    except (NotDone, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.out is None:
        print(credential.text, end="")
    else:
        write_private(options.out, credential.text)
        print(f"{options.out} is valid until {credential.expires_at:%Y-%m-%d %H:%M} UTC.")
    return 0


async def issue(
    home: Path, nats_url: str, organization_id: str, agent_id: str, *, lifetime: timedelta
) -> AgentCredential:
    """Register the agent with the meter, then sign its credential.

    Raises NotDone or ValueError, each with a sentence for the user.
    """
    keys = home / "keys"
    try:
        signing_seed = (keys / "agents_signing.seed").read_text()
        account = (keys / "agents.account").read_text()
    except FileNotFoundError as error:
        raise NotDone(f"There are no keys in {keys}; run `make run` first.") from error
    credential = issue_agent_credential(
        signing_seed,
        account,
        organization_id,
        agent_id,
        now=datetime.now(UTC),
        lifetime=lifetime,
    )
    settings = Settings(nats_url=nats_url, nats_credentials=str(keys / f"{USER}.creds"))
    async with connected(settings) as bus:
        # It is counted, because each agent may fill its share of the stream.
        request = RegisterAgent(organization_id=organization_id, agent_id=agent_id)
        await ask(bus, owner_of(RegisterAgent), request)
    return credential


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.credentials",
        parents=[where_options()],
        description="Print a NATS credential with which one agent may report its usage.",
    )
    parser.add_argument("--organization", required=True, help="the organization that is billed")
    parser.add_argument("--agent", required=True, help="the agent's id")
    parser.add_argument(
        "--hours", type=float, default=1, help="how long it lives, at most 24 (default: 1)"
    )
    parser.add_argument("--out", type=Path, help="write a file of mode 0600 instead of printing")
    return parser


if __name__ == "__main__":
    # What the bus warns of belongs to a service's log; here it would hide our own sentence.
    logging.basicConfig(level=logging.ERROR)
    sys.exit(main())

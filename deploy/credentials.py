"""Give an agent a short-lived credential: `python -m deploy.credentials --help`."""

import argparse
import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.files import default_home, default_nats_url, write_private
from shared.bus import AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import RegisterAgent
from shared.credentials import AgentCredential, issue_agent_credential
from shared.settings import Settings

CONNECT_TIMEOUT_SECONDS = 5
OPERATOR = "operator"


class NotIssued(Exception):
    """No credential was made; the message is a sentence for the user."""


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
    except (NotIssued, ValueError) as error:
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

    Raises NotIssued or ValueError, each with a sentence for the user.
    """
    keys = home / "keys"
    try:
        signing_seed = (keys / "agents_signing.seed").read_text()
        account = (keys / "agents.account").read_text()
    except FileNotFoundError as error:
        raise NotIssued(f"There are no keys in {keys}; run `make run` first.") from error
    credential = issue_agent_credential(
        signing_seed,
        account,
        organization_id,
        agent_id,
        now=datetime.now(UTC),
        lifetime=lifetime,
    )
    settings = Settings(nats_url=nats_url, nats_credentials=str(keys / f"{OPERATOR}.creds"))
    await _register(settings, RegisterAgent(organization_id=organization_id, agent_id=agent_id))
    return credential


async def _register(settings: Settings, request: RegisterAgent) -> None:
    """Count the agent, because each may fill its share of the stream."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            bus = await Bus.connect(settings, OPERATOR)
    except (OSError, TimeoutError) as error:
        raise NotIssued(f"{settings.nats_url} does not answer; is `make run` running?") from error
    try:
        answer = await bus.ask(request)
    except (NoAnswerer, AnswerTimedOut, AnswerFailed) as error:
        raise NotIssued(f"The agent could not be registered: {error}.") from error
    finally:
        await bus.close()
    if isinstance(answer, Refusal):
        raise NotIssued(answer.detail)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.credentials",
        description="Print a NATS credential with which one agent may report its usage.",
    )
    parser.add_argument("--organization", required=True, help="the organization that is billed")
    parser.add_argument("--agent", required=True, help="the agent's id")
    parser.add_argument(
        "--hours", type=float, default=1, help="how long it lives, at most 24 (default: 1)"
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the data folder of `make run` (default: $BILLING_HOME or var)",
    )
    parser.add_argument(
        "--nats-url",
        default=default_nats_url(),
        help="the bus (default: $NATS_URL, or that of make run: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="write a file of mode 0600 instead of printing")
    return parser


if __name__ == "__main__":
    # What the bus warns of belongs to a service's log; here it would hide our own sentence.
    logging.basicConfig(level=logging.ERROR)
    sys.exit(main())

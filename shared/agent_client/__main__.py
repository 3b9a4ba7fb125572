"""What an agent's spool holds, and sending it by hand: `python -m shared.agent_client --help`."""

import argparse
import sys
from pathlib import Path

from shared.agent_client import producers
from shared.agent_client.client import GIBIBYTE
from shared.agent_client.credentials import CredentialsError, read_credentials
from shared.agent_client.losses import Losses
from shared.agent_client.publisher import Publisher
from shared.agent_client.segments import segment_path, segments_in, whole_part
from shared.agent_client.spool import Spool, read_cursor

STOP_SECONDS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 when nothing is left to send, 1 when something is, 2 on a fault."""
    parser = argparse.ArgumentParser(prog="python -m shared.agent_client", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    status = commands.add_parser("status", help="show every producer of a spool directory")
    status.set_defaults(run=_status)
    drain = commands.add_parser("drain", help="send what dead agents left in a spool directory")
    drain.add_argument("--nats-url", required=True)
    drain.add_argument("--credentials", required=True, help="path of the agent's .creds file")
    drain.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS")
    drain.set_defaults(run=_drain)
    for command in (status, drain):
        command.add_argument("spool", type=Path)
    given = parser.parse_args(arguments)
    try:
        code: int = given.run(given)
    except (OSError, CredentialsError) as error:
        print(error, file=sys.stderr)
        return 2
    return code


def _status(given: argparse.Namespace) -> int:
    folders = producers.producers_in(given.spool)
    left = sum(_show(folder) for folder in folders)
    print(f"{len(folders)} producers, {left} events to send.")
    return 1 if left else 0


def _show(folder: Path) -> int:
    owner = producers.owner_of(folder)
    if owner is None:
        print(f"{folder.name}  cannot be read")
        return 1
    segments = segments_in(folder)
    last, _ = whole_part(folder, segments[-1])
    pending = max(0, last - read_cursor(folder))
    size = sum(segment_path(folder, first).stat().st_size for first in segments)
    losses = Losses(folder)
    print(
        f"{folder.name}  {owner.kind} of {owner.organization_id}/{owner.agent_id}"
        f"  {'in use' if producers.is_held(folder) else 'free'}  last {last}  to send {pending}"
        f"  {size} bytes  rejected {losses.rejected()}  overflowed {losses.overflow().lost_calls}"
    )
    return pending


def _drain(given: argparse.Namespace) -> int:
    found = read_credentials(given.credentials)
    who = (found.organization_id, found.agent_id)
    spools = producers.take_free(given.spool, GIBIBYTE)
    mine = [each for each in spools if (each.owner.organization_id, each.owner.agent_id) == who]
    others = [each for each in spools if each not in mine]
    before = sum(spool.pending for spool in mine)
    if before:
        _send(given, mine)
    left = sum(spool.pending for spool in mine)
    print(f"{before - left} events sent, {left} left.")
    if others:
        print(f"{sum(each.pending for each in others)} events of other agents need theirs.")
    for spool in spools:
        spool.close()
    return 1 if left else 0


def _send(given: argparse.Namespace, spools: list[Spool]) -> None:
    publisher = Publisher(given.nats_url, given.credentials, spools)
    publisher.start()
    sent = publisher.wait_until_sent(given.timeout)
    publisher.stop(STOP_SECONDS)
    if not sent:
        print(publisher.last_error or "The bus did not answer in time.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""What a service could not process, and what is to become of it: `python -m deploy.dead_letters`.

Asks the service over the bus, as the user `operator`.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any, get_args

from deploy.asking import NotDone, ask, connected, requested_by, settings_of, table, where_options
from shared.contracts.base import Done, Request
from shared.contracts.operations import (
    DeadLetter,
    DeadLetters,
    DeadLetterState,
    DiscardDeadLetters,
    ListDeadLetters,
    ReplayDeadLetters,
    ShowDeadLetter,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = asyncio.run(_ask(options))
    except NotDone as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if isinstance(answer, Done):
        done = {"replay": "will be replayed", "discard": "discarded"}[options.command]
        print(f"{answer.affected} of {len(options.ids)} {done}.")
        return 0 if answer.affected == len(options.ids) else 1
    if options.command == "show":
        print(_whole(answer.letters[0]))
    else:
        print(_table(answer.letters))
    return 0


async def _ask(options: argparse.Namespace) -> DeadLetters | Done:
    async with connected(settings_of(options)) as bus:
        answer: DeadLetters | Done = await ask(bus, options.service, _request(options))
    return answer


def _request(options: argparse.Namespace) -> Request[Any]:
    match options.command:
        case "show":
            return ShowDeadLetter(letter_id=options.id)
        case "replay":
            return ReplayDeadLetters(letter_ids=tuple(options.ids), requested_by=requested_by())
        case "discard":
            return DiscardDeadLetters(
                letter_ids=tuple(options.ids),
                discard_reason=options.reason,
                requested_by=requested_by(),
            )
    return ListDeadLetters(state=options.state, reason=options.reason, limit=options.limit)


def _table(letters: Sequence[DeadLetter]) -> str:
    if not letters:
        return "No dead letters."
    heads = ("id", "last seen", "times", "consumer", "organization", "reason", "detail")
    rows = [
        (
            str(letter.letter_id),
            f"{letter.last_seen_at:%Y-%m-%d %H:%M}",
            str(letter.occurrences),
            letter.consumer,
            letter.organization_id or "-",
            letter.reason,
            letter.detail[:60],
        )
        for letter in letters
    ]
    return table(heads, rows)


def _whole(letter: DeadLetter) -> str:
    names = [name for name in DeadLetter.__struct_fields__ if name != "body"]
    lines = [f"{name:16} {getattr(letter, name)}" for name in names]
    return "\n".join([*lines, "", letter.body or ""])


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False, parents=[where_options()])
    shared.add_argument("--service", required=True, help="whose letters, such as cost_metering")
    parser = argparse.ArgumentParser(
        prog="python -m deploy.dead_letters",
        description="See, replay or discard what a service could not process.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", parents=[shared], help="the newest letters in a state")
    listing.add_argument("--state", choices=get_args(DeadLetterState), default="parked")
    listing.add_argument("--reason", help="only those with this reason, such as malformed")
    listing.add_argument("--limit", type=int, default=50, help="at most so many, up to 200")
    showing = commands.add_parser("show", parents=[shared], help="one letter with its body")
    showing.add_argument("id", type=int)
    replaying = commands.add_parser(
        "replay",
        parents=[shared],
        help="hand letters to their handler again; what fails again is parked again",
    )
    discarding = commands.add_parser("discard", parents=[shared], help="give letters up for good")
    discarding.add_argument("--reason", required=True, help="why; it stays on record")
    for command in (replaying, discarding):
        command.add_argument("ids", type=int, nargs="+", metavar="id")
    return parser


if __name__ == "__main__":
    sys.exit(main())

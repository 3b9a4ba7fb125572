"""What a service could not process, and what is to become of it: `python -m deploy.dead_letters`.

Asks the service over the bus, as the user `operator`.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import nats.errors

from deploy.files import default_home, default_nats_url
from shared.bus import AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.contracts.base import Done, Refusal, Request
from shared.contracts.operations import (
    DeadLetter,
    DeadLetters,
    DeadLetterState,
    DiscardDeadLetters,
    ListDeadLetters,
    ReplayDeadLetters,
    ShowDeadLetter,
)
from shared.settings import Settings

USER = "operator"
CONNECT_TIMEOUT_SECONDS = 5


class NotDone(Exception):
    """Nothing was changed; the message is a sentence for the user."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = asyncio.run(ask(_settings(options), options.service, _request(options)))
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


async def ask(settings: Settings, service: str, request: Request[Any]) -> DeadLetters | Done:
    """Ask one service; raises NotDone."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            bus = await Bus.connect(settings, USER)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise NotDone(f"{settings.nats_url} does not let us in; is `make run` running?") from error
    try:
        answer: DeadLetters | Done | Refusal = await bus.ask(request, owner=service, principal=USER)
    except (NoAnswerer, AnswerTimedOut, AnswerFailed) as error:
        raise NotDone(f"{service} gave no answer: {error}.") from error
    finally:
        await bus.close()
    if isinstance(answer, Refusal):
        raise NotDone(answer.detail)
    return answer


def _settings(options: argparse.Namespace) -> Settings:
    given = os.environ.get("NATS_CREDENTIALS")
    credentials = Path(given) if given else options.home / "keys" / f"{USER}.creds"
    if not credentials.is_file():
        raise NotDone(f"There are no credentials in {credentials}.")
    return Settings(nats_url=options.nats_url, nats_credentials=str(credentials))


def _request(options: argparse.Namespace) -> Request[Any]:
    match options.command:
        case "show":
            return ShowDeadLetter(letter_id=options.id)
        case "replay":
            return ReplayDeadLetters(letter_ids=tuple(options.ids))
        case "discard":
            return DiscardDeadLetters(letter_ids=tuple(options.ids), discard_reason=options.reason)
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
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return "\n".join(lines)


def _whole(letter: DeadLetter) -> str:
    names = [name for name in DeadLetter.__struct_fields__ if name != "body"]
    lines = [f"{name:16} {getattr(letter, name)}" for name in names]
    return "\n".join([*lines, "", letter.body or ""])


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--service", required=True, help="whose letters, such as cost_metering")
    shared.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the data folder of `make run`, with its keys (default: $BILLING_HOME or var)",
    )
    shared.add_argument(
        "--nats-url", default=default_nats_url(), help="the bus (default: %(default)s)"
    )
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

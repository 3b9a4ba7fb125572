"""What a service gave up at another system, and resuming it: `python -m deploy.parked_steps`.

Asks the service over the bus, as the user `operator`.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from deploy.asking import NotDone, ask, connected, requested_by, settings_of, table, where_options
from shared.contracts.base import Done, Request
from shared.contracts.operations import (
    ListParkedSteps,
    ParkedStep,
    ParkedSteps,
    ResumeParkedSteps,
    ShowParkedStep,
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
        print(f"{answer.affected} of {len(options.ids)} resumed.")
        return 0 if answer.affected == len(options.ids) else 1
    print(_whole(answer.steps[0]) if options.command == "show" else _table(answer.steps))
    return 0


async def _ask(options: argparse.Namespace) -> ParkedSteps | Done:
    async with connected(settings_of(options)) as bus:
        answer: ParkedSteps | Done = await ask(bus, options.service, _request(options))
    return answer


def _request(options: argparse.Namespace) -> Request[Any]:
    match options.command:
        case "show":
            return ShowParkedStep(step_id=options.id)
        case "resume":
            return ResumeParkedSteps(step_ids=tuple(options.ids), requested_by=requested_by())
    return ListParkedSteps(
        kind=options.kind, organization_id=options.organization, limit=options.limit
    )


def _table(steps: Sequence[ParkedStep]) -> str:
    if not steps:
        return "No parked steps."
    heads = ("id", "begun", "attempts", "kind", "organization", "last error")
    rows = [
        (
            step.step_id,
            f"{step.created_at:%Y-%m-%d %H:%M}",
            str(step.attempts),
            step.kind,
            step.organization_id or "-",
            (step.last_error or "-")[:60],
        )
        for step in steps
    ]
    return table(heads, rows)


def _whole(step: ParkedStep) -> str:
    names = [name for name in ParkedStep.__struct_fields__ if name != "state"]
    lines = [f"{name:16} {getattr(step, name)}" for name in names]
    return "\n".join([*lines, "", step.state or ""])


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False, parents=[where_options()])
    shared.add_argument("--service", required=True, help="whose steps, such as stripe_gateway")
    parser = argparse.ArgumentParser(
        prog="python -m deploy.parked_steps",
        description="See or resume what a service gave up at another system after many attempts.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", parents=[shared], help="the last tried first")
    listing.add_argument("--kind", help="only those of this kind, such as create_customer")
    listing.add_argument("--organization", help="only this one's")
    listing.add_argument("--limit", type=int, default=50, help="at most so many, up to 200")
    showing = commands.add_parser(
        "show", parents=[shared], help="one step with what it was prepared with"
    )
    showing.add_argument("id")
    resuming = commands.add_parser(
        "resume",
        parents=[shared],
        help="take steps up again, with all their attempts before them",
    )
    resuming.add_argument("ids", nargs="+", metavar="id")
    return parser


if __name__ == "__main__":
    sys.exit(main())

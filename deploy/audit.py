"""What the auditor found, why, and that an account may go on: `python -m deploy.audit`.

Asks over the bus, as the user `operator`.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any, get_args

from deploy.asking import NotDone, ask, connected, requested_by, settings_of, table, where_options
from deploy.verifying import Line, verify
from shared.bus import Bus
from shared.contracts.auditor import (
    ExplainFinding,
    Explanation,
    Figure,
    Finding,
    FindingStatus,
    GetParked,
    ListFindings,
    ParkedAccount,
    ReleaseAccount,
)

AUDITOR = "auditor"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code, 1 when something does not agree."""
    options = _parser().parse_args(arguments)
    try:
        text, agrees = asyncio.run(_run(options))
    except NotDone as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(text)
    return 0 if agrees else 1


async def _run(options: argparse.Namespace) -> tuple[str, bool]:
    async with connected(settings_of(options)) as bus:
        match options.command:
            case "show":
                return await _show(bus, options)
            case "explain":
                request = ExplainFinding(finding_id=options.finding)
                return _explained(await ask(bus, AUDITOR, request)), True
            case "release":
                return await _release(bus, options), True
        lines = await verify(bus, options.organization)
        return _verified(lines), all(line.agrees for line in lines)


async def _show(bus: Bus, options: argparse.Namespace) -> tuple[str, bool]:
    only: Any = options.organization
    parked = await ask(bus, AUDITOR, GetParked(organization_id=only, limit=options.limit))
    request = ListFindings(organization_id=only, status=options.status, limit=options.limit)
    found = (await ask(bus, AUDITOR, request)).findings
    parts = [_accounts(parked.accounts), _findings(found)]
    return "\n\n".join(parts), not parked.accounts


async def _release(bus: Bus, options: argparse.Namespace) -> str:
    request = ReleaseAccount(
        organization_id=options.organization,
        reason=options.reason,
        requested_by=requested_by(),
    )
    released = await ask(bus, AUDITOR, request)
    return f"{released.organization_id} goes on; {released.release_reason!r} stays on record."


def _accounts(accounts: Sequence[ParkedAccount]) -> str:
    if not accounts:
        return "No account is parked."
    rows = [
        (each.organization_id, f"{each.parked_at:%Y-%m-%d %H:%M:%S}", each.reason)
        for each in accounts
    ]
    return table(("parked", "since", "because"), rows)


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return "No findings."
    rows = [
        (
            each.finding_id,
            each.organization_id,
            each.invariant,
            each.check,
            f"{each.difference:+}",
            each.status if each.agrees_since is None else f"{each.status}, agrees again",
            f"{each.found_at:%Y-%m-%d %H:%M:%S}",
        )
        for each in found
    ]
    heads = ("finding", "organization", "", "check", "difference", "status", "found")
    return table(heads, rows)


def _explained(told: Explanation) -> str:
    finding = told.finding
    head = [
        f"{finding.organization_id}: {finding.sentence} ({finding.invariant})",
        f"{finding.check}, found {finding.found_at:%Y-%m-%d %H:%M:%S}, is {finding.status};"
        f" left - right = {finding.difference:+}, judged until {told.judged_until:%H:%M:%S} UTC.",
    ]
    figures = [
        *(_figure("left", each) for each in told.left),
        *(_figure("right", each) for each in told.right),
    ]
    parts = [
        "\n".join(head),
        table(("side", "owner", "figure", "value", "up to number"), figures),
    ]
    if told.rows:
        rows = [(row.key, _cell(row.left), _cell(row.right)) for row in told.rows]
        heads = ("row", told.left_rows or "left", told.right_rows or "ought to be")
        parts.append(table(heads, rows))
    if not told.rows_complete:
        parts.append("There are more rows that differ, or not all of them could be read.")
    return "\n\n".join(parts)


def _figure(side: str, figure: Figure) -> tuple[str, ...]:
    return side, figure.owner, figure.name, str(figure.value), str(figure.sequence)


def _verified(lines: Sequence[Line]) -> str:
    rows = [
        (
            line.invariant,
            line.name,
            str(line.left),
            _cell(line.left_rows),
            str(line.right),
            _cell(line.right_rows),
            "agrees" if line.agrees else "DIFFERS",
        )
        for line in lines
    ]
    parts = [table(("", "check", "left", "its rows", "right", "its rows", ""), rows)]
    for line in lines:
        if line.rows:
            differing = [(row.key, _cell(row.left), _cell(row.right)) for row in line.rows]
            parts.append(table((line.name, "left", "right"), differing))
    if not all(line.agrees for line in lines):
        parts.append("What is under way between two owners passes: ask again before you act.")
    return "\n\n".join(parts)


def _cell(value: int | None) -> str:
    return "-" if value is None else str(value)


def _parser() -> argparse.ArgumentParser:
    where = where_options()
    parser = argparse.ArgumentParser(
        prog="python -m deploy.audit",
        description="See what the auditor found, why, and let an account go on.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    showing = commands.add_parser(
        "show", parents=[where], help="parked accounts and findings; exits 1 if one is parked"
    )
    showing.add_argument("--organization", help="only this one's")
    showing.add_argument("--status", choices=get_args(FindingStatus), default="open")
    showing.add_argument("--limit", type=int, default=50, help="at most so many, up to 200")
    explaining = commands.add_parser(
        "explain", parents=[where], help="what was compared, and the rows that differ"
    )
    explaining.add_argument("finding", help="its id, as `show` prints it")
    releasing = commands.add_parser(
        "release",
        parents=[where],
        help="let an account go on; what was found is accepted while it stays as it is",
    )
    releasing.add_argument("organization")
    releasing.add_argument("--reason", required=True, help="why; it stays on record")
    verifying = commands.add_parser(
        "verify",
        parents=[where],
        help="rebuild an account from its raw rows and compare; exits 1 if something differs",
    )
    verifying.add_argument("organization")
    return parser


if __name__ == "__main__":
    sys.exit(main())

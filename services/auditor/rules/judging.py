"""When sums that differ are a finding: after two looks between which nothing was in flight."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from services.auditor.rules.checks import BY_NAME, CHECKS
from services.auditor.rules.forms import Check, Pipe
from shared.contracts.auditor import Figure, RowDifference
from shared.contracts.base import owner_of

# What each owner said of one organization, by its figures' names; one that gave no answer is not
# there, and what needs it is not judged.
Totals = Mapping[str, Mapping[str, int]]

# Beyond so many records, costs are summed some hours at a time.
MANY_RECORDS = 100_000
RECENT = timedelta(days=1)
# How far back costs of such an organization are summed again and again, a slice at a time.
REACH = timedelta(days=400)
SLICE = timedelta(days=7)


class Failure(msgspec.Struct, frozen=True):
    """A check whose sums differ, with all its figures."""

    difference: int
    figures: dict[str, int]


Failures = dict[str, Failure]


class Cut(msgspec.Struct, frozen=True):
    """What is judged: all up to a time, and of many cost records those of some hours."""

    until: datetime
    first_hour: datetime | None = None
    end_hour: datetime | None = None


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """What did not agree at the look before, and where the stream of facts ended then."""

    organization_id: str
    failures: Failures
    cut: Cut
    barrier: int | None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, as it is kept with a finding."""

    left: tuple[Figure, ...]
    right: tuple[Figure, ...]
    judged_until: datetime
    left_rows: str | None
    right_rows: str | None
    rows: tuple[RowDifference, ...] = ()
    rows_complete: bool = True


def judged(totals: Totals) -> list[Check]:
    """The checks whose owners have answered, and for which all is quiet."""
    return [
        check
        for check in CHECKS
        if check.owners <= totals.keys() and not any(_value(totals, each) for each in check.quiet)
    ]


def failures(totals: Totals) -> Failures:
    """The checks that do not hold."""
    found: Failures = {}
    for check in judged(totals):
        difference = sum(_value(totals, each) for each in check.left) - sum(
            _value(totals, each) for each in check.right
        )
        if difference < 0 or (difference > 0 and check.relation == "equal"):
            figures = {each: _value(totals, each) for each in (*check.left, *check.right)}
            found[check.name] = Failure(difference, figures)
    return found


def _value(totals: Totals, figure: str) -> int:
    owner, _, name = figure.partition(".")
    return totals[owner][name]


def confirmed(
    before: Suspicion | None, now: Failures, heard: Mapping[Pipe, int]
) -> dict[str, Failure]:
    """What differs as it did before, with nothing in flight that could explain it.

    `heard` says up to where in the stream of facts each pipe's consumer has worked, and was read
    before the second look.
    """
    if before is None:
        return {}
    found = {}
    for name, failure in now.items():
        check, earlier = BY_NAME[name], before.failures.get(name)
        if earlier is None or earlier.difference != failure.difference:
            continue
        if check.is_within_one or (
            earlier.figures == failure.figures and _is_clear(before.barrier, check.pipes, heard)
        ):
            found[name] = failure
    return found


def _is_clear(barrier: int | None, pipes: Sequence[Pipe], heard: Mapping[Pipe, int]) -> bool:
    if not pipes:
        return True
    return barrier is not None and all(heard.get(pipe, -1) >= barrier for pipe in pipes)


def is_all_told(totals: Totals, found: Failures) -> bool:
    """Whether the facts behind what failed were on the stream when the sums were read."""
    tellers = {owner_of(pipe.fact) for name in found for pipe in BY_NAME[name].pipes}
    return not any(totals[owner]["untold"] for owner in tellers if owner in totals)


def evidence_of(name: str, totals: Totals, cut: Cut) -> Evidence:
    """The figures of a check, each with its owner's sequence."""
    check = BY_NAME[name]
    return Evidence(
        left=tuple(_figure(totals, each) for each in check.left),
        right=tuple(_figure(totals, each) for each in check.right),
        judged_until=cut.until,
        left_rows=check.left_rows,
        right_rows=check.right_rows,
    )


def _figure(totals: Totals, figure: str) -> Figure:
    owner, _, name = figure.partition(".")
    return Figure(
        owner=owner, name=name, value=totals[owner][name], sequence=totals[owner]["sequence"]
    )


def cut_of(until: datetime, records: int, sliced_to: datetime | None, *, recent: bool) -> Cut:
    """What to look at: everything; of many records the last day and, in turns, older slices."""
    if records <= MANY_RECORDS:
        return Cut(until)
    hour = until.replace(minute=0, second=0, microsecond=0)
    if recent:
        return Cut(until, first_hour=hour - RECENT)
    start = max(sliced_to or hour - REACH, hour - REACH)
    if start >= hour:
        start = hour - REACH
    return Cut(until, first_hour=start, end_hour=min(start + SLICE, hour))


def differences(
    left: Mapping[str, int], right: Mapping[str, int] | None, most: int
) -> tuple[tuple[RowDifference, ...], bool]:
    """The rows on which two books differ, and whether these are all; without a right one every
    row ought to be zero.
    """
    if right is None:
        keys = [key for key, amount in left.items() if amount]
        right = dict.fromkeys(keys, 0)
    else:
        keys = [key for key in {*left, *right} if left.get(key) != right.get(key)]
    found = [
        RowDifference(key=key, left=left.get(key), right=right.get(key)) for key in sorted(keys)
    ]
    return tuple(found[:most]), len(found) <= most

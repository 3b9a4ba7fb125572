"""Periods: half-open, in UTC, without gap or overlap, through month ends and leap years."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import NamedTuple


class Period(NamedTuple):
    """From `start` up to, and without, `end`."""

    start: datetime
    end: datetime


class Tiling(NamedTuple):
    """How periods go on: where the last one ends now, what was missed, and the current one."""

    last_end: datetime | None
    missed: Period | None
    current: Period


def add_months(anchor: datetime, months: int) -> datetime:
    """The anchor's day and time, months later; the 31st becomes the last day of a short month."""
    years, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, monthrange(year, month)[1]))


def monthly_period(anchor: datetime, at: datetime) -> Period:
    """The month of a subscription that began at `anchor` in which `at` lies."""
    anchor, at = anchor.astimezone(UTC), max(at, anchor).astimezone(UTC)
    months = (at.year - anchor.year) * 12 + at.month - anchor.month
    # Counted from the anchor, never from the month before: the 31st comes back after February.
    if add_months(anchor, months) > at:
        months -= 1
    return Period(add_months(anchor, months), add_months(anchor, months + 1))


def calendar_month(at: datetime) -> Period:
    """The UTC month in which `at` lies."""
    first = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Period(first, add_months(first, 1))


def tile(last: Period | None, told: Period, *, renewal_paid: bool) -> Tiling:
    """Go on from the last known period to the one that is told.

    A period that begins where the last one ends, or later, is a renewal: it counts anew. One that
    begins earlier only moves the end of the last one, so that nothing resets its counter, unless
    it was paid for as a renewal.
    """
    if last is None:
        return Tiling(None, None, told)
    if told.start >= last.end:
        missed = Period(last.end, told.start) if told.start > last.end else None
        return Tiling(last.end, missed, told)
    if renewal_paid and told.start > last.start:
        return Tiling(told.start, None, told)
    current = Period(last.start, told.end if told.end > last.start else last.end)
    return Tiling(current.end, None, current)

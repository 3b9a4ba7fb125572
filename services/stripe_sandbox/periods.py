"""Billing periods: half-open, in UTC, tiling without gap through month ends and leap years."""

import calendar
from datetime import UTC, datetime, timedelta

from services.stripe_sandbox.errors import Body

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "year": 12}


def boundary_after(anchor: int, recurring: Body, at: int) -> int:
    """The first period boundary after `at`; boundaries are whole intervals from the anchor.

    The anchor keeps its day: one on the 31st gives 28 February, then 31 March.
    """
    interval, count = recurring["interval"], recurring["interval_count"]
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in DAYS:
        seconds = int(timedelta(days=DAYS[interval] * count).total_seconds())
        return anchor + ((at - anchor) // seconds + 1) * seconds
    months = MONTHS[interval] * count
    now = datetime.fromtimestamp(at, UTC)
    passed = (now.year - start.year) * 12 + now.month - start.month
    number = passed // months
    while _boundary(start, number * months) > at:
        number -= 1
    while _boundary(start, number * months) <= at:
        number += 1
    return _boundary(start, number * months)


def _boundary(start: datetime, months: int) -> int:
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def date_of(at: int) -> str:
    """A day for people: `15 Jan 2026`."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y}"

"""The list of checks can be asked and answered; what is many is looked at in slices."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.account.store.control import BOOKS as ACCOUNT
from services.auditor.rules.checks import BY_NAME, CHECKS, OWNERS
from services.auditor.rules.forms import Check
from services.auditor.rules.judging import MANY_RECORDS, REACH, cut_of, differences
from services.cost_metering.store.control import BOOKS as COSTS
from services.invoicing.handlers.control import ALTERED
from services.invoicing.store.control import BOOKS as INVOICING
from services.stripe_gateway.store.control import BOOKS as STRIPE
from services.subscription.store.control import BOOKS as SUBSCRIPTION

BOOKS = {
    "account": {*ACCOUNT},
    "cost_metering": {*COSTS},
    "invoicing": {*INVOICING, ALTERED},
    "stripe_gateway": {*STRIPE},
    "subscription": {*SUBSCRIPTION},
}
# I1 and I11 are of a whole installation at rest: `make chaos` ends with them.
JUDGED = {"I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I12"}


def test_every_invariant_of_an_account_has_its_checks() -> None:
    assert {check.invariant for check in CHECKS} == JUDGED
    assert len(BY_NAME) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_names_figures_and_books_that_there_are(check: Check) -> None:
    for figure in (*check.left, *check.right, *check.quiet):
        owner, _, name = figure.partition(".")
        fields = {each.name for each in msgspec.structs.fields(OWNERS[owner].totals)}
        assert {name, "sequence", "untold"} <= fields, figure
    for book in filter(None, (check.left_rows, check.right_rows)):
        owner, _, name = book.partition(".")
        assert name in BOOKS[owner], book
    # Between owners a fact or a step carries the numbers over, and both can be seen.
    assert check.is_within_one or check.pipes or check.quiet


def test_of_many_records_slices_come_to_all_of_them() -> None:
    until = datetime(2027, 1, 1, 12, 30, tzinfo=UTC)
    assert cut_of(until, MANY_RECORDS, None, recent=False).first_hour is None

    recent = cut_of(until, MANY_RECORDS + 1, None, recent=True)
    assert recent.first_hour is not None
    assert recent.end_hour is None
    hour, sliced_to, covered = until.replace(minute=0), None, timedelta(0)
    while sliced_to != hour:
        cut = cut_of(until, MANY_RECORDS + 1, sliced_to, recent=False)
        assert cut.first_hour is not None
        assert cut.end_hour is not None
        assert sliced_to is None or cut.first_hour == sliced_to
        covered += cut.end_hour - cut.first_hour
        sliced_to = cut.end_hour
    assert covered == REACH
    assert cut_of(until, MANY_RECORDS + 1, hour, recent=False).first_hour == hour - REACH


def test_two_books_differ_where_a_row_is_missing_or_another() -> None:
    rows, complete = differences({"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 4, "d": 5}, 2)
    assert [(row.key, row.left, row.right) for row in rows] == [("a", 1, None), ("c", 3, 4)]
    assert not complete
    rows, complete = differences({"a": 0, "b": 2}, None, 2)
    assert [(row.key, row.left, row.right) for row in rows] == [("b", 2, 0)]
    assert complete

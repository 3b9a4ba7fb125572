"""Cursors: a page's own one is read back exactly, and no other gets as far as PostgreSQL."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.cursors import foreign_cursor, read_cursor, write_cursor
from tests.examples import MADE_UP_CURSORS

AT = datetime(2026, 11, 22, 12, 0, 0, 123457, UTC)


@pytest.mark.parametrize("row_id", ["1", "a~b", "ü", "x" * 110])
def test_a_cursor_leads_back_to_its_row(row_id: str) -> None:
    cursor = write_cursor(AT, row_id)
    assert read_cursor(cursor) == (AT, row_id)
    elsewhere = AT.astimezone(timezone(timedelta(hours=14)))
    assert write_cursor(elsewhere, row_id) == cursor


def test_the_longest_cursor_fits_in_a_request() -> None:
    assert len(write_cursor(AT, f"{'o' * 64}~{'n' * 36}")) <= 128


@pytest.mark.parametrize("cursor", MADE_UP_CURSORS)
def test_a_made_up_cursor_is_none(cursor: str) -> None:
    assert read_cursor(cursor) is None


def test_the_refusal_names_the_parameter() -> None:
    refusal = foreign_cursor("usage")
    assert (refusal.status, refusal.code) == (422, "invalid_cursor")
    assert "`cursor`" in refusal.detail

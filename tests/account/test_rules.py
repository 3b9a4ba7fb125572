"""The pure rules: which lots pay, how a taking is undone, what may follow what."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.account.rules import audit, holds, ledger
from services.account.rules.accounts import status_after
from services.account.rules.credits import grant, taken_and_kept, unwind
from services.account.tables.rows import (
    AuditHead,
    AuditRow,
    Book,
    Lot,
    Origin,
    Part,
    Piece,
    Totals,
)

NOW = datetime(2027, 1, 15, tzinfo=UTC)


def book(*lots: Lot, at: datetime = NOW) -> Book:
    cents = sum(lot.remaining_cents for lot in lots)
    held = sum(lot.held_cents for lot in lots)
    totals = Totals(cents, held, 0, len(lots), low_armed=False)
    return Book(
        organization_id="acme",
        at=at,
        status="active",
        found=totals,
        now=msgspec.structs.replace(totals),
        lots={lot.lot_id: lot for lot in lots},
    )


@st.composite
def lots(draw: st.DrawFn) -> Lot:
    amount = draw(st.integers(1, 50))
    remaining = draw(st.integers(0, amount))
    return Lot(
        lot_id=draw(st.uuids().map(str)),
        kind=draw(st.sampled_from(["purchased", "promotional"])),
        priority=draw(st.sampled_from([10, 20])),
        sequence=draw(st.integers(1, 9)),
        amount_cents=amount,
        remaining_cents=remaining,
        held_cents=draw(st.integers(0, remaining)),
        expires_at=draw(st.sampled_from([None, *(NOW + timedelta(days=n) for n in (-1, 0, 1, 2))])),
    )


@given(found=st.lists(lots(), max_size=6), cents=st.integers(0, 200))
def test_credits_are_picked_cent_by_cent_from_the_first_that_may_pay(
    found: list[Lot], cents: int
) -> None:
    """Each cent alone, always from the best lot that has one left: the slow way, by definition."""
    left = {lot.lot_id: lot.remaining_cents - lot.held_cents for lot in found}
    taken = dict.fromkeys(left, 0)
    for _ in range(cents):
        able = [
            lot
            for lot in found
            if left[lot.lot_id] and (lot.expires_at is None or lot.expires_at > NOW)
        ]
        if not able:
            break
        best = min(
            able,
            key=lambda lot: (
                lot.priority,
                lot.expires_at is None,
                lot.expires_at or NOW,
                lot.sequence,
            ),
        )
        left[best.lot_id] -= 1
        taken[best.lot_id] += 1
    picked = ledger.pick(book(*found), cents)
    assert {part.lot_id: part.cents for part in picked} == {
        lot_id: count for lot_id, count in taken.items() if count
    }


PARTS = st.builds(Part, st.sampled_from(["a", "b", None]), st.integers(1, 20))


@given(taken=st.lists(PARTS, max_size=6), first=st.integers(0, 60), second=st.integers(0, 60))
def test_undoing_in_two_steps_is_undoing_at_once(
    taken: list[Part], first: int, second: int
) -> None:
    at_once, step_by_step = list(taken), list(taken)
    whole = unwind(at_once, first + second)
    halves = unwind(step_by_step, first) + unwind(step_by_step, second)
    assert at_once == step_by_step
    assert ledger.merged(whole) == ledger.merged(halves)
    assert ledger.total(whole) == min(first + second, ledger.total(taken))


def test_what_was_given_back_before_is_not_given_back_again() -> None:
    history = [
        Piece("taken_back", Part("a", -5)),
        Piece("taken_back", Part("b", -3)),
        Piece("debt", Part(None, -4)),
        Piece("reinstated", Part("b", 2)),
        Piece("reinstated", Part(None, 4)),
        Piece("taken_back", Part("c", -1)),
    ]
    assert taken_and_kept(history) == [Part("a", 5), Part("b", 1), Part("c", 1)]


@pytest.mark.parametrize("cents", [0, -1])
def test_nothing_is_not_granted(cents: int) -> None:
    with pytest.raises(ValueError, match="whole positive cents"):
        grant(book(), "lot", "purchased", cents, Origin("purchase", "cs", ""), "stripe_clearing")


def test_only_holds_that_live_pin_credits() -> None:
    live = {status for (status, _), after in holds.MOVES.items() if after == "released"}
    assert live - {"released"} == {"held", "committed"}


def test_only_dunning_suspends_and_only_payment_lifts_it() -> None:
    assert status_after("pending", "payment_method") == "active"
    assert status_after("pending", "paid_tier") == "active"
    assert status_after("active", "payment_method") == "active"
    assert status_after("suspended", "payment_method") == "suspended"
    assert status_after("suspended", "paid_tier") == "suspended"
    assert status_after("active", "dunning_exhausted") == "suspended"
    assert status_after("suspended", "debts_paid") == "active"
    assert status_after("pending", "debts_paid") == "pending"


def chain(count: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    head = audit.START
    for _ in range(count):
        row = AuditRow(
            "acme", head.sequence + 1, "op", "did", "x", {"b": "1", "a": "2"}, NOW, head.hash
        )
        rows.append(audit.seal(row))
        head = AuditHead(rows[-1].sequence, rows[-1].hash)
    return rows


def broken_at(rows: list[AuditRow], head: AuditHead) -> int | None:
    verification = audit.Verification()
    for row in rows:
        verification.read(row)
    verification.finish(head)
    return verification.broken_at


@given(altered=st.integers(1, 8))
def test_an_entry_written_anew_with_a_hash_that_fits_is_named_itself(altered: int) -> None:
    rows = chain(8)
    head = AuditHead(8, rows[-1].hash)
    assert broken_at(rows, head) is None
    forged = audit.seal(msgspec.structs.replace(rows[altered - 1], actor="nobody"))
    assert broken_at([*rows[: altered - 1], forged, *rows[altered:]], head) == altered


@given(kept=st.integers(0, 7))
def test_a_log_that_was_cut_short_is_named_where_it_ends(kept: int) -> None:
    rows = chain(8)
    assert broken_at(rows[:kept], AuditHead(8, rows[-1].hash)) == kept + 1


def test_the_whole_chain_written_anew_does_not_fit_its_account() -> None:
    rows = chain(3)
    assert broken_at(rows, AuditHead(3, b"another")) == 3


def test_where_an_entry_happened_does_not_change_its_hash() -> None:
    """The database answers in UTC, whatever zone the moment was written in."""
    (row,) = chain(1)
    east = NOW.astimezone(datetime.strptime("+0900", "%z").tzinfo)
    assert audit.hash_of(msgspec.structs.replace(row, at=east)) == row.hash

"""What `make demo` makes up, and how it says who agrees."""

from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from deploy.demo.verdict import Seen, judge
from deploy.traces import ORGANIZATIONS, past_calls
from shared.contracts.cost_metering import ControlTotals

NOW = datetime(2026, 11, 22, 0, 0, 1, tzinfo=UTC)
CALLS = 13_405
COST = 927_302_834_225_000


def seen(records: int, cost_picousd: int, announced: int | None = None) -> Seen:
    told = records if announced is None else announced
    control = ControlTotals(
        records=records,
        records_cost_picousd=cost_picousd,
        rollups_records=records,
        rollups_cost_picousd=cost_picousd,
        announced_records=told,
        announced_cost_picousd=cost_picousd,
        dead_letters=0,
        holes=0,
    )
    return Seen({"record_count": records, "total_cost": cost_picousd / 10**12}, control)


def verdict(after: Seen) -> tuple[int, str]:
    text = StringIO()
    console = Console(file=text, width=80)
    before = dict.fromkeys(ORGANIZATIONS, seen(0, 0))
    counted = dict.fromkeys(ORGANIZATIONS, CALLS)
    code = judge(console, before, dict.fromkeys(ORGANIZATIONS, after), counted, counted)
    return code, text.getvalue()


def test_everybody_agrees_on_a_narrow_screen() -> None:
    code, text = verdict(seen(CALLS, COST))

    assert (code, "All agree to the pico-dollar." in text) == (0, True)
    assert "…" not in text
    assert text.count("927.302834225000") == len(ORGANIZATIONS)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_one_who_counted_otherwise_is_noticed() -> None:
    code, text = verdict(seen(CALLS, COST, announced=CALLS - 1))

    assert (code, "They do not agree." in text) == (1, True)


def test_past_days_are_before_today_and_the_same_every_time() -> None:
    calls = past_calls("acme", NOW, 29)

    assert calls == past_calls("acme", NOW + timedelta(hours=20), 29)
    assert calls == sorted(calls, key=lambda call: call.occurred_at)
    assert len({call.event_id for call in calls}) == len(calls)
    days = {call.occurred_at.date() for call in calls}
    assert days == {(NOW - timedelta(days=ago)).date() for ago in range(1, 30)}
    assert all(count >= 0 for call in calls for count in call.usage.values())

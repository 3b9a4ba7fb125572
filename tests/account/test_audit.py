"""Who changed what stays written down, and whoever alters it later is found out."""

from typing import Any

import asyncpg
import pytest

from services.account.store import audit as store
from shared.contracts.account import Buyer, UpdateAccount
from tests.account.customer import Customer
from tests.account.test_accounts import linked, methods


async def test_every_change_names_who_made_it(customer: Customer) -> None:
    await customer.account()
    await customer.ask(
        UpdateAccount(
            organization_id=customer.organization_id, requested_by="user-7", tax_exempt=True
        )
    )
    await customer.tell(methods(customer, 1, True))
    await customer.tell(linked(customer, 1, "cus_1"))
    await customer.tell(customer.paid(1999))
    await customer.ask(customer.grant(500, requested_by="op-3", grant_id="g1"))
    await customer.ask(customer.take(100, requested_by="op-4", taking_id="t1"))
    await customer.ask(customer.apply(300))
    await customer.ask(customer.restore())
    await customer.tell(customer.reversed_to(1000, 1))
    told = [(e.actor, e.action, e.subject) for e in (await customer.trail()).entries]
    assert told[::-1] == [
        ("account", "account_opened", "account"),
        ("user-7", "settings_changed", "account"),
        ("stripe_gateway", "payment_methods_changed", "account"),
        ("stripe_gateway", "customer_linked", "account"),
        ("stripe_gateway", "credits_purchased", "cs_1"),
        ("op-3", "credits_grant", "g1"),
        ("op-4", "credits_take", "t1"),
        ("invoicing", "credits_applied", "inv-1"),
        ("invoicing", "credits_restored", "inv-1"),
        ("stripe_gateway", "purchase_reversed", "cs_1"),
    ]


async def test_changes_are_told_before_and_after_but_persons_are_not(customer: Customer) -> None:
    await customer.account()
    await customer.ask(
        UpdateAccount(
            organization_id=customer.organization_id,
            requested_by="user-7",
            auto_billing_enabled=True,
            billing_email="someone@acme.test",
            buyer=Buyer(name="Some One"),
        )
    )
    await customer.ask(customer.grant(500))
    granted, changed, _ = (await customer.trail()).entries
    assert changed.changes == {
        "auto_billing_enabled": "False → True",
        "billing_email": "changed",
        "buyer": "changed",
    }
    assert granted.changes == {"entry 1": "granted 500", "ledger_cents": "0 → 500"}


async def test_what_changes_nothing_is_not_written(customer: Customer) -> None:
    await customer.granted(500)
    before = await customer.trail()
    await customer.ask(customer.hold(100, "h1"))
    await customer.ask(customer.settle("h1", "release"))
    assert await customer.trail() == before


async def test_pages_go_back_in_time(customer: Customer) -> None:
    await customer.account()
    for cents in range(1, 6):
        await customer.ask(customer.grant(cents))
    newest = await customer.trail(limit=4)
    older = await customer.trail(limit=4, before_sequence=newest.entries[-1].sequence)
    sequences = [entry.sequence for entry in (*newest.entries, *older.entries)]
    assert sequences == [6, 5, 4, 3, 2, 1]
    assert (await customer.trail(before_sequence=10**30)).entries[0].sequence == 6
    assert (await customer.trail(before_sequence=-(10**30))).entries == ()


async def tampered(stack_dsn: str, statement: str, *values: Any) -> None:
    """As somebody who may do everything in the database."""
    connection = await asyncpg.connect(stack_dsn)
    try:
        assert (await connection.execute(statement, *values)).split()[-1] != "0"
    finally:
        await connection.close()


_SET = "UPDATE audit_entries SET {} WHERE organization_id = $1 AND sequence = $2"
# An entry written anew with a hash that fits its new content.
_REWRITE = _SET.format(
    "actor = 'nobody', hash = sha256(previous_hash || convert_to('[\"' || organization_id"
    " || '\",' || sequence || ',\"nobody\",\"' || action || '\",\"' || subject || '\",'"
    " || (SELECT '[' || string_agg('[\"' || key || '\",\"' || value || '\"]', ',' ORDER BY key)"
    " || ']' FROM jsonb_each_text(changes)) || ',\"'"
    " || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') || '+00:00\"]', 'UTF8'))"
)


@pytest.mark.parametrize("altered", [2, 4, 7])
@pytest.mark.parametrize(
    "statement",
    [
        _SET.format("actor = 'nobody'"),
        _SET.format("action = 'credits_take'"),
        _SET.format("subject = 'another'"),
        _SET.format("changes = '{}'"),
        _SET.format("at = at - interval '1 second'"),
        _SET.format("previous_hash = '\\x00'"),
        _SET.format("hash = '\\x00'"),
        _SET.format("sequence = sequence + 100"),
        "DELETE FROM audit_entries WHERE organization_id = $1 AND sequence = $2",
        "DELETE FROM audit_entries WHERE organization_id = $1 AND sequence >= $2",
        _REWRITE,
    ],
    ids=lambda text: text.partition("SET ")[2].partition(" WHERE")[0][:30] or text[-16:],
)
async def test_an_altered_entry_is_named(
    customer: Customer,
    quiet_customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    altered: int,
) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    await customer.account()
    for cents in range(1, 7):
        await customer.ask(customer.grant(cents, grant_id=f"g{cents}"))
    assert (await customer.trail(verify=True)).broken_at is None
    dsn = customer.stack.databases["account"].owner_dsn
    rows = await customer.rows("SELECT * FROM audit_entries WHERE organization_id = $1")
    await tampered(dsn, statement, customer.organization_id, altered)
    assert (await customer.trail(verify=True)).broken_at == altered
    # As it was, so that the invariants hold again when the test is over.
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "DELETE FROM audit_entries WHERE organization_id = $1", customer.organization_id
    )
    await connection.copy_records_to_table("audit_entries", records=[tuple(row) for row in rows])
    await connection.close()


async def test_the_end_of_the_log_cannot_be_replaced_either(customer: Customer) -> None:
    """The account's row knows where the log ends."""
    await customer.granted(500)
    head = await customer.rows("SELECT audit_hash FROM accounts WHERE organization_id = $1")
    dsn = customer.stack.databases["account"].owner_dsn
    await tampered(
        dsn,
        "UPDATE accounts SET audit_hash = '\\x00' WHERE organization_id = $1",
        customer.organization_id,
    )
    assert (await customer.trail(verify=True)).broken_at == 2
    await tampered(
        dsn,
        "UPDATE accounts SET audit_hash = $2 WHERE organization_id = $1",
        customer.organization_id,
        head[0][0],
    )


async def test_an_organization_without_an_account_has_an_empty_log(
    customer: Customer,
) -> None:
    trail = await customer.trail(verify=True)
    assert (trail.entries, trail.broken_at) == ((), None)

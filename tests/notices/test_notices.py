"""Every occasion is told once, on the bus and by mail, whatever comes twice, late or not at all."""

from datetime import timedelta
from typing import Any

import pytest

from services.notices.app import endings
from services.notices.mail.delivery import NotDelivered, SmtpDelivery
from services.notices.settings import MailServer
from shared.bus import Bus
from shared.clock import FixedClock
from shared.contracts.account import CreditsLow
from shared.contracts.base import Event, Refusal
from shared.contracts.invoicing import (
    AccountReinstated,
    AccountSuspended,
    InvoiceIssued,
    InvoicePaid,
    PaymentFailed,
    PaymentReminder,
)
from shared.contracts.notices import GetNoticePreview, ListNotices, NoticePreview, Notices
from shared.contracts.stripe_gateway import PaymentMethod, PaymentMethodsChanged
from shared.contracts.subscription import LimitReached
from shared.outbox import add_events
from shared.runtime import Runtime
from tests.examples import MADE_UP_CURSORS
from tests.notices.conftest import AT, Customer
from tests.notices.post import Post
from tests.notices.test_wording import letter
from tests.stack import until


def issued(organization_id: str, number: int = 1, **changes: Any) -> InvoiceIssued:
    said: dict[str, Any] = {
        "invoice_number": f"INV-ACME-{number:06}",
        "total_cents": 12_300,
        "credits_applied_cents": 0,
        "amount_due_cents": 12_300,
        "due_at": AT + timedelta(days=7),
        "issued_at": AT,
    }
    return InvoiceIssued(
        organization_id=organization_id, invoice_id=f"inv-{number}", **{**said, **changes}
    )


def facts_of(organization_id: str) -> dict[str, Event]:
    """One fact of each kind that is a notice as it is, by the title of that notice."""
    invoice: dict[str, Any] = {
        "organization_id": organization_id,
        "invoice_id": "inv-1",
        "invoice_number": "INV-ACME-000001",
    }
    return {
        "Your credits are running low: $4.20 left": CreditsLow(
            organization_id=organization_id, balance_cents=420, threshold_cents=500, noticed_at=AT
        ),
        "Invoice INV-ACME-000001 is ready": issued(organization_id),
        "Receipt: $123.00 for invoice INV-ACME-000001": InvoicePaid(
            **invoice, kind="usage", amount_paid_cents=12_300, paid_at=AT
        ),
        "Invoice INV-ACME-000001 is due soon": PaymentReminder(
            **invoice, kind="due_soon", amount_due_cents=12_300, due_at=AT, reminded_at=AT
        ),
        "Invoice INV-ACME-000001 is past due": PaymentReminder(
            **invoice, kind="past_due", amount_due_cents=12_300, due_at=AT, reminded_at=AT
        ),
        "The payment of invoice INV-ACME-000001 failed": PaymentFailed(
            **invoice,
            amount_due_cents=12_300,
            attempt=1,
            failure_code="card_declined",
            failure_message="Your card was declined.",
            next_attempt_at=AT + timedelta(days=1),
            failed_at=AT,
        ),
        "You have used 80% of the workflows of your plan": LimitReached(
            organization_id=organization_id,
            resource="workflows",
            threshold_percent=80,
            used=80,
            limit=100,
            period_start=AT,
            reached_at=AT,
        ),
        "Your account is suspended": AccountSuspended(
            organization_id=organization_id, version=1, invoice_id="inv-1", suspended_at=AT
        ),
    }


async def test_every_fact_is_one_notice_and_one_mail_however_often_it_comes(
    customer: Customer, post: Post
) -> None:
    facts = facts_of(customer.organization_id)
    await customer.tell(*facts.values(), *facts.values())
    await customer.told(*facts)
    # Whatever comes after the repetitions of its kind has them behind it.
    await customer.tell(issued(customer.organization_id, 2))
    await customer.told(*facts, "Invoice INV-ACME-000002 is ready")
    found = await customer.mailed()
    assert sorted(str(mail["Subject"]) for mail in post.to(customer.address)) == sorted(
        notice.title for notice in found
    )

    async def heard() -> set[str]:
        return {fact.notice_id for fact in customer.said}

    await until(heard, lambda ids: ids == {notice.notice_id for notice in found})
    assert len(customer.said) == len(found)


async def test_a_mail_says_what_the_notice_says_in_text_and_html(
    customer: Customer, post: Post
) -> None:
    await customer.tell(issued(customer.organization_id))
    notice = (await customer.mailed())[0]
    (mail,) = post.to(customer.address)
    assert mail["To"].addresses[0].addr_spec == customer.address
    assert mail["From"].addresses[0].addr_spec == "billing@omoios.test"
    assert mail["Message-ID"] == f"<{notice.notice_id}@omoios.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    for part in ("Łukasz", "$123.00 is due by 22 January 2027.", "https://app.test/settings/bill"):
        assert part in text.get_content()
        assert part in page.get_content()
    assert "Łukasz &amp; Søn" in page.get_content()


async def test_a_mail_server_that_is_down_gets_the_mail_later_and_once(
    customer: Customer, post: Post
) -> None:
    await post.close()
    await customer.tell(issued(customer.organization_id))
    (notice,) = await customer.told("Invoice INV-ACME-000001 is ready")
    assert notice.mail_status == "queued"
    await post.open()
    await customer.mailed()
    assert len(post.to(customer.address)) == 1


async def test_a_mail_whose_outcome_is_not_known_comes_again_with_the_same_id(
    customer: Customer, post: Post
) -> None:
    post.broken = ["451 try again"]
    await customer.tell(issued(customer.organization_id))
    await customer.mailed()
    first, second = post.to(customer.address)
    assert first.as_bytes() == second.as_bytes()


async def test_a_dead_address_gets_no_more_until_there_is_another(
    customer: Customer, post: Post
) -> None:
    post.refused[customer.address] = "550 5.1.1 no such user"
    await customer.tell(issued(customer.organization_id, 1))
    (refused,) = await customer.mailed("refused")
    assert refused.mail_detail == "SMTP 550"
    await customer.tell(issued(customer.organization_id, 2))
    titles = [f"Invoice INV-ACME-{number:06} is ready" for number in (1, 2, 3)]
    found = await customer.told(*titles[:2])
    assert found[1].mail_status == "no_address"
    await customer.tell(customer.account(2, billing_email="other@customer.test"))
    await customer.tell(issued(customer.organization_id, 3))
    await customer.told(*titles)
    # The second one had found nobody to write to a moment ago.
    await until(
        customer.notices,
        lambda all_: [each.mail_status for each in all_] == ["refused", "sent", "sent"],
    )
    assert {str(mail["Subject"]) for mail in post.to("other@customer.test")} == set(titles[1:])


async def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    customer: Customer, post: Post
) -> None:
    post.broken = ["554 this looks like spam"]
    await customer.tell(issued(customer.organization_id))
    (notice,) = await customer.mailed("refused")
    assert notice.mail_detail == "SMTP 554"
    assert len(post.to(customer.address)) == 1


@pytest.mark.parametrize(("tls", "start_tls"), [(True, False), (False, True)])
async def test_what_must_be_encrypted_is_never_sent_in_the_open(
    post: Post, *, tls: bool, start_tls: bool
) -> None:
    # This server offers neither.
    server = MailServer(
        host="127.0.0.1",
        port=post.port,
        username="ada",
        password="CANARY",
        tls=tls,
        start_tls=start_tls,
    )
    taken = len(post.mails)
    with pytest.raises(NotDelivered) as error:
        await SmtpDelivery(server, ("OmoiOS", "billing@omoios.test")).deliver(letter())
    assert "CANARY" not in str(error.value)
    assert len(post.mails) == taken


async def test_nothing_can_be_smuggled_into_a_mail(customer: Customer, post: Post) -> None:
    evil = "1\r\nBcc: victim@evil.test\r\n\r\n<script>alert(1)</script>\r\n.\r\nRSET"
    fact = issued(customer.organization_id, invoice_number=evil)
    await customer.tell(fact)
    await customer.mailed()
    (mail,) = post.to(customer.address)
    assert mail["Bcc"] is None
    assert "Bcc: victim@evil.test" in mail["Subject"]
    assert post.to("victim@evil.test") == []
    page = mail.get_body(("html",))
    assert page is not None
    assert "<script" not in page.get_content()


async def test_an_address_heard_of_a_moment_later_still_gets_the_mail(
    stranger: Customer, post: Post
) -> None:
    await stranger.tell(issued(stranger.organization_id))
    (notice,) = await stranger.told("Invoice INV-ACME-000001 is ready")
    assert notice.mail_status == "no_address"
    await stranger.tell(stranger.account())
    await stranger.mailed()
    assert len(post.to(stranger.address)) == 1


async def test_a_suspension_for_two_reasons_is_one(customer: Customer) -> None:
    organization_id = customer.organization_id
    await customer.tell(
        AccountSuspended(
            organization_id=organization_id, version=1, invoice_id="inv-1", suspended_at=AT
        )
    )
    await customer.told("Your account is suspended")
    await customer.tell(customer.plan(1, suspended=True))
    await customer.told("Your account is suspended", "Your plan is now Pro")
    await customer.tell(customer.plan(2))
    reinstated = AccountReinstated(organization_id=organization_id, version=2, reinstated_at=AT)
    await customer.tell(reinstated, reinstated)
    # What comes late is out of date.
    await customer.tell(
        AccountSuspended(
            organization_id=organization_id, version=1, invoice_id="inv-1", suspended_at=AT
        )
    )
    await customer.told(
        "Your account is suspended", "Your plan is now Pro", "Your account is active again"
    )


async def test_a_trial_and_a_card_are_told_of_before_they_end(
    customer: Customer, clock: FixedClock, running: Runtime
) -> None:
    now = clock.now()
    trial_ends = now + timedelta(days=10)
    card = PaymentMethod(
        payment_method_id="pm_1",
        type="card",
        card_brand="visa",
        card_last4="4242",
        exp_month=now.month,
        exp_year=now.year,
        is_default=True,
    )
    await customer.tell(
        customer.plan(1, status="trialing", current_period_end=trial_ends),
        PaymentMethodsChanged(
            organization_id=customer.organization_id,
            version=1,
            has_payment_method=True,
            default_payment_method_id="pm_1",
            changed_at=now,
            default_card=card,
        ),
    )
    begun = "Your trial of the Pro plan has begun"
    expiring = "Your Visa card ending in 4242 expires soon"
    await customer.told(begun)
    await tell_endings(running)
    await customer.told(begun, expiring)
    clock.advance(timedelta(days=7))
    await tell_endings(running)
    await tell_endings(running)
    ends = f"{trial_ends.day} {trial_ends:%B %Y}"
    await customer.told(begun, expiring, f"Your trial ends on {ends}")


async def test_nothing_is_said_of_a_trials_end_that_charges_nothing_until_it_goes_on(
    customer: Customer, clock: FixedClock, running: Runtime
) -> None:
    ends = clock.now() + timedelta(days=10)
    day = f"{ends.day} {ends:%B %Y}"
    trial = {"status": "trialing", "current_period_end": ends}
    await customer.tell(customer.plan(1, **trial))
    await customer.told("Your trial of the Pro plan has begun")
    await customer.tell(customer.plan(2, **trial, cancel_at_period_end=True))
    titles = ["Your trial of the Pro plan has begun", f"Your Pro plan ends on {day}"]
    await customer.told(*titles)
    clock.advance(timedelta(days=8))
    await tell_endings(running)
    await customer.told(*titles)
    # Taken back in the last days: now it is charged after all.
    await customer.tell(customer.plan(3, **trial))
    titles.append("Your Pro plan goes on")
    await customer.told(*titles)
    await tell_endings(running)
    await tell_endings(running)
    await customer.told(*titles, f"Your trial ends on {day}")


async def test_a_trials_end_names_the_plan_that_is_charged_after_it(
    customer: Customer, clock: FixedClock, running: Runtime
) -> None:
    ends = clock.now() + timedelta(days=2)
    await customer.tell(
        customer.plan(
            status="trialing",
            current_period_end=ends,
            pending_tier="starter",
            pending_change_at=ends,
        )
    )
    await until(customer.notices, bool)
    await tell_endings(running)
    found = await until(customer.notices, lambda each: len(each) == 2)
    (ending,) = [each for each in found if each.kind == "trial_ending"]
    assert "the Starter plan is charged" in ending.text


async def tell_endings(running: Runtime) -> None:
    """What the job does every half minute."""
    async with running.database.transaction() as db:
        await add_events(db, await endings.tell(db))


async def test_a_preview_is_the_mail_as_it_looks(customer: Customer, bus: Bus) -> None:
    await customer.tell(issued(customer.organization_id))
    (notice,) = await customer.told("Invoice INV-ACME-000001 is ready")
    wanted = GetNoticePreview(organization_id=customer.organization_id, notice_id=notice.notice_id)
    preview = await bus.ask(wanted)
    assert isinstance(preview, NoticePreview)
    assert preview.subject == notice.title
    assert notice.text in preview.text
    assert notice.text in preview.html
    foreign = GetNoticePreview(organization_id="somebody", notice_id=notice.notice_id)
    answer = await bus.ask(foreign)
    assert isinstance(answer, Refusal)
    assert answer.status == 404


async def test_notices_come_in_pages(customer: Customer, bus: Bus) -> None:
    numbers = range(1, 6)
    await customer.tell(*(issued(customer.organization_id, number) for number in numbers))
    titles = {f"Invoice INV-ACME-{number:06} is ready" for number in numbers}
    await customer.told(*titles)
    for organization_id in (customer.organization_id, None):
        found: set[str] = set()
        cursor: str | None = None
        while True:
            request = ListNotices(organization_id=organization_id, limit=2, cursor=cursor)
            page = await bus.ask(request)
            assert isinstance(page, Notices)
            found |= {each.title for each in page.notices}
            cursor = page.next_cursor
            if cursor is None:
                break
        assert titles <= found


@pytest.mark.parametrize("cursor", [*MADE_UP_CURSORS, "1~no second id"])
async def test_a_made_up_cursor_is_refused(customer: Customer, bus: Bus, cursor: str) -> None:
    for organization_id in (customer.organization_id, None):
        refused = await bus.ask(ListNotices(organization_id=organization_id, cursor=cursor))
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.code) == (422, "invalid_cursor")

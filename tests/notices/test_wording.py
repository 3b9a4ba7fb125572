"""What is said about plans, cards, settings and mails, decided without a server."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from services.notices.mail.delivery import FolderDelivery, SmtpDelivery, delivery_of
from services.notices.mail.message import BadAddress, Letter, compose, read_address
from services.notices.rules import cards, plans
from services.notices.settings import NoticesSettings
from services.notices.tables import OrganizationRow
from shared.contracts.stripe_gateway import PaymentMethod, PaymentMethodsChanged
from shared.contracts.subscription import PlanChanged
from shared.settings import SettingsError, load

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
ENDS = datetime(2027, 2, 15, 12, tzinfo=UTC)
SENDER = ("OmoiOS", "billing@omoios.test")


def plan(**changes: Any) -> PlanChanged:
    said: dict[str, Any] = {
        "organization_id": "acme",
        "version": 2,
        "subscription_id": "sub-1",
        "tier": "pro",
        "status": "active",
        "is_paid": True,
        "suspended": False,
        "current_period_start": AT,
        "current_period_end": ENDS,
        "cancel_at_period_end": False,
        "pending_tier": None,
        "pending_change_at": None,
        "changed_at": AT,
    }
    return PlanChanged(**{**said, **changes})


def organization(**changes: Any) -> OrganizationRow:
    return OrganizationRow(**{"organization_id": "acme", "tier": "pro", **changes})


@pytest.mark.parametrize(
    ("before", "fact", "title"),
    [
        ({}, {}, None),
        ({}, {"tier": "team"}, "Your plan is now Team"),
        ({"tier": "free"}, {"tier": "byo"}, "Your plan is now BYO"),
        ({"tier": "free"}, {"status": "trialing"}, "Your trial of the Pro plan has begun"),
        ({}, {"status": "past_due"}, "The payment of your Pro plan failed"),
        ({"plan_status": "past_due"}, {"status": "past_due"}, None),
        ({}, {"cancel_at_period_end": True}, "Your Pro plan ends on 15 February 2027"),
        ({"cancel_at_period_end": True}, {}, "Your Pro plan goes on"),
        (
            {},
            {"pending_tier": "starter", "pending_change_at": ENDS},
            "Your plan changes to Starter on 15 February 2027",
        ),
        ({"pending_tier": "starter"}, {"pending_tier": "starter"}, None),
    ],
)
def test_a_plan_is_told_of_when_something_changes_for_the_customer(
    before: dict[str, Any], fact: dict[str, Any], title: str | None
) -> None:
    draft = plans.plan_changed(organization(**before), plan(**fact))
    assert (draft.title if draft else None) == title


def test_a_trial_is_to_be_told_of_three_days_before_and_anew_when_it_is_extended() -> None:
    row = plans.follow_plan(organization(), plan(status="trialing"), AT)
    assert row.trial_notice_at == ENDS - timedelta(days=3)
    told = plans.follow_plan(
        OrganizationRow(organization_id="acme", trial_ends_at=ENDS), plan(status="trialing"), AT
    )
    assert told.trial_notice_at is None
    longer = plan(status="trialing", current_period_end=ENDS + timedelta(days=7))
    assert plans.follow_plan(told, longer, AT).trial_notice_at == ENDS + timedelta(days=4)
    assert plans.follow_plan(row, plan(), AT).trial_notice_at is None
    assert plans.follow_plan(organization(), plan(status="trialing"), ENDS).trial_notice_at is None


def methods(card: PaymentMethod | None) -> PaymentMethodsChanged:
    return PaymentMethodsChanged(
        organization_id="acme",
        version=1,
        has_payment_method=card is not None,
        default_payment_method_id=card.payment_method_id if card else None,
        changed_at=AT,
        default_card=card,
    )


def card(month: int | None, year: int | None) -> PaymentMethod:
    return PaymentMethod(
        payment_method_id="pm_1",
        type="card",
        card_brand="visa",
        card_last4="4242",
        exp_month=month,
        exp_year=year,
        is_default=True,
    )


def test_a_card_can_be_charged_to_the_end_of_its_month() -> None:
    assert cards.expiry_of(card(12, 2027)) == datetime(2028, 1, 1, tzinfo=UTC)
    assert cards.expiry_of(card(1, 2027)) == datetime(2027, 2, 1, tzinfo=UTC)
    assert cards.expiry_of(card(None, None)) is None


def test_a_card_is_told_of_once_and_a_renewed_one_anew() -> None:
    row = cards.follow_methods(organization(), methods(card(3, 2027)), AT)
    assert row.card_notice_at == datetime(2027, 3, 2, tzinfo=UTC)
    told = OrganizationRow(
        organization_id="acme", card_id="pm_1", card_expires_at=row.card_expires_at
    )
    assert cards.follow_methods(told, methods(card(3, 2027)), AT).card_notice_at is None
    renewed = cards.follow_methods(told, methods(card(3, 2031)), AT)
    assert renewed.card_notice_at == datetime(2031, 3, 2, tzinfo=UTC)
    assert cards.follow_methods(row, methods(None), AT).card_notice_at is None
    assert cards.follow_methods(organization(), methods(card(12, 2026)), AT).card_notice_at is None


def letter(**changes: Any) -> Letter:
    said: dict[str, Any] = {
        "notice_id": "n-1",
        "organization_id": "acme",
        "severity": "info",
        "title": "Invoice INV-1 is ready",
        "text": "$1.00 is due.",
        "buyer_name": "Acme",
        "recipient": "ada@acme.test",
        "seller_name": "OmoiOS",
        "link": "https://app.test/billing",
        "raised_at": AT,
    }
    return Letter(**{**said, **changes})


@pytest.mark.parametrize(
    "text", ["a\r\nBcc: x@evil.test", "a\nBcc: x@evil.test", "a\r\n\r\nbody", "a\x00b\x85c\u2028d"]
)
def test_no_text_becomes_a_header(text: str) -> None:
    mail = compose(
        letter(title=text, text=text, buyer_name=text, seller_name=text), (text, SENDER[1])
    )
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert sorted(name.lower() for name in read.keys()) == [  # noqa: SIM118 -- a mail is no dict
        "auto-submitted",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "subject",
        "to",
    ]


@pytest.mark.parametrize(
    "recipient",
    ["", "ada", "@acme.test", "ada@", "ada@acme.test,x", "ada@<acme.test>", "a@b\r\nBcc: x@y"],
)
def test_what_is_not_one_address_is_written_to_nobody(recipient: str) -> None:
    with pytest.raises(BadAddress):
        read_address(recipient)


def test_a_list_of_names_before_the_at_is_one_address() -> None:
    mail = compose(letter(recipient="victim,x@acme.test"), SENDER)
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert [each.addr_spec for each in read["To"].addresses] == ['"victim,x"@acme.test']


def test_the_same_notice_is_the_same_mail() -> None:
    assert compose(letter(), SENDER).as_bytes() == compose(letter(), SENDER).as_bytes()


async def test_in_development_a_mail_is_a_file(tmp_path: Path) -> None:
    delivery = FolderDelivery(tmp_path / "mail", SENDER)
    for _ in range(2):
        assert (await delivery.deliver(letter())).status == "sent"
    (path,) = (tmp_path / "mail").iterdir()
    read = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert read["Subject"] == "Invoice INV-1 is ready"
    assert (await delivery.deliver(letter(recipient="nobody"))).status == "dead_address"


def settings(**environment: str) -> NoticesSettings:
    return load(NoticesSettings, {"DATABASE_URL": "postgresql://x", **environment})


def test_without_settings_no_mail_is_sent() -> None:
    assert delivery_of(settings()) is None
    assert isinstance(delivery_of(settings(MAIL_FOLDER="mail")), FolderDelivery)


@pytest.mark.parametrize(
    ("url", "port", "tls", "start_tls"),
    [
        ("smtps://u:p%40ss@mail.test", 465, True, False),
        ("smtp://u:p%40ss@mail.test", 587, False, True),
        ("smtp://mail.test:2525", 2525, False, True),
        ("smtp+plain://localhost", 25, False, False),
    ],
)
def test_a_mail_server_is_one_address(url: str, port: int, tls: bool, start_tls: bool) -> None:
    read = settings(SMTP_URL=url, SMTP_FROM="billing@omoios.test")
    server = read.server
    assert server is not None
    assert (server.port, server.tls, server.start_tls) == (port, tls, start_tls)
    assert server.password == ("p@ss" if "@mail" in url else None)
    assert read.sender == ("OmoiOS", "billing@omoios.test")
    assert isinstance(delivery_of(read), SmtpDelivery)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"SMTP_URL": "http://x", "SMTP_FROM": "a@b.test"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://", "SMTP_FROM": "a@b.test"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://x:port", "SMTP_FROM": "a@b.test"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp+plain://u:CANARY@x", "SMTP_FROM": "a@b.test"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://x"}, "SMTP_FROM"),
        ({"SMTP_FROM": "nobody"}, "SMTP_FROM"),
        ({"SMTP_FROM": "a@b.test\r\nBcc: x@y"}, "SMTP_FROM"),
        ({"MAIL_FOLDER": "x", "ENVIRONMENT": "production"}, "MAIL_FOLDER"),
        ({"BILLING_PAGE_URL": "javascript:alert(1)"}, "BILLING_PAGE_URL"),
    ],
)
def test_a_wrong_setting_is_a_sentence_that_names_it(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^Setting {named}: .+\.$") as error:
        settings(**environment)
    assert "CANARY" not in str(error.value)

"""A notice as a mail: text and HTML, with headers that nothing can be smuggled into."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import msgspec
from markupsafe import Markup

from shared.contracts.notices import Severity

COLORS: dict[Severity, str] = {
    "info": "#1d4ed8",
    "success": "#15803d",
    "warning": "#b45309",
    "critical": "#b42318",
}
LONGEST_SUBJECT = 200

PAGE = Markup("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="background:#eef1f5;color:#1a1f2b;font:16px/1.5 system-ui,sans-serif;margin:0">
<div style="background:#fff;border-top:4px solid {color};margin:24px auto;max-width:560px;\
padding:32px">
<p style="color:#667085;font-size:13px;margin:0 0 16px">{seller}</p>
<h1 style="font-size:20px;line-height:1.3;margin:0 0 12px">{title}</h1>
<p style="margin:0 0 24px">{greeting}{text}</p>
<p style="margin:0 0 24px"><a href="{link}" style="background:#1a1f2b;border-radius:4px;\
color:#fff;display:inline-block;padding:10px 18px;text-decoration:none">Open the billing page</a>\
</p>
<p style="color:#667085;font-size:13px;margin:0">You get this because you look after the billing \
of {organization}.</p>
</div>
</body>
</html>
""")
TEXT = """{greeting}{text}

{link}

--
{seller}
You get this because you look after the billing of {organization}.
"""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail before it is one. `recipient` is an address, `buyer_name` a greeting."""

    notice_id: str
    organization_id: str
    severity: Severity
    title: str
    text: str
    buyer_name: str | None
    recipient: str
    seller_name: str
    link: str
    raised_at: datetime


class BadAddress(Exception):
    """Nothing can be sent to such an address."""


def write_subject(letter: Letter) -> str:
    """One line, whatever the title is made of."""
    return " ".join(letter.title.split())[:LONGEST_SUBJECT]


def write_text(letter: Letter) -> str:
    """For who reads plain text."""
    return TEXT.format(
        greeting=f"{_greeting(letter)}\n\n" if letter.buyer_name else "",
        text=letter.text,
        link=letter.link,
        seller=letter.seller_name,
        organization=letter.organization_id,
    )


def write_html(letter: Letter) -> str:
    """No picture, no script, nothing loaded; whatever is put in is escaped."""
    greeting = Markup("{}<br>").format(_greeting(letter)) if letter.buyer_name else ""
    return str(
        PAGE.format(
            title=write_subject(letter),
            color=COLORS[letter.severity],
            seller=letter.seller_name,
            greeting=greeting,
            text=letter.text,
            link=letter.link,
            organization=letter.organization_id,
        )
    )


def compose(letter: Letter, sender: tuple[str, str]) -> EmailMessage:
    """The same bytes for the same notice, its id among them: a mail that comes twice is known.

    Raises BadAddress.
    """
    to = read_address(letter.recipient)
    # Seven bits, so that no server on the way has to change it.
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=not letter.recipient.isascii()))
    name, address = sender
    message["From"] = Address(_line(name), addr_spec=address)
    message["To"] = to
    message["Subject"] = write_subject(letter)
    message["Date"] = letter.raised_at
    message["Message-ID"] = f"<{letter.notice_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(write_text(letter))
    message.add_alternative(write_html(letter), subtype="html")
    message.set_boundary(f"=_{letter.notice_id}")
    return message


def read_address(recipient: str) -> Address:
    """One address, never a list; raises BadAddress."""
    local, _, domain = recipient.rpartition("@")
    try:
        if not local or not domain or set(domain) & set(',;:<>()[]\\"'):
            raise BadAddress
        return Address(username=local, domain=domain)
    except ValueError:  # IndexError and defects of headers are kinds of it, too
        raise BadAddress from None


def _greeting(letter: Letter) -> str:
    return f"Hello {_line(letter.buyer_name or '')},"


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())

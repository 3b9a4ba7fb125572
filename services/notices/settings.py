"""What notices is told by its environment; without an address of a mail server it sends none."""

from email.utils import parseaddr
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from msgspec import Meta

from shared.settings import ServiceSettings

PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


class MailServer(msgspec.Struct, frozen=True):
    """Where mail is handed over. TLS from the start, after STARTTLS, or none."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    start_tls: bool


class NoticesSettings(ServiceSettings, frozen=True, kw_only=True):
    """`smtp_url` is `smtps://user:password@host`, `smtp://` (STARTTLS is required) or
    `smtp+plain://` (no TLS, and therefore no password). `mail_folder` takes mails as files in
    development instead. `billing_page_url` is what mails lead to.
    """

    smtp_url: str = ""
    smtp_from: str = ""
    mail_folder: str = ""
    billing_page_url: Annotated[str, Meta(pattern=r"^https?://[^\s\x00-\x1f\x7f\"<>]+\Z")] = (
        "http://localhost:3000/settings/billing"
    )
    seller_name: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z", max_length=200)] = "OmoiOS"

    def __post_init__(self) -> None:
        """Raise ValueError naming the setting that does not fit, never its value."""
        if self.smtp_url:
            _check_server(urlsplit(self.smtp_url))
            if not self.sender:
                raise ValueError("`smtp_from` is required with SMTP_URL: an address of a sender")
        if self.smtp_from and not self.sender:
            raise ValueError("`smtp_from` is not an address of a sender")
        if self.mail_folder and self.environment == "production":
            raise ValueError("`mail_folder` stays empty in production")

    @property
    def server(self) -> MailServer | None:
        """The mail server; None when no mail is sent."""
        if not self.smtp_url:
            return None
        url = urlsplit(self.smtp_url)
        return MailServer(
            host=url.hostname or "",
            port=url.port or PORTS[url.scheme],
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            tls=url.scheme == "smtps",
            start_tls=url.scheme == "smtp",
        )

    @property
    def sender(self) -> tuple[str, str] | None:
        """The name and the address of who writes; None when `smtp_from` has none."""
        if any(ord(each) < 32 for each in self.smtp_from):
            return None
        name, address = parseaddr(self.smtp_from)
        local, at, domain = address.rpartition("@")
        usable = local and at and domain and address.isascii() and " " not in address
        return (name or self.seller_name, address) if usable else None


def _check_server(url: SplitResult) -> None:
    try:
        usable = url.scheme in PORTS and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("`smtp_url` is not an address such as smtps://user:password@host")
    if url.scheme == "smtp+plain" and url.password:
        raise ValueError("`smtp_url` would send its password where anybody can read it")

"""How a mail is handed over: to a mail server, or, in development, to a folder."""

import asyncio
import os
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib
import msgspec

from services.notices.mail.message import BadAddress, Letter, compose
from services.notices.settings import MailServer, NoticesSettings

TALKING_SECONDS = 20.0
# A server that answers one of these says that the address takes no mail, now or later; other
# refusals may be our own fault, and are worth trying again.
DEAD_ADDRESS = frozenset({501, 510, 511, 513, 550, 551, 553})
POLICY = "5.7."


class Outcome(msgspec.Struct, frozen=True):
    """What became of a mail; `detail` says why, without the address."""

    status: Literal["sent", "refused", "dead_address", "off"]
    detail: str | None = None


class NotDelivered(Exception):
    """It was not taken this time, or that is not known; the message holds no personal data."""


class Delivery(Protocol):
    """Hands mails over."""

    async def deliver(self, letter: Letter) -> Outcome:
        """Hand it over; raises NotDelivered when it should be tried again."""
        ...


def delivery_of(settings: NoticesSettings) -> Delivery | None:
    """As the environment says; None when no mail is sent."""
    server = settings.server
    if server is not None and settings.sender is not None:
        return SmtpDelivery(server, settings.sender)
    if settings.mail_folder:
        sender = settings.sender or (settings.seller_name, "billing@localhost")
        return FolderDelivery(Path(settings.mail_folder), sender)
    return None


class FolderDelivery:
    """One file a mail, named after its notice, so that the same one is written once."""

    def __init__(self, folder: Path, sender: tuple[str, str]) -> None:
        self._folder = folder
        self._sender = sender

    async def deliver(self, letter: Letter) -> Outcome:
        """Write it, whole or not at all."""
        try:
            message = compose(letter, self._sender)
        except BadAddress:
            return Outcome("dead_address", "not an address")
        await asyncio.to_thread(self._write, f"{letter.notice_id}.eml", message)
        return Outcome("sent")

    def _write(self, name: str, message: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._folder / f".{name}.{os.getpid()}"
        partial.write_bytes(message.as_bytes())
        partial.replace(self._folder / name)


class SmtpDelivery:
    """A mail server, asked anew for each mail."""

    def __init__(self, server: MailServer, sender: tuple[str, str]) -> None:
        self._server = server
        self._sender = sender

    async def deliver(self, letter: Letter) -> Outcome:
        """Hand it over to the one recipient."""
        try:
            message = compose(letter, self._sender)
        except BadAddress:
            return Outcome("dead_address", "not an address")
        try:
            await self._send(message, letter.recipient)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused_recipient(error.recipients)
        except aiosmtplib.SMTPNotSupported:
            return Outcome("dead_address", "the server takes no such address")
        except aiosmtplib.SMTPDataError as error:
            if 500 <= error.code < 600:
                return Outcome("refused", f"SMTP {error.code}")
            raise NotDelivered(f"SMTP {error.code}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise NotDelivered(f"SMTP {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # Not the error itself, which may tell the address.
            raise NotDelivered(type(error).__name__) from None
        return Outcome("sent")

    async def _send(self, message: EmailMessage, recipient: str) -> None:
        server = self._server
        await aiosmtplib.send(
            message,
            sender=self._sender[1],
            recipients=[recipient],
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.start_tls,
            timeout=TALKING_SECONDS,
        )


def _refused_recipient(refusals: Sequence[aiosmtplib.SMTPRecipientRefused]) -> Outcome:
    code, said = refusals[0].code, refusals[0].message
    if code in DEAD_ADDRESS and not said.startswith(POLICY):
        return Outcome("dead_address", f"SMTP {code}")
    raise NotDelivered(f"SMTP {code}")

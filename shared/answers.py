"""Stored idempotency keys: the same key and body get the same answer, with one effect."""

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import func, insert, select

from shared.bus import IDEMPOTENCY_HEADER, PRINCIPAL_HEADER
from shared.clock import new_id
from shared.contracts.base import Refusal, Reply, Request, name_of
from shared.database import Db
from shared.tables import answers

# Longer than any caller retries (Stripe's own keys live 24 hours).
KEPT_FOR = timedelta(days=30)
KEY_PATTERN = re.compile(r"^[\x21-\x7e]{1,255}\Z")


class IdempotencyKey(msgspec.Struct, frozen=True):
    """Whose key, for which operation, over what: `asked` tells a repetition from another request
    under the same key.
    """

    organization_id: str
    principal: str
    operation: str
    key: str
    asked: bytes

    @property
    def digest(self) -> str:
        """One name for all that the key belongs to."""
        scope = (self.organization_id, self.principal, self.operation, self.key)
        return hashlib.sha256("\0".join(scope).encode()).hexdigest()


class StoredAnswer(msgspec.Struct, frozen=True):
    """An answer as it went over the wire."""

    refused: bool
    reply: bytes


IN_FLIGHT = Refusal(
    code="idempotency_key_in_flight",
    detail="A request with this Idempotency-Key is still being worked on; ask again shortly.",
)
REUSED = Refusal(
    code="idempotency_key_reused",
    detail="This Idempotency-Key was used with another body; use a new key for a new request.",
)
UNUSABLE = Refusal(
    code="invalid_idempotency_key",
    detail="An Idempotency-Key has 1 to 255 printable ASCII characters and no spaces.",
    status=422,
)


def key_of(request: Request[Any], headers: Mapping[str, str]) -> IdempotencyKey | Refusal:
    """The caller's key, or one of our own, which keeps a second try harmless when the outcome of
    a commit is not known.
    """
    key = headers.get(IDEMPOTENCY_HEADER) or new_id()
    if not KEY_PATTERN.match(key):
        return UNUSABLE
    return IdempotencyKey(
        organization_id=getattr(request, "organization_id", None) or "",
        principal=headers.get(PRINCIPAL_HEADER, ""),
        operation=name_of(type(request)),
        key=key,
        asked=_asked(request),
    )


def _asked(request: Request[Any]) -> bytes:
    # What stands at its default is left out, so that a repetition from before an optional field
    # was added is still the same request.
    stated = {
        field.name: value
        for field in msgspec.structs.fields(request)
        if (value := getattr(request, field.name)) != field.default
    }
    return hashlib.sha256(msgspec.json.encode(stated, order="sorted")).digest()


async def find_answer(db: Db, key: IdempotencyKey) -> StoredAnswer | Refusal | None:
    """The answer given before, a Refusal when the key cannot be used now, None when it is new.

    Holds the key until the transaction ends.
    """
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(key.digest, 0))
    if not (await db.execute(select(lock))).scalar_one():
        return IN_FLIGHT
    found = await db.execute(
        select(answers).where(
            answers.c.organization_id == key.organization_id,
            answers.c.principal == key.principal,
            answers.c.operation == key.operation,
            answers.c.idempotency_key == key.key,
        )
    )
    row = found.first()
    if row is None:
        return None
    if row.body_hash != key.asked:
        return REUSED
    return StoredAnswer(refused=bool(row.refused), reply=row.reply)


async def keep_answer(db: Db, key: IdempotencyKey, reply: Reply) -> None:
    """Store an answer in the transaction of its effect."""
    await db.execute(
        insert(answers).values(
            organization_id=key.organization_id,
            principal=key.principal,
            operation=key.operation,
            idempotency_key=key.key,
            body_hash=key.asked,
            refused=int(isinstance(reply, Refusal)),
            reply=msgspec.json.encode(reply),
            answered_at=db.now,
        )
    )

"""Stored idempotency keys: the same key and body get the same answer, with one effect."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, insert, select

from shared.contracts.base import Event, Refusal, Reply
from shared.database import Db
from shared.tables import answers

# Longer than any caller retries (Stripe's own keys live 24 hours).
KEPT_FOR = timedelta(days=30)


class IdempotencyKey(msgspec.Struct, frozen=True):
    """Whose key, for which operation, over which body."""

    principal: str
    operation: str
    key: str
    body: bytes

    @property
    def body_hash(self) -> bytes:
        """What tells a repetition from another request under the same key."""
        return hashlib.sha256(self.body).digest()


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


async def find_answer(db: Db, key: IdempotencyKey) -> StoredAnswer | Refusal | None:
    """The answer given before, a Refusal when the key cannot be used now, None when it is new.

    Holds the key until the transaction ends.
    """
    name = f"{key.principal}\0{key.operation}\0{key.key}".replace("\0", " ")
    held = await db.execute(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))))
    if not held.scalar_one():
        return IN_FLIGHT
    found = await db.execute(
        select(answers).where(
            answers.c.principal == key.principal,
            answers.c.operation == key.operation,
            answers.c.idempotency_key == key.key,
        )
    )
    row = found.first()
    if row is None:
        return None
    if row.body_hash != key.body_hash:
        return REUSED
    return StoredAnswer(refused=bool(row.refused), reply=row.reply)


async def keep_answer(db: Db, key: IdempotencyKey, reply: Reply) -> None:
    """Store an answer in the transaction of its effect."""
    await db.execute(
        insert(answers).values(
            principal=key.principal,
            operation=key.operation,
            idempotency_key=key.key,
            body_hash=key.body_hash,
            refused=int(isinstance(reply, Refusal)),
            reply=msgspec.json.encode(reply),
            answered_at=db.now,
        )
    )


async def forget_old_answers(db: Db) -> Sequence[Event]:
    """Let go of keys that nobody retries any more."""
    await db.execute(delete(answers).where(answers.c.answered_at < db.now - KEPT_FOR))
    return ()

"""Dead letters: what cannot be processed is kept with its reason, seen, replayed or discarded."""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.base import Done, Refusal
from shared.contracts.operations import (
    DeadLetter,
    DeadLetters,
    DiscardDeadLetters,
    ListDeadLetters,
    ReplayDeadLetters,
    ShowDeadLetter,
)
from shared.database import Db
from shared.tables import dead_letters

logger = logging.getLogger(__name__)

# What a letter's body shows to an operator; the stored bytes are whole.
SHOWN_BYTES = 16 * 1024
REPLAY_BELL = "replay"
# No reason needs more words.
LONGEST = 500


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or a part of one that could stand alone, that is set aside with its reason.

    `content` is what makes two letters of one subject the same letter; without it, the body does.
    """

    subject: str
    body: bytes
    reason: str
    detail: str
    organization_id: str | None = None
    event_id: str | None = None
    content: bytes | None = None
    message_id: str | None = None
    traceparent: str | None = None

    def storable(self) -> dict[str, str | bytes | None]:
        """As PostgreSQL takes it: an error may quote what no text column holds."""
        values: dict[str, str | bytes | None] = msgspec.structs.asdict(self)
        del values["content"]
        return {
            name: value.encode(errors="backslashreplace").decode().replace("\0", "�")[:LONGEST]
            if isinstance(value, str)
            else value
            for name, value in values.items()
        }


async def park(db: Db, consumer: str, letters: Sequence[Parked]) -> None:
    """Keep letters; the same content parked again is counted, not kept twice."""
    hashes = [_content_hash(letter) for letter in letters]
    occurrences = Counter(hashes)
    rows = [
        {
            "consumer": consumer,
            "content_hash": content_hash,
            **letter.storable(),
            "occurrences": occurrences[content_hash],
            "first_seen_at": db.now,
            "last_seen_at": db.now,
        }
        for content_hash, letter in sorted(dict(zip(hashes, letters, strict=True)).items())
    ]
    if not rows:
        return
    added = insert(dead_letters)
    again = added.on_conflict_do_update(
        constraint="dead_letters_content",
        set_={
            "occurrences": dead_letters.c.occurrences + added.excluded.occurrences,
            "last_seen_at": added.excluded.last_seen_at,
            "reason": added.excluded.reason,
            "detail": added.excluded.detail,
            # A letter that was given up stays so; one that was being replayed has failed again.
            "state": case((dead_letters.c.state == "discarded", "discarded"), else_="parked"),
        },
    )
    await db.execute(again, rows)


def _content_hash(letter: Parked) -> bytes:
    content = letter.body if letter.content is None else letter.content
    return hashlib.sha256(letter.subject.encode() + b"\0" + content).digest()


def _shown(row: Row[Any], *, with_body: bool) -> DeadLetter:
    return DeadLetter(
        letter_id=row.letter_id,
        consumer=row.consumer,
        subject=row.subject,
        reason=row.reason,
        detail=row.detail,
        organization_id=row.organization_id,
        state=row.state,
        occurrences=row.occurrences,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        body=row.body[:SHOWN_BYTES].decode(errors="backslashreplace") if with_body else None,
    )


async def list_letters(request: ListDeadLetters, db: Db) -> DeadLetters:
    """The newest letters in a state."""
    wanted = select(dead_letters).where(dead_letters.c.state == request.state)
    if request.reason:
        wanted = wanted.where(dead_letters.c.reason == request.reason)
    rows = await db.execute(wanted.order_by(dead_letters.c.letter_id.desc()).limit(request.limit))
    return DeadLetters(letters=tuple(_shown(row, with_body=False) for row in rows))


async def show_letter(request: ShowDeadLetter, db: Db) -> DeadLetters | Refusal:
    """One letter with its body."""
    rows = await db.execute(
        select(dead_letters).where(dead_letters.c.letter_id == request.letter_id)
    )
    row = rows.first()
    if row is None:
        return Refusal(
            code="dead_letter_not_found", detail=f"No dead letter {request.letter_id}.", status=404
        )
    return DeadLetters(letters=(_shown(row, with_body=True),))


async def replay_letters(request: ReplayDeadLetters, db: Db) -> Done:
    """Mark letters for replay; the service hands them to their handler within seconds."""
    db.ring(REPLAY_BELL)
    return await _move(db, request, "replaying", "replay asked")


async def discard_letters(request: DiscardDeadLetters, db: Db) -> Done:
    """Give letters up, with the reason on record."""
    return await _move(db, request, "discarded", request.discard_reason)


async def _move(
    db: Db, request: ReplayDeadLetters | DiscardDeadLetters, state: str, reason: str
) -> Done:
    moved = await db.execute(
        update(dead_letters)
        .where(dead_letters.c.letter_id.in_(request.letter_ids), dead_letters.c.state == "parked")
        .values(state=state, state_reason=reason)
        .returning(dead_letters.c.letter_id)
    )
    letter_ids = sorted(row.letter_id for row in moved)
    told = {"letters": letter_ids, "state": state, "requested_by": request.requested_by}
    logger.info("dead letters moved", extra={"fields": told})
    return Done(affected=len(letter_ids), at=db.now)


async def next_replay(db: Db, consumer: str) -> Row[Any] | None:
    """A consumer's oldest letter to be replayed, counted as replayed unless it parks again."""
    chosen = await db.execute(
        select(dead_letters)
        .where(dead_letters.c.state == "replaying", dead_letters.c.consumer == consumer)
        .order_by(dead_letters.c.letter_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = chosen.first()
    if row is not None:
        await db.execute(
            update(dead_letters)
            .where(dead_letters.c.letter_id == row.letter_id)
            .values(state="replayed", last_seen_at=db.now)
        )
    return row


async def park_again(db: Db, letter_id: int, again: Parked) -> None:
    """A letter whose replay failed waits for an operator again."""
    await db.execute(
        update(dead_letters)
        .where(dead_letters.c.letter_id == letter_id)
        .values(
            state="parked",
            reason=again.reason,
            detail=again.storable()["detail"],
            occurrences=dead_letters.c.occurrences + 1,
            last_seen_at=db.now,
        )
    )


async def count_parked(db: Db) -> int:
    """How many letters wait for an operator."""
    counted = await db.execute(
        select(func.count()).select_from(dead_letters).where(dead_letters.c.state == "parked")
    )
    return int(counted.scalar_one())

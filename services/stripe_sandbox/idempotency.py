"""Idempotency keys: the first answer to a key is the answer to it, whatever it was."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.stripe_sandbox.errors import StripeError, error_body
from services.stripe_sandbox.store import Store

# Stripe forgets keys after at least 24 hours.
KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    body: bytes
    request_id: str


class IdempotencyKeys:
    """Remembers answers on disk, and in memory which keys are being worked on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_use: set[str] = set()

    @contextmanager
    def using(self, key: str | None) -> Iterator[None]:
        """While this lasts, another request with the key is refused with 409."""
        if key is None:
            yield
            return
        if key in self._in_use:
            message = (
                "There is currently another in-progress request using this Idempotent-Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later."
            )
            raise StripeError(
                409, error_body("idempotency_error", message, "idempotency_key_in_use")
            )
        self._in_use.add(key)
        try:
            yield
        finally:
            self._in_use.discard(key)

    def find(self, key: str, method_and_path: str, parameters: str) -> Answer | None:
        """The first answer to a key, if there was one.

        Raises StripeError when the key was used for something else.
        """
        row = self._store.one("SELECT * FROM idempotency WHERE key = ?", key)
        if row is None:
            return None
        if row["method_and_path"] != method_and_path:
            raise _misused(
                "Keys for idempotent requests can only be used for the same endpoint they were"
                f" first used for ('{method_and_path}' vs '{row['method_and_path']}'). Try using a"
                f" key other than '{key}' if you meant to execute a different request."
            )
        if row["parameters"] != parameters:
            raise _misused(
                "Keys for idempotent requests can only be used with the same parameters they were"
                f" first used with. Try using a key other than '{key}' if you meant to execute a"
                " different request."
            )
        return Answer(row["status"], row["body"], row["request_id"])

    def remember(self, key: str, method_and_path: str, parameters: str, answer: Answer) -> None:
        """Keep the first answer, in the transaction of what it tells."""
        self._store.run(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
            key,
            method_and_path,
            parameters,
            answer.request_id,
            answer.status,
            answer.body,
            time.time(),
        )


def prune_keys(store: Store, older_than_seconds: float = KEEP_SECONDS) -> int:
    """Forget old keys; returns how many."""
    oldest = time.time() - older_than_seconds
    return store.run("DELETE FROM idempotency WHERE created <= ?", oldest)


def _misused(message: str) -> StripeError:
    return StripeError(400, error_body("idempotency_error", message))

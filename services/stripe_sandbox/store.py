"""The sandbox's memory: one SQLite file, where what was acknowledged survives a `kill -9`."""

import asyncio
import json
import secrets
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.schema import SCHEMA
from shared.clock import Clock

ALPHABET = string.ascii_letters + string.digits
CACHE_KIB = 16 * 1024


def new_id(prefix: str) -> str:
    """An id as Stripe writes them: `cus_` and 24 letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(24))}"


class Store:
    """One connection for one thread; every change happens inside `transaction`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        # Set when the clock was moved: something may be due now.
        self.travelled = asyncio.Event()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "stripe.sqlite3", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._connection.executescript(SCHEMA)

    def now(self) -> int:
        """What time it is here (seconds since 1970), a year ahead for whoever has travelled it."""
        return int(self.clock.now().timestamp())

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self, *, flushed: bool = True) -> Iterator[None]:
        """All of it or nothing.

        With `flushed` it is on the disk at the end; without, it survives a `kill -9`, but maybe
        not the loss of power, which is enough for what would only be done again.
        """
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if flushed else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Inside a transaction: undo this part alone if it raises."""
        self._connection.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO attempt")
            raise
        finally:
            self._connection.execute("RELEASE attempt")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Inside a transaction: undo this part in any case, as if it had only been thought."""
        self._connection.execute("SAVEPOINT undone")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK TO undone")
            self._connection.execute("RELEASE undone")

    def query(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a question."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def run(self, sql: str, *values: Any) -> int:
        """Change rows; returns how many."""
        return self._connection.execute(sql, values).rowcount

    def find(self, object_id: str) -> Body | None:
        """An object by its id."""
        row = self.one("SELECT body FROM objects WHERE id = ?", object_id)
        return None if row is None else _load(row)

    def add(self, body: Body) -> None:
        """Keep a new object."""
        self.run(
            "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?)",
            body["id"],
            body["object"],
            body["created"] if "created" in body else body["date"],
            json.dumps(body),
        )

    def put(self, body: Body) -> None:
        """Keep an object as it is now."""
        self.run("UPDATE objects SET body = ? WHERE id = ?", json.dumps(body), body["id"])

    def remove(self, object_id: str) -> None:
        """Forget an object."""
        self.run("DELETE FROM objects WHERE id = ?", object_id)

    def select(
        self,
        kind: str,
        where: str = "1",
        *values: Any,
        order: str = "seq DESC",
        limit: int = 10_000,
    ) -> list[Body]:
        """Objects of a kind; `where` and `order` are SQL over the table, written by us."""
        sql = f"SELECT body FROM objects WHERE kind = ? AND {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return [_load(row) for row in self.query(sql, kind, *values, limit)]

    def setting(self, name: str, default: Any) -> Any:
        """What was set at run time."""
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        return default if row is None else json.loads(row["value"])

    def set_setting(self, name: str, value: Any) -> None:
        """Set something at run time."""
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, json.dumps(value))


def _load(row: sqlite3.Row) -> Body:
    body: Body = json.loads(row["body"])
    return body

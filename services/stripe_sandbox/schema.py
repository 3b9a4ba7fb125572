"""The tables of the sandbox's ledger on disk."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    customer TEXT GENERATED ALWAYS AS (json_extract(body, '$.customer')) VIRTUAL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, customer, seq);
CREATE INDEX IF NOT EXISTS objects_by_invoice
    ON objects (kind, json_extract(body, '$.invoice'));
CREATE INDEX IF NOT EXISTS objects_by_charge
    ON objects (kind, json_extract(body, '$.charge'));
CREATE INDEX IF NOT EXISTS objects_by_payment
    ON objects (kind, json_extract(body, '$.payment_intent'));

-- What was really charged, refunded, withdrawn and made. Rows are only ever added.
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    payment_intent TEXT,
    customer TEXT,
    amount INTEGER NOT NULL,
    currency TEXT,
    metadata TEXT NOT NULL,
    idempotency_key TEXT,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS ledger_keeps_rows BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger keeps its rows'); END;
CREATE TRIGGER IF NOT EXISTS ledger_keeps_words BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger keeps its rows'); END;

CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    method_and_path TEXT NOT NULL,
    parameters TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created REAL NOT NULL
) STRICT;

-- What has to happen at a time: on the machine's clock ('') or on a test clock.
CREATE TABLE IF NOT EXISTS agenda (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    clock TEXT NOT NULL,
    due INTEGER NOT NULL,
    task TEXT NOT NULL,
    subject TEXT NOT NULL,
    UNIQUE (task, subject)
) STRICT;
CREATE INDEX IF NOT EXISTS agenda_by_due ON agenda (clock, due, seq);

CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    style TEXT NOT NULL,
    lane INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    last_answer TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (state, lane, due, seq);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);

CREATE TABLE IF NOT EXISTS faults (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    remaining INTEGER NOT NULL,
    options TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
"""

-- The kiosk's ledger. Nothing in it is ever changed or removed, except a session's draft.
-- The triggers guard against our own mistakes; against anybody else stand the signatures and the hash chain.
BEGIN IMMEDIATE;
PRAGMA application_id = 0x43314B4C;
PRAGMA user_version = 1;

-- Pictures that are on disk, by content. The file is complete and synced before its row exists.
CREATE TABLE pictures (
    sha256  BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    bytes   INTEGER NOT NULL CHECK (bytes > 0),
    kept_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Sealed records: the signer's chain, without a gap and in its order.
CREATE TABLE records (
    sequence  INTEGER PRIMARY KEY CHECK (sequence >= 1),
    sha256    BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    previous  BLOB NOT NULL UNIQUE CHECK (length(previous) = 32),
    cose      BLOB NOT NULL,
    receipt   BLOB NOT NULL,
    stored_at TEXT NOT NULL
) STRICT;

CREATE TABLE record_pictures (
    record  BLOB NOT NULL REFERENCES records (sha256),
    picture BLOB NOT NULL REFERENCES pictures (sha256),
    PRIMARY KEY (record, picture)
) STRICT, WITHOUT ROWID;

-- One strip of paper that somebody asked for, and every state it went through. A document is a record, or the opening
-- or closing of a day.
CREATE TABLE print_jobs (
    id       INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    record   BLOB REFERENCES records (sha256),
    copy     INTEGER NOT NULL CHECK (copy BETWEEN 1 AND copies),
    copies   INTEGER NOT NULL,
    reprint  INTEGER NOT NULL CHECK (reprint IN (0, 1)),
    CHECK (CASE WHEN record IS NULL THEN document GLOB 'opening/?*' OR document GLOB 'closing/?*'
                ELSE document = 'record/' || lower(hex(record)) END)
) STRICT;

CREATE TABLE print_states (
    job   INTEGER NOT NULL REFERENCES print_jobs (id),
    step  INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'sent', 'confirmed', 'doubtful', 'spoiled')),
    at    TEXT NOT NULL,
    note  TEXT NOT NULL,
    PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;

-- What happened, for the auditor: sha256 = SHA-256(previous, at, line feed, fields).
CREATE TABLE events (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    fields   TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;

-- Where a session stands, so that a power cut loses no work. Not evidence: replaced and cleared.
CREATE TABLE drafts (
    key      TEXT PRIMARY KEY,
    body     BLOB NOT NULL,
    saved_at TEXT NOT NULL
) STRICT;

CREATE TRIGGER records_follow_the_chain BEFORE INSERT ON records
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM records)
  OR NEW.previous <> coalesce((SELECT sha256 FROM records ORDER BY sequence DESC LIMIT 1), zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'a record must follow the last one'); END;

CREATE TRIGGER events_follow_the_chain BEFORE INSERT ON events
WHEN NEW.previous <> coalesce((SELECT sha256 FROM events ORDER BY id DESC LIMIT 1), zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'an event must follow the last one'); END;

CREATE TRIGGER pictures_stay BEFORE DELETE ON pictures BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER pictures_keep BEFORE UPDATE ON pictures BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER records_stay BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER records_keep BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER record_pictures_stay BEFORE DELETE ON record_pictures BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER record_pictures_keep BEFORE UPDATE ON record_pictures BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER print_jobs_stay BEFORE DELETE ON print_jobs BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER print_jobs_keep BEFORE UPDATE ON print_jobs BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER print_states_stay BEFORE DELETE ON print_states BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER print_states_keep BEFORE UPDATE ON print_states BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_keep BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
COMMIT;

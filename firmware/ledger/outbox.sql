-- What is still to be delivered, and the proof of what has been. The uplink's own file: it never writes the ledger.
BEGIN IMMEDIATE;
PRAGMA application_id = 0x43314F42;
PRAGMA user_version = 1;

CREATE TABLE deliveries (
    record          BLOB NOT NULL CHECK (length(record) = 32),
    collector       TEXT NOT NULL,
    place           INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'acknowledged', 'refused')),
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    next_try        REAL NOT NULL,
    problem         TEXT,
    detail          TEXT NOT NULL DEFAULT '',
    acknowledgement BLOB,
    PRIMARY KEY (record, collector),
    CHECK ((state = 'acknowledged') = (acknowledgement IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deliveries_stay BEFORE DELETE ON deliveries
BEGIN SELECT RAISE(ABORT, 'a delivery is never forgotten'); END;

CREATE TRIGGER acknowledged_is_final BEFORE UPDATE ON deliveries WHEN OLD.state = 'acknowledged'
BEGIN SELECT RAISE(ABORT, 'an acknowledgement is never lost'); END;

-- A picture that two records show has two rows, and is sent once.
CREATE TABLE pictures (
    record    BLOB NOT NULL,
    collector TEXT NOT NULL,
    picture   BLOB NOT NULL CHECK (length(picture) = 32),
    bytes     INTEGER NOT NULL CHECK (bytes > 0),
    sent      INTEGER CHECK (sent BETWEEN 0 AND bytes), -- NULL: no upload was begun
    stored    INTEGER NOT NULL DEFAULT 0 CHECK (stored IN (0, 1)),
    attempts  INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- failed in a row
    next_try  REAL NOT NULL DEFAULT 0,
    problem   TEXT,
    detail    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (record, collector, picture),
    FOREIGN KEY (record, collector) REFERENCES deliveries (record, collector),
    CHECK (stored = 0 OR sent = bytes)
) STRICT, WITHOUT ROWID;

CREATE INDEX pictures_by_name ON pictures (picture, collector);

CREATE TRIGGER pictures_stay BEFORE DELETE ON pictures
BEGIN SELECT RAISE(ABORT, 'a picture is never forgotten'); END;

CREATE TRIGGER stored_is_final BEFORE UPDATE ON pictures WHEN OLD.stored = 1
BEGIN SELECT RAISE(ABORT, 'a stored picture is stored'); END;
COMMIT;

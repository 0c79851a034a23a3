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
COMMIT;

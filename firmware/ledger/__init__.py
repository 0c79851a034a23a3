"""The append-only store; the only user of sqlite3."""

"""The outbox and its transport."""

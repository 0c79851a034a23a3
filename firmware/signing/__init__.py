"""Encoding, keys, chain and log, verification; see record.cddl."""

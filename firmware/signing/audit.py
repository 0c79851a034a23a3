"""The audit journal outside of its ledger: one line of JSON for each event, chained by hash.

    {"at": "2029-02-14T19:30:00+00:00", "fields": "{\"event\": ...}", "sha256": "<hex>"}

`fields` is the JSON text as it was written down, `sha256` is SHA-256 of the event before (32 zero bytes at first),
`at`, a line feed, and `fields`. Every record carries the `sha256` of the last event before it was sealed, so what
comes before a record cannot be rewritten after it.
"""

from __future__ import annotations

import hashlib
import json

from firmware.errors import VerificationRefused

START = bytes(32)
"""What stands in for the event before the first."""


def digest(previous: bytes, at: str, fields: str) -> bytes:
    """The hash of an event and everything before it."""
    return hashlib.sha256(previous + f"{at}\n{fields}".encode()).digest()


def line(at: str, fields: str, sha256: bytes) -> bytes:
    """One line, with its line feed."""
    entry = {"at": at, "fields": fields, "sha256": sha256.hex()}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def check_journal(data: bytes) -> list[bytes]:
    """The head before any event and after each one; raises VerificationRefused("journal-chain")."""
    heads = [START]
    for number, text in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            entry = json.loads(text)
            at, fields = entry["at"], entry["fields"]
            head = digest(heads[-1], str(at), str(fields))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise VerificationRefused("journal-chain", event=number) from error
        if line(str(at), str(fields), head) != text + b"\n":
            raise VerificationRefused("journal-chain", event=number)
        heads.append(head)
    if not data.endswith(b"\n") and data:
        raise VerificationRefused("journal-chain", event=len(heads))
    return heads

"""The local API, version 1, read-only: what is sealed, for an operator's own tools.

GET /v1/status             state of the session and the newest record
GET /v1/records            sequence, hash and time of every sealed record
GET /v1/records/{sha256}   the record itself, application/cose
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, abort, current_app

from firmware.endpoint.screens import current_view
from firmware.errors import LedgerRefused
from firmware.ledger.store import Ledger

routes = Blueprint("api", __name__, url_prefix="/v1")

MEDIA_TYPE = 'application/cose; cose-type="cose-sign1"'


@contextmanager
def _ledger() -> Iterator[Ledger]:
    """The ledger, for reading only; 503 while there is none yet."""
    try:
        ledger = Ledger.open(current_app.extensions["ledger"], readonly=True)
    except LedgerRefused:
        abort(503)
    with ledger:
        yield ledger


@routes.get("/status")
def status() -> Any:
    """Where the session stands, and how far each record has come."""
    view = current_view()
    with _ledger() as ledger:
        count = len(ledger.record_hashes())
    return {
        "state": view.state,
        "mode": view.mode,
        "tps": view.tps,
        "contest": view.contest,
        "records": count,
        "deliveries": [
            {"collector": entry.collector, "state": entry.state, "attempts": entry.attempts}
            for entry in view.deliveries
        ],
    }


@routes.get("/records")
def records() -> Any:
    """All sealed records, oldest first."""
    with _ledger() as ledger:
        stored = ledger.records()
    return {
        "records": [
            {
                "sequence": entry.sealed.sequence,
                "sha256": entry.sealed.sha256.hex(),
                "stored_at": entry.stored_at.isoformat(),
            }
            for entry in stored
        ]
    }


@routes.get("/records/<sha256>")
def record(sha256: str) -> Response:
    """One record, byte for byte as it was signed."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        abort(404)
    with _ledger() as ledger:
        try:
            cose = ledger.record(bytes.fromhex(sha256)).sealed.cose
        except LedgerRefused:
            abort(404)
    return Response(cose, content_type=MEDIA_TYPE)

"""The local API, version 1, read-only: what is sealed, for an operator's own tools.

GET /v1/status             state of the session and the newest record
GET /v1/records            sequence, hash and time of every sealed record
GET /v1/records/{sha256}   the record itself, application/cose
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, current_app

from firmware.endpoint.screens import current_view
from firmware.records import StoredRecord

routes = Blueprint("api", __name__, url_prefix="/v1")

MEDIA_TYPE = 'application/cose; cose-type="cose-sign1"'


def _records() -> tuple[StoredRecord, ...]:
    records: tuple[StoredRecord, ...] = current_app.extensions["records"].records()
    return records


@routes.get("/status")
def status() -> Any:
    """Where the session stands, and how far each record has come."""
    view = current_view()
    return {
        "state": view.state,
        "mode": view.mode,
        "tps": view.tps,
        "contest": view.contest,
        "records": len(_records()),
        "deliveries": [
            {"collector": entry.collector, "state": entry.state, "attempts": entry.attempts}
            for entry in view.deliveries
        ],
    }


@routes.get("/records")
def records() -> Any:
    """All sealed records, oldest first."""
    return {
        "records": [
            {
                "sequence": stored.sealed.sequence,
                "sha256": stored.sealed.sha256.hex(),
                "stored_at": stored.stored_at.isoformat(),
            }
            for stored in _records()
        ]
    }


@routes.get("/records/<sha256>")
def record(sha256: str) -> Response:
    """One record, byte for byte as it was signed."""
    found = [stored for stored in _records() if stored.sealed.sha256.hex() == sha256]
    if not found:
        abort(404)
    return Response(found[0].sealed.cose, content_type=MEDIA_TYPE)

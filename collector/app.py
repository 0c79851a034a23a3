"""The collector's HTTP interface (DESIGN 5.5).

    PUT /v1/records/{sha256}   body: COSE bytes   200 or 201: the signed acknowledgement (COSE); idempotent
    GET /v1/records/{sha256}                      200: the COSE bytes
    GET /v1/status                                200: counts, JSON

Every other answer is JSON {"code", "message"}: 4xx when this record is not taken, 5xx when none can be taken now.
A record is verified, then stored, and only then acknowledged; sent again, it is answered with the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus

import structlog
from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from collector.store import CollectorRefused, RecordStore, Submission
from firmware.errors import Refused, VerificationRefused
from firmware.messages import both
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.cose import SigningKey
from firmware.signing.encoding import MAX_BYTES
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_record

CONTENT_TYPE = "application/cose"
_STATUS = {
    "collector-fork": HTTPStatus.CONFLICT,
    "collector-unknown-record": HTTPStatus.NOT_FOUND,
}
"""Of refusals; any other is UNPROCESSABLE_ENTITY."""
_HTTP_CODES = {413: "collector-too-large"}
"""Of what werkzeug refuses by itself; anything else is a wrong address or method."""

_log = structlog.get_logger(__name__)


def create_app(store: RecordStore, trust: TrustRoots, key: SigningKey, clock: Callable[[], float]) -> Flask:
    """The collector as a WSGI application; `clock` gives Unix seconds."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    _add_error_handlers(app)

    @app.put("/v1/records/<name>")
    def put_record(name: str) -> tuple[Response, int]:
        submission = _verified(name, request.get_data(cache=False), trust)
        new = store.add(submission, int(clock()))
        kept = store.acknowledgement(submission.sha256)
        if kept is None:
            kept = store.keep_acknowledgement(submission.sha256, acknowledge(submission.sha256, int(clock()), key))
        _log.info("collector.record", record=name, new=new, device=submission.device, sequence=submission.sequence)
        return Response(kept, content_type=CONTENT_TYPE), HTTPStatus.CREATED if new else HTTPStatus.OK

    @app.get("/v1/records/<name>")
    def get_record(name: str) -> Response:
        cose = store.record(_hash_of(name))
        if cose is None:
            raise CollectorRefused("collector-unknown-record", record=name)
        return Response(cose, content_type=CONTENT_TYPE)

    @app.get("/v1/status")
    def get_status() -> Response:
        return jsonify({"election": trust.election.sha256, **store.counts()})

    return app


def _verified(name: str, cose: bytes, trust: TrustRoots) -> Submission:
    """What the store takes; raises CollectorRefused or VerificationRefused."""
    if hashlib.sha256(cose).digest() != _hash_of(name):
        raise CollectorRefused("collector-hash", record=name)
    verified = verify_record(cose, trust)
    record = verified.record
    return Submission(
        sha256=verified.sha256,
        cose=cose,
        kid=verified.kid,
        device=verified.device.claims.serial,
        sequence=record.sequence,
        previous=record.previous,
        mode=record.mode,
        election=record.election,
        tps=record.tps,
        contest=record.contest,
        form=record.form,
        supersedes=record.supersedes,
    )


def _hash_of(name: str) -> bytes:
    """The hash in an address: 64 lower-case hexadecimal digits, nothing else."""
    try:
        sha256 = bytes.fromhex(name)
    except ValueError as error:
        raise CollectorRefused("collector-hash", record=name) from error
    if sha256.hex() != name or len(sha256) != hashlib.sha256().digest_size:
        raise CollectorRefused("collector-hash", record=name)
    return sha256


def _add_error_handlers(app: Flask) -> None:
    @app.errorhandler(CollectorRefused)
    @app.errorhandler(VerificationRefused)
    def refused(refusal: Refused) -> tuple[Response, int]:
        _log.warning("collector.refused", code=refusal.code, path=request.path)
        return _answer(refusal, _STATUS.get(refusal.code, HTTPStatus.UNPROCESSABLE_ENTITY))

    @app.errorhandler(SQLAlchemyError)
    def unavailable(error: SQLAlchemyError) -> tuple[Response, int]:
        _log.error("collector.database", problem=str(error))
        return _answer(CollectorRefused("collector-unavailable"), HTTPStatus.SERVICE_UNAVAILABLE)

    @app.errorhandler(HTTPException)
    def wrong_request(error: HTTPException) -> tuple[Response, int]:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        code = _HTTP_CODES.get(status, "collector-unavailable" if status >= 500 else "collector-address")
        return _answer(CollectorRefused(code, most=MAX_BYTES), status)


def _answer(refusal: Refused, status: int) -> tuple[Response, int]:
    return jsonify(code=refusal.code, message=both(f"error.{refusal.code}", **refusal.details)), status

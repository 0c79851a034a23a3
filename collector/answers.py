"""How the collector answers: what a refusal is in HTTP, and the JSON around it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import structlog
from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from collector.submission import CollectorRefused
from firmware.errors import Refused, VerificationRefused
from firmware.messages import both
from firmware.signing.encoding import MAX_BYTES

CHECKSUM_MISMATCH = 460
"""Of tus 1.0."""
_STATUS: dict[str, int] = {
    "collector-fork": HTTPStatus.CONFLICT,
    "collector-offset": HTTPStatus.CONFLICT,
    "collector-upload-busy": HTTPStatus.CONFLICT,
    "collector-checksum": CHECKSUM_MISMATCH,
    "collector-upload-header": HTTPStatus.BAD_REQUEST,
    "collector-upload-version": HTTPStatus.PRECONDITION_FAILED,
    "collector-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "collector-picture-size": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "collector-picture-unknown": HTTPStatus.NOT_FOUND,
    "collector-unknown-record": HTTPStatus.NOT_FOUND,
    "collector-unknown-place": HTTPStatus.NOT_FOUND,
    "collector-log-size": HTTPStatus.NOT_FOUND,
    "receipt-unknown": HTTPStatus.NOT_FOUND,
    "receipt-picture-size": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "receipt-rate": HTTPStatus.TOO_MANY_REQUESTS,
    "receipt-busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "collector-certificate": HTTPStatus.FORBIDDEN,
    "collector-carrier": HTTPStatus.FORBIDDEN,
    "collector-operator": HTTPStatus.FORBIDDEN,
}
"""Of refusals; any other is UNPROCESSABLE_ENTITY."""
_HTTP_CODES = {413: "collector-too-large"}
"""Of what werkzeug refuses by itself; anything else is a wrong address or method."""
RETRY_SECONDS = 30
"""After which a sender may ask again when nothing can be taken now."""
NOT_YET_SECONDS = 2
"""The same, for what waits in the queue: longer than the drain takes as long as the database is there."""

_log = structlog.get_logger(__name__)


def add_error_handlers(app: Flask, tell: Callable[[str], None], may_wait: Callable[[str], bool]) -> None:
    """Every problem becomes JSON {"code", "message"}; `tell` gets the code of what was handed in and refused;
    `may_wait` says whether a record that is not stored may be in a queue."""

    @app.errorhandler(CollectorRefused)
    @app.errorhandler(VerificationRefused)
    def refused(refusal: Refused) -> Response:
        if refusal.code == "collector-unknown-record" and may_wait(refusal.details["record"]):
            return _later(CollectorRefused("collector-not-yet"), NOT_YET_SECONDS)
        _log.warning("collector.refused", code=refusal.code, path=request.path)
        if request.method not in ("GET", "HEAD"):
            tell(refusal.code)
        return _answer(refusal, status_of(refusal))

    @app.errorhandler(SQLAlchemyError)
    @app.errorhandler(OSError)
    def unavailable(error: Exception) -> Response:
        _log.error("collector.storage", problem=str(error))
        return _later(CollectorRefused("collector-unavailable"), RETRY_SECONDS)

    @app.errorhandler(HTTPException)
    def wrong_request(error: HTTPException) -> Response:
        status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
        code = _HTTP_CODES.get(status, "collector-unavailable" if status >= 500 else "collector-address")
        return _answer(CollectorRefused(code, most=MAX_BYTES), status)


def status_of(refusal: Refused) -> int:
    """The HTTP status of a refusal."""
    return _STATUS.get(refusal.code, HTTPStatus.UNPROCESSABLE_ENTITY)


def _later(refusal: Refused, seconds: int) -> Response:
    response = _answer(refusal, HTTPStatus.SERVICE_UNAVAILABLE)
    response.headers["Retry-After"] = str(seconds)
    return response


def _answer(refusal: Refused, status: int) -> Response:
    response = jsonify(code=refusal.code, message=both(f"error.{refusal.code}", **refusal.details))
    response.status_code = status
    return response

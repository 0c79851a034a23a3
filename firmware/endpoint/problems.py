"""Refusals of the local API, as RFC 9457 problems: our code, the sentence for people, the status of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from firmware.endpoint.answers import Problem
from firmware.errors import Refused
from firmware.messages import both

MEDIA_TYPE = "application/problem+json"
PREFIX = "/v1/"
"""Addresses of the API; the screen's errors are pages."""

STATUSES: Mapping[str, HTTPStatus] = {
    "ledger-unknown-record": HTTPStatus.NOT_FOUND,
    "page-unknown": HTTPStatus.NOT_FOUND,
    "log-smaller": HTTPStatus.NOT_FOUND,
    "log-before-record": HTTPStatus.NOT_FOUND,
    "log-order": HTTPStatus.NOT_FOUND,
    "query": HTTPStatus.BAD_REQUEST,
    "no-record-yet": HTTPStatus.NOT_FOUND,
    "device-unknown": HTTPStatus.NOT_FOUND,
    "ledger-hash": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ledger-picture-damaged": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ledger-picture-missing": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""By code; any other refusal is 503: the disk or a folder is not as it should be, and may be again."""

_HTTP_CODES: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "address-unknown",
    HTTPStatus.METHOD_NOT_ALLOWED: "read-only",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "read-only",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "range",
    HTTPStatus.MISDIRECTED_REQUEST: "other-host",
}
"""What Flask and the guard refuse by themselves."""
_INTERNAL = "internal"

_log = structlog.get_logger(__name__)


class ApiRefused(Refused):
    """A request that cannot be answered; its sentence is `api.<code>`."""


def install(app: Flask) -> None:
    """Answers every refusal under PREFIX as a problem; leaves the screen's errors as they are."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http)


def _refused(refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)
    if not request.path.startswith(PREFIX):
        raise refusal
    status = STATUSES.get(refusal.code, HTTPStatus.SERVICE_UNAVAILABLE)
    domain = "api" if isinstance(refusal, ApiRefused) else "error"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("api.refused", code=refusal.code, **refusal.details)
    return _problem(status, refusal.code, both(f"{domain}.{refusal.code}", **refusal.details))


def _http(fault: Exception) -> Response | HTTPException:
    assert isinstance(fault, HTTPException)
    if not request.path.startswith(PREFIX):
        return fault
    status = HTTPStatus(fault.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    code = _HTTP_CODES.get(status, _INTERNAL)
    response = _problem(status, code, both(f"api.{code}"))
    for name, value in fault.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _problem(status: HTTPStatus, code: str, detail: str) -> Response:
    problem = Problem(title=status.phrase, status=status.value, code=code, detail=detail)
    return Response(msgspec.json.encode(problem), status, content_type=MEDIA_TYPE)

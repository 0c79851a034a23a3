"""What a route of the API takes and gives, told once: the request is checked by it, and openapi.py describes it.

A view takes the parts of its address, and `query`, a struct, where it has one; it gives a struct (JSON) or `Content`
(bytes named by their hash). Every answer has an entity tag, so that a tool that asks again is told 304.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_type_hints

import msgspec
from flask import Response, request

from firmware.endpoint.problems import ApiRefused

JSON = "application/json"
KEEP_SECONDS = 365 * 24 * 3600
"""How long content that is named by its hash may be kept: it never changes."""
_MARK = "kiosk_contract"


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are never changed on their way, and their name."""

    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What openapi.py needs to know of a view."""

    summary: str
    description: str
    query: type[msgspec.Struct] | None
    answer: Any
    """A struct, `Content`, or dict (JSON of its own making)."""
    media_type: str
    refuses: tuple[HTTPStatus, ...]


def serves(media_type: str = JSON, *, refuses: tuple[HTTPStatus, ...] = ()) -> Callable[..., Callable[..., Response]]:
    """Makes a route of a view by its types; `refuses` are the statuses besides 400 that it can end in."""

    def wrap(view: Callable[..., Any]) -> Callable[..., Response]:
        contract = _contract(view, media_type, refuses)

        @functools.wraps(view)
        def answer(**path: Any) -> Response:
            if contract.query is not None:
                path["query"] = _query(contract.query)
            elif request.args:
                raise ApiRefused("query", problem=", ".join(request.args))
            return _respond(view(**path), media_type)

        vars(answer)[_MARK] = contract
        return answer

    return wrap


def contract_of(view: Callable[..., Any]) -> Contract | None:
    """The contract of a view that has one."""
    found = vars(view).get(_MARK)
    return found if isinstance(found, Contract) else None


def _contract(view: Callable[..., Any], media_type: str, refuses: tuple[HTTPStatus, ...]) -> Contract:
    hints = get_type_hints(view)
    summary, _, description = (view.__doc__ or "").partition("\n")
    return Contract(
        summary.strip(), " ".join(description.split()), hints.get("query"), hints["return"], media_type, refuses
    )


def _query(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The query as a struct; raises ApiRefused("query") on an unknown, doubled, missing or impossible part."""
    given = request.args.to_dict(flat=False)
    doubled = [name for name, values in given.items() if len(values) > 1]
    if doubled:
        raise ApiRefused("query", problem=", ".join(doubled))
    try:
        return msgspec.convert(request.args.to_dict(), type=kind, strict=False)
    except msgspec.ValidationError as problem:
        raise ApiRefused("query", problem=str(problem)) from problem


def _respond(result: Any, media_type: str) -> Response:
    if isinstance(result, Content):
        response = Response(result.data, content_type=media_type)
        response.set_etag(result.sha256)
        response.headers["Cache-Control"] = f"private, max-age={KEEP_SECONDS}, immutable"
        response.make_conditional(request, accept_ranges=True, complete_length=len(result.data))
        return response
    response = Response(msgspec.json.encode(result), content_type=media_type)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response

"""The OpenAPI 3.1 description of the API, made of its routes, their contracts, their docstrings and answers.py.

Nothing is written down twice: a route, a type or a limit that changes changes the description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from firmware.endpoint.answers import Problem
from firmware.endpoint.contract import Content, Contract, contract_of
from firmware.endpoint.problems import MEDIA_TYPE as PROBLEM

OPENAPI_VERSION = "3.1.0"
API_VERSION = "1"
"""As the addresses begin: /v1."""
_PART = re.compile(r"<(?:(?P<kind>[a-z0-9_]+):)?(?P<name>[a-z0-9_]+)>")
"""A part of an address, as werkzeug writes it."""
_REFERENCE = "#/components/schemas/{name}"
_RANGE = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "The rest of a pull that broke off, such as bytes=1000-.",
    "schema": {"type": "string", "pattern": "^bytes=[0-9]{1,9}-$"},
}


def describe(app: Flask) -> dict[str, Any]:
    """The description of every route of `app` that has a contract."""
    found = sorted(_routes(app), key=lambda entry: entry[0].rule)
    kinds = {kind for _rule, contract in found for kind in _kinds(contract)} | {Problem}
    _references, components = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template=_REFERENCE
    )
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "C1 Kiosk",
            "version": API_VERSION,
            "description": "Read-only: what this kiosk has sealed, and where it stands.",
        },
        "paths": {_path(rule): {"get": _operation(app, rule, contract)} for rule, contract in found},
        "components": {"schemas": components},
    }


def _routes(app: Flask) -> Iterator[tuple[Rule, Contract]]:
    for rule in app.url_map.iter_rules():
        contract = contract_of(app.view_functions[rule.endpoint])
        if contract is not None:
            yield rule, contract


def _kinds(contract: Contract) -> Sequence[type[msgspec.Struct]]:
    """The structs whose schemas the description needs."""
    return [kind for kind in (contract.answer,) if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def _path(rule: Rule) -> str:
    return _PART.sub(r"{\g<name>}", rule.rule)


def _operation(app: Flask, rule: Rule, contract: Contract) -> dict[str, Any]:
    operation = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "summary": contract.summary,
        "parameters": [*_in_path(app, rule), *_in_query(contract), *([_RANGE] if contract.answer is Content else [])],
        "responses": _responses(contract),
    }
    return operation | ({"description": contract.description} if contract.description else {})


def _in_path(app: Flask, rule: Rule) -> Iterator[dict[str, Any]]:
    for part in _PART.finditer(rule.rule):
        converter: Any = app.url_map.converters[part["kind"]]
        yield {"name": part["name"], "in": "path", "required": True, "schema": dict(converter.schema)}


def _in_query(contract: Contract) -> Iterator[dict[str, Any]]:
    if contract.query is None:
        return
    ((reference,), components) = msgspec.json.schema_components([contract.query], ref_template=_REFERENCE)
    schema = components[reference["$ref"].rpartition("/")[2]]
    for name, value in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": value}


def _responses(contract: Contract) -> dict[str, Any]:
    statuses = {HTTPStatus.BAD_REQUEST, *contract.refuses}
    answers = {HTTPStatus.OK: _answer(contract)}
    if contract.answer is Content:
        answers[HTTPStatus.PARTIAL_CONTENT] = _answer(contract)
        statuses.add(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    problem = {"content": {PROBLEM: {"schema": {"$ref": _REFERENCE.format(name=Problem.__name__)}}}}
    described: dict[str, Any] = {str(status.value): answer for status, answer in answers.items()}
    described[str(HTTPStatus.NOT_MODIFIED.value)] = {"description": "Not changed since it was given with this tag."}
    for status in sorted(statuses):
        described[str(status.value)] = {"description": status.phrase, **problem}
    return described


def _answer(contract: Contract) -> dict[str, Any]:
    schema: Mapping[str, Any] = {"type": "object"}
    for kind in _kinds(contract):
        schema = {"$ref": _REFERENCE.format(name=kind.__name__)}
    content = {} if contract.answer is Content else {"schema": schema}
    return {
        "description": contract.summary,
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {contract.media_type: content},
    }

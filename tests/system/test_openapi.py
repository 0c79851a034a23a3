"""The API does what its description says: schemathesis asks it everything the description allows, and more."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="no schemathesis here (requirements/system.txt)")

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from firmware.endpoint.lan import create_lan_app
from tests.apis import SealedRoom

ADDRESSES = 9
"""All but the description itself, which schemathesis leaves out."""
RECORDS = 5
DESCRIPTION = "/v1/openapi.json"
EXAMPLES = 60
"""Questions for each address: enough to meet every status that it can answer."""

ABOUT_REFUSALS: list[Any] = [positive_data_acceptance, negative_data_rejection]
"""Checks that do not count 416 among the refusals; a description cannot say how long a picture is."""

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> SealedRoom:
    return SealedRoom(tmp_path_factory.mktemp("kiosk"), RECORDS)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_an_answer_is_not_as_described(room: SealedRoom, mode: GenerationMode) -> None:
    """What the description allows, and what it forbids."""
    schema = schemathesis.openapi.from_wsgi(DESCRIPTION, create_lan_app(room.sources))
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == ADDRESSES
    statuses: set[int] = set()
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()):
            continue  # nothing can be asked wrongly
        statuses |= _ask(operation, mode, room.name(1))
    assert statuses >= ({200, 206, 404} if mode is GenerationMode.POSITIVE else {400, 404})


def _ask(operation: Any, mode: GenerationMode, record: str) -> set[int]:
    """Asks one address everything, half of the time about a record that is there; returns the statuses."""
    statuses: set[int] = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: Case[Any], known: bool) -> None:
        if known and re.fullmatch("[0-9a-f]{64}", str(case.path_parameters.get("name"))):
            case.path_parameters["name"] = record
        answer = case.call()
        statuses.add(answer.status_code)
        refused = answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        case.validate_response(answer, excluded_checks=ABOUT_REFUSALS if refused else None)

    ask()
    return statuses


def test_the_description_is_not_openapi(room: SealedRoom) -> None:
    document = create_lan_app(room.sources).test_client().get(DESCRIPTION).json
    assert document
    validate(document)

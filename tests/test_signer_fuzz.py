"""The signer is asked what no station asks. `python -m tests.fuzz` goes on for an hour."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.bodies import body
from tests.fuzz.target import Target
from tests.fuzz.wire import Wire, request

REQUESTS, CONNECTIONS = 200, 100

chances = st.randoms(use_true_random=False)
in_one_room = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    opened = Target(tmp_path_factory.mktemp("target"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with Wire(tmp_path_factory.mktemp("wire")) as opened:
        yield opened
        opened.check()


@settings(in_one_room, max_examples=REQUESTS)
@given(chance=chances)
def test_a_draft_that_no_station_makes(target: Target, chance: Random) -> None:
    target.ask(body(chance))


@settings(in_one_room, max_examples=CONNECTIONS)
@given(chance=chances)
def test_bytes_that_no_client_sends(wire: Wire, chance: Random) -> None:
    wire.send(request(chance))


def test_the_requests_reach_beyond_the_decoder(target: Target) -> None:
    """Else it would be the CBOR reader alone that is tried."""
    chance = Random(1)
    for _ in range(400):
        target.ask(body(chance))
    assert target.answers["sealed"] > 5
    assert len([code for code in target.answers if code.startswith("schema")]) >= 3
    assert len([code for code in target.answers if code.startswith("cbor-")]) >= 3

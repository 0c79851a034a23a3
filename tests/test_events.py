"""The audit journal: a closed catalogue, documented, without votes; exported and checked by anybody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.cli import cli
from firmware.events import Event, Journal, catalogue
from tests.kiosks import PIN, Room, whole_contest

DOCUMENT = Path(__file__).parent.parent / "docs" / "EVENTS.md"
TELLS = re.compile(r"pin|vote|suara|value|nilai|name")


def test_the_catalogue_and_its_document_differ() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == catalogue(event.value for event in Event), "run firmware.events"


def test_two_events_have_one_name() -> None:
    assert len({str(event) for event in Event}) == len(Event)


def test_an_event_has_a_field_that_the_catalogue_does_not_name() -> None:
    journal = Journal(lambda _fields: None)
    with pytest.raises(TypeError, match="votes"):
        journal.write(Event.SEALED, sequence=1, sha256="", votes=128)
    with pytest.raises(TypeError):
        journal.write(Event.SEALED, sequence=1)


def test_no_event_has_room_for_a_vote_or_a_pin() -> None:
    assert not [name for event in Event for name in event.value.fields if TELLS.search(name)]


def test_a_day_is_exported_and_holds_no_vote(memory: Path) -> None:
    room = Room(memory)
    whole_contest(room)
    exported = CliRunner().invoke(cli, ["journal", "--ledger", str(room.folder / "ledger"), "--out", str(memory / "j")])
    assert exported.exit_code == 0, exported.output
    lines = (memory / "j").read_text(encoding="utf-8").splitlines()
    events = [json.loads(json.loads(line)["fields"]) for line in lines]
    assert {entry["event"] for entry in events} <= {str(event) for event in Event}
    assert any(entry["event"] == "record.stored" for entry in events)
    told = {value for entry in events for name, value in entry.items() if isinstance(value, int)}
    assert not told & {value for value in room.values.values() if value > 50}
    assert not [line for line in lines if PIN in line]

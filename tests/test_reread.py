"""`c1kiosk verify --reread`: what the pictures of a bundle say about the numbers that were signed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware.ledger.store import Ledger
from firmware.signing import archive
from firmware.signing.bundling import gather
from firmware.signing.command import verify_command
from firmware.signing.reread import Seen, judge
from firmware.signing.schema import FieldEntry, MachineReading
from tests import sealing
from tests.simulators.paper.sets import demo_set
from tests.vectors import parts

NUMBER = 1


@pytest.mark.parametrize(
    ("value", "machine", "read", "seen"),
    [
        (128, 128, 128, Seen.SAME),
        (128, 126, 128, Seen.SAME),
        (128, 126, 126, Seen.CORRECTED),
        (128, 128, 126, Seen.DIFFERS),
        (128, None, 126, Seen.DIFFERS),
        (128, 128, None, Seen.UNREAD),
        (None, 128, None, Seen.UNREAD),
        (None, None, None, Seen.SAME),
        (None, None, 8, Seen.DIFFERS),
        (0, 0, 0, Seen.SAME),
    ],
)
def test_what_a_fresh_reading_says(value: int | None, machine: int | None, read: int | None, seen: Seen) -> None:
    field = FieldEntry("suara_1", 1, value, "typed", MachineReading(machine, "", 0))
    assert judge(field, read) is seen


def sealed_field(name: str, page: int, value: int, machine: int | None) -> dict[str, Any]:
    settled = "machine-and-confirmed" if machine == value else "typed" if machine is None else "corrected"
    told = {"value": machine, "text": "", "confidence_ppm": 990_000}
    return {"id": name, "page": page, "value": value, "settled": settled, "machine": told}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Photographs of a form, and a record of them in which one number was corrected and another one is not there."""
    folder = tmp_path_factory.mktemp("kiosk")
    world = sealing.make_world(folder)
    pages = sorted(demo_set(sealing.LAYOUT.id, 3), key=lambda shot: shot[0])
    pictures = {sealing.sha256_hex(data): data for _name, data, _values in pages}
    values = {name: value for _name, _data, shown in pages for name, value in shown.items()}
    fields = [
        sealed_field(entry.id, entry.page, values[entry.id], values[entry.id])
        for entry in sealing.LAYOUT.fields.values()
    ]
    by_name = {entry["id"]: entry for entry in fields}
    right = values["suara_1"]
    by_name["suara_1"] |= sealed_field("suara_1", by_name["suara_1"]["page"], right + 1, right)
    by_name["suara_2"] |= sealed_field("suara_2", by_name["suara_2"]["page"], values["suara_2"] + 400, None)
    entries = [
        sealing.draft(NUMBER)["pages"][0] | {"page": number, "sha256": hashlib.sha256(data).digest()}
        for number, (_name, data, _values) in enumerate(pages, start=1)
    ]
    with Ledger.open(folder / "ledger") as ledger:
        ledger.commit(world.seal(NUMBER, pages=entries, fields=fields), pictures)
        members = gather(ledger, folder / "trust", {}, None)
        path = folder / "bukti.tar"
        with path.open("wb") as file:
            archive.write(file, members)
    return path, folder / "trust"


def test_the_pictures_are_read_again(bundle: tuple[Path, Path]) -> None:
    path, trust = bundle
    arguments = ["--trust", str(trust), "--reread", "--json", str(path)]
    result = CliRunner().invoke(verify_command, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.output[result.output.index("{") :])
    (told,) = [entry["claims"] for entry in document["files"] if str(entry["file"]).endswith(f"reread/{NUMBER:06d}")]
    found = {claim["field"]: claim["seen"] for claim in told if claim["claim"] == "reread-field"}
    assert found.pop("suara_1") == "corrected"
    assert found.pop("suara_2") == "differs"
    assert set(found.values()) <= {"unread"}, "a number that the picture does not show was read"
    (summary,) = [claim for claim in told if claim["claim"] == "reread"]
    assert summary["same"] == summary["fields"] - 2 - len(found)
    assert summary["same"] > summary["fields"] / 2
    assert summary["model"] == "!="


def test_there_is_no_picture_to_read_again(bundle: tuple[Path, Path]) -> None:
    record = parts.FOLDER / "valid" / "record-1.cose"
    arguments = ["--trust", str(parts.FOLDER / "trust"), "--reread", str(record)]
    assert CliRunner().invoke(verify_command, arguments).exit_code == 2


def test_without_asking_nothing_is_read(bundle: tuple[Path, Path]) -> None:
    path, trust = bundle
    assert "reread" not in CliRunner().invoke(verify_command, ["--trust", str(trust), "--json", str(path)]).output

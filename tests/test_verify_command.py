"""`c1kiosk verify` in the hands of a witness: good evidence, mixed-up evidence, bad photographs, forks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segno
from click.testing import CliRunner, Result

from firmware.signing import merkle, receipt_code
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.command import verify_command
from firmware.signing.cose import MessageType, parse, sign
from firmware.signing.encoding import decode
from tests.vectors import parts

TRUST, VALID, HOSTILE = (parts.FOLDER / name for name in ("trust", "valid", "hostile"))
RECORD, CORRECTION = VALID / "record-1.cose", VALID / "record-2-correction.cose"
CODE = (VALID / "receipt-1.txt").read_text(encoding="ascii")


def verify(*files: Path, trust: Path = TRUST, options: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(verify_command, ["--trust", str(trust), *options, *map(str, files)])


def document(*files: Path) -> tuple[int, dict[str, Any]]:
    result = verify(*files, options=("--json",))
    return result.exit_code, json.loads(result.output)


def codes(*files: Path) -> list[str]:
    """The codes of all refusals; they are never without exit status 1."""
    status, found = document(*files)
    refused = [entry["refused"]["code"] for entry in found["files"] if entry["refused"]]
    assert (status, found["holds"]) == ((1, False) if refused else (0, True))
    return refused


def kept(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def printed(text: str = CODE, module: int = 6) -> np.ndarray:
    """A receipt: the code as the printer makes it, with paper around it."""
    code = segno.make_qr(text, error="q", boost_error=False)
    bits = np.array([[255 * (1 - bit) for bit in row] for row in code.matrix_iter(scale=module, border=4)], np.uint8)
    return np.pad(bits, 60, constant_values=255)


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    side = int(max(picture.shape) * 1.5)
    matrix = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), degrees, 1.0)
    matrix[:, 2] += (side - np.array(picture.shape[::-1])) / 2
    return cv2.warpAffine(picture, matrix, (side, side), borderValue=235)


def saved(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def test_everything_belongs_together() -> None:
    result = verify(*sorted(VALID.iterdir()))
    assert result.exit_code == 0
    assert result.output.count("[v]") >= 20
    assert "[x]" not in result.output
    assert "suara_2 = 128" in result.output
    assert "DEVELOPMENT" in result.output
    assert result.output.splitlines()[-1].startswith("SAH")


def test_machine_output() -> None:
    status, found = document(RECORD)
    assert (status, found["holds"]) == (0, True)
    entry = found["files"][0]
    assert entry["results"] == {"suara_1": 20, "suara_2": 128, "suara_total": 153}
    assert (entry["kind"], entry["world"], entry["refused"]) == ("record", "development", None)


@pytest.mark.parametrize("degrees", [0, 90, 180, 33])
@pytest.mark.parametrize("module", [2, 4, 13])
def test_the_receipt_is_photographed_askew(tmp_path: Path, degrees: float, module: int) -> None:
    path = saved(tmp_path / "foto.jpg", turned(printed(module=module), degrees))
    assert codes(path, RECORD) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda picture: cv2.GaussianBlur(picture, (0, 0), 2.0),
        lambda picture: (picture // 4 + 150).astype(np.uint8),
        lambda picture: np.where(np.arange(picture.shape[1]) % 97 < 3, 255, picture).astype(np.uint8),
        lambda picture: cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR),
    ],
)
def test_the_print_is_blurred_faded_streaked(tmp_path: Path, spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    assert codes(saved(tmp_path / "foto.png", spoil(printed()))) == []


def test_a_picture_of_something_else(tmp_path: Path) -> None:
    wall = saved(tmp_path / "wall.jpg", np.full((300, 400), 200, np.uint8))
    assert codes(wall) == ["picture-no-code"]
    assert codes(saved(tmp_path / "url.png", printed("HTTPS://EXAMPLE.ORG/"))) == ["picture-no-code"]
    assert codes(kept(tmp_path / "cut.png", b"\x89PNG\r\n\x1a\n" + bytes(40))) == ["picture-unreadable"]
    whole = saved(tmp_path / "whole.jpg", printed()).read_bytes()
    assert codes(kept(tmp_path / "half.jpg", whole[: len(whole) // 2])) == ["picture-unreadable"]


def test_two_receipts_in_one_picture(tmp_path: Path) -> None:
    other = receipt_code.encode(bytes(200))
    pictures = [printed(module=4), printed(other, module=4)]
    height = max(picture.shape[0] for picture in pictures)
    pads = [np.pad(one, ((0, height - one.shape[0]), (0, 0)), constant_values=255) for one in pictures]
    both = np.hstack(pads)
    assert codes(saved(tmp_path / "two.png", both)) == ["picture-several-codes"]


def test_the_text_was_saved_by_a_phone(tmp_path: Path) -> None:
    assert codes(kept(tmp_path / "kode.txt", CODE.encode() + b"\r\n")) == []
    assert codes(kept(tmp_path / "kode.txt", CODE[:-2].encode())) == ["cbor-truncated"]


def test_a_receipt_of_another_record() -> None:
    assert codes(CORRECTION, VALID / "receipt-1.cose") == ["receipt-other-record"]


def test_an_acknowledgement_of_another_record(tmp_path: Path) -> None:
    other = kept(tmp_path / "ack.cose", acknowledge(bytes(32), parts.SEALED_AT, parts.COLLECTOR))
    assert codes(other) == []
    assert codes(other, RECORD) == ["acknowledgement-other-record"]


def test_one_of_several_files_is_hostile() -> None:
    assert codes(RECORD, HOSTILE / "stranger.cose") == ["device-unknown"]


def record_payload() -> dict[str, Any]:
    return dict(decode(parse(RECORD.read_bytes()).payload))


def test_a_kiosk_signed_two_histories(tmp_path: Path) -> None:
    fork = sign(record_payload() | {"confirmed_by": "anggota"}, MessageType.RECORD, parts.DEVICE)
    path = kept(tmp_path / "fork.cose", fork)
    assert codes(path) == []
    assert codes(path, RECORD) == ["chain-fork"]
    assert codes(path, VALID / "receipt-1.txt") == ["chain-fork"]


def test_a_receipt_says_other_numbers_than_its_record(tmp_path: Path) -> None:
    statement = decode(parse((VALID / "receipt-1.cose").read_bytes()).payload) | {5: [20, 129, 153]}
    path = kept(tmp_path / "receipt.cose", sign(statement, MessageType.RECEIPT, parts.DEVICE))
    assert codes(path) == []
    assert codes(path, RECORD) == ["receipt-differs"]


def test_a_record_follows_another_that_was_not_before_it(tmp_path: Path) -> None:
    first = record_payload()
    log = {"size": 1, "root": merkle.root([bytes(32)])}
    second = sign(first | {"sequence": 2, "previous": bytes(31) + b"\1", "log": log}, MessageType.RECORD, parts.DEVICE)
    assert codes(kept(tmp_path / "second.cose", second), RECORD) == ["chain-fork"]


@pytest.mark.parametrize("name", ["root.pem", "authority.pem", "election.cose", "devices.pem"])
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_the_trust_folder_is_broken(tmp_path: Path, name: str, content: bytes | None) -> None:
    trust = copied(tmp_path / "trust")
    (trust / name).unlink() if content is None else (trust / name).write_bytes(content)
    result = verify(RECORD, trust=trust)
    assert result.exit_code == 1
    assert (
        "cbor-truncated" if (name, content) == ("election.cose", b"nonsense") else "trust-unreadable"
    ) in result.output


def test_the_form_of_the_contest_is_not_in_the_trust_folder(tmp_path: Path) -> None:
    trust = copied(tmp_path / "trust")
    (trust / "layouts" / "vector-form.toml").unlink()
    assert "layout-unknown" in verify(RECORD, trust=trust).output
    assert "layout-unknown" in verify(VALID / "receipt-1.txt", trust=trust).output


def copied(folder: Path) -> Path:
    for path in TRUST.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(TRUST)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


def test_wrong_use() -> None:
    assert verify().exit_code == 2
    assert verify(Path("missing.cose")).exit_code == 2
    assert verify(RECORD, trust=Path("missing")).exit_code == 2


def test_a_verifier_needs_no_camera_no_model_no_server() -> None:
    program = (
        "import sys; from firmware.cli import cli\n"
        "try: cli(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "for name in ('cv2', 'onnxruntime', 'zxingcpp', 'flask', 'waitress', 'sqlite3', 'httpx', 'firmware.capture'):\n"
        "    assert name not in sys.modules, name\n"
    )
    arguments = ["verify", "--trust", str(TRUST), str(RECORD), str(VALID / "receipt-1.txt")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)

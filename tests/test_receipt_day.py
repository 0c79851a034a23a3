"""What stands on the strips that frame a day."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime

import pytest

from firmware.errors import ReceiptRefused
from firmware.receipt.day import (
    CheckLine,
    ClosingFacts,
    ClosingRecord,
    OpeningFacts,
    compose_closing,
    compose_opening,
)
from firmware.receipt.fingerprint import short_fingerprint
from firmware.receipt.strip import PAPER_COLUMNS, Code, Line, ReceiptLayout
from firmware.records import Mode
from firmware.signing.keys import DeviceClaims, Protection
from tests.strips import PLACE, TPS

AT = datetime(2029, 2, 14, 23, 55, tzinfo=UTC)
CLAIMS = DeviceClaims(Mode.TRAINING, "TRN-0a1b2c3d", Protection.SEALED_FILE)
NOTE = "c1kiosk.id/log/32760510040\n12\n" + "A" * 44 + "\n\n— c1kiosk.id/log/32760510040 " + "b" * 96 + "\n"
OPENING = OpeningFacts(
    mode=Mode.TRAINING,
    tps=TPS,
    place=PLACE,
    election="Pemilu Presiden dan Wakil Presiden, DPR, DPD, dan DPRD 2029",
    election_sha256=bytes(range(32)),
    contests=("Presiden dan Wakil Presiden", "DPR RI Dapil Jawa Barat VI"),
    at=AT,
    clock="free-running",
    device=CLAIMS,
    checks=(CheckLine("Printer siap", True), CheckLine("Ruang simpan tinggal 200 MB", False)),
    log_size=3,
    log_root=bytes(reversed(range(32))),
)
CLOSING = ClosingFacts(
    mode=Mode.TRAINING,
    tps=TPS,
    place=PLACE,
    at=AT,
    clock="synchronised",
    device=CLAIMS,
    records=(
        ClosingRecord(4, "Presiden dan Wakil Presiden", b"a" * 32, superseded=True),
        ClosingRecord(5, "Presiden dan Wakil Presiden", b"b" * 32, superseded=False),
    ),
    contests_open=("DPR RI Dapil Jawa Barat VI",),
    log_size=5,
    log_root=b"r" * 32,
    checkpoint=NOTE,
)
BOTH_PAPERS = pytest.mark.parametrize("dots", PAPER_COLUMNS)


def one_line(layout: ReceiptLayout) -> str:
    return re.sub(r"\s+", " ", layout.text)


@BOTH_PAPERS
def test_what_the_kiosk_was_at_the_opening_is_not_on_paper(dots: int) -> None:
    text = one_line(compose_opening(OPENING, 1, 3, False, dots))
    for needed in ("BUKTI PEMBUKAAN", "bukan salinan C.Hasil", "SIMULASI", "TPS 003", "Lembar 1 dari 3", "TRN-0a1b2c3d",
                   "1 Presiden dan Wakil Presiden", "2 DPR RI", "3 rekaman", "15-02-2029 06:55 WIB", "tidak disetel",
                   "0001 0203 0405 0607", "1f1e 1d1c 1b1a 1918", "berkas tersegel"):  # fmt: skip
        assert needed in text


def test_a_failed_check_hides_among_the_good_ones() -> None:
    text = one_line(compose_opening(OPENING, 1, 1, False, 576))
    assert "PERIKSA: 1 PEMERIKSAAN GAGAL" in text
    assert text.index("!! Ruang simpan") < text.index("ok Printer siap")
    good = dataclasses.replace(OPENING, checks=OPENING.checks[:1])
    assert "PERIKSA" not in one_line(compose_opening(good, 1, 1, False, 576))


@BOTH_PAPERS
def test_a_sealed_record_is_missing_at_the_closing(dots: int) -> None:
    text = one_line(compose_closing(CLOSING, 1, 1, False, dots))
    assert "2 rekaman" in text
    for record in CLOSING.records:
        assert short_fingerprint(record.sha256) in text
    assert text.count("sudah dikoreksi") == 1
    assert "1 PEMILIHAN BELUM DISEGEL" in text


@BOTH_PAPERS
def test_the_checkpoint_on_paper_is_another_one(dots: int) -> None:
    layout = compose_closing(CLOSING, 1, 1, False, dots)
    (code,) = (element.qr for element in layout.elements if isinstance(element, Code))
    assert code.text == layout.receipt.code == NOTE
    assert code.module_dots >= 4


def test_a_closing_without_a_checkpoint_says_so() -> None:
    layout = compose_closing(dataclasses.replace(CLOSING, checkpoint=None), 1, 1, False, 576)
    assert not any(isinstance(element, Code) for element in layout.elements)
    assert "belum ditandatangani" in one_line(layout)
    assert layout.receipt.code is None


@BOTH_PAPERS
def test_a_rehearsal_day_is_taken_for_a_real_one(dots: int) -> None:
    for layout in (compose_opening(OPENING, 1, 1, False, dots), compose_closing(CLOSING, 1, 1, False, dots)):
        big = [element for element in layout.elements if isinstance(element, Line) and element.height == 4]
        assert [line.text.strip() for line in big] == ["SIMULASI"] * 3
    real = compose_opening(dataclasses.replace(OPENING, mode=Mode.REAL), 1, 1, False, dots)
    assert not any(isinstance(element, Line) and element.height == 4 for element in real.elements)


def test_a_second_opening_strip_looks_like_the_first() -> None:
    assert "CETAK ULANG" in compose_opening(OPENING, 1, 1, True, 576).text
    assert "CETAK ULANG" in compose_closing(CLOSING, 1, 1, True, 576).text


def test_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        compose_opening(dataclasses.replace(OPENING, at=AT.replace(tzinfo=None)), 1, 1, False, 576)


def test_day_paper_of_another_width() -> None:
    with pytest.raises(ReceiptRefused, match="receipt-paper"):
        compose_closing(CLOSING, 1, 1, False, 512)

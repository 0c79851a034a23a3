"""What a witness reads on the strip: everything, in its place, on both widths of paper."""

from __future__ import annotations

import bisect
import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.errors import ReceiptRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.receipt import qr
from firmware.receipt.clock import Zone, local_time, zone_of
from firmware.receipt.escpos_printer import profile_of, receipt_commands
from firmware.receipt.fingerprint import ALPHABET, short_fingerprint
from firmware.receipt.layout import compose
from firmware.receipt.strip import PAPER_COLUMNS, Code, Line, ReceiptLayout, plain
from firmware.receipt.words import words
from firmware.records import Mode, Reason, StoredRecord
from firmware.signing import receipt_code
from firmware.signing.keys import DeviceClaims, Protection
from tests.strips import PLACE, PPWP_2024, crowded, stored

FORM = shipped_layouts()["c.hasil-ppwp-2024"]
CLAIMS = DeviceClaims(Mode.DEVELOPMENT, "DEV-0a1b2c3d", Protection.PLAIN_FILE)
LONGEST_PLACE = (
    "Desa Nagari Persiapan Ranah Singkuang Batang Kapas Panjang Sekali, Kecamatan Bukit Malintang Sungai Pinang, "
    "Kabupaten Kepulauan Siau Tagulandang Biaro, Provinsi Kepulauan Bangka Belitung"
)
BOTH_PAPERS = pytest.mark.parametrize("dots", PAPER_COLUMNS)


def strip(record: StoredRecord, dots: int = 576, copy: int = 1, reprint: bool = False, place: str = PLACE) -> str:
    return compose(record, FORM, place, copy, 5, reprint, dots, device=CLAIMS).text


def lines_in_one(text: str) -> str:
    """The text without line breaks and leaders, to look for what may be broken over lines."""
    return re.sub(r"\s+", " ", re.sub(r"\.{2,}", " ", text))


@BOTH_PAPERS
def test_a_number_is_missing_on_the_strip(dots: int) -> None:
    values = {name: 101 + 7 * index for index, name in enumerate(FORM.fields)}
    text = strip(stored(FORM, values), dots)
    assert [value for value in values.values() if not re.search(rf"\b{value}\b", text)] == []


@BOTH_PAPERS
def test_the_votes_stand_in_words_too(dots: int) -> None:
    text = lines_in_one(strip(stored(FORM, PPWP_2024), dots))
    for name in ("suara_1", "suara_2", "suara_3", "suara_sah", "suara_tidak_sah", "suara_total"):
        assert f"{PPWP_2024[name]} {words(PPWP_2024[name])}" in text


def test_a_row_of_men_women_and_both() -> None:
    assert re.search(r"^Pengguna DPTb +2 +1 +3 *$", strip(stored(FORM, PPWP_2024)), re.MULTILINE)


def test_who_changed_a_number_is_not_visible() -> None:
    record = stored(FORM, PPWP_2024, {"suara_2": 628, "surat_suara_sisa": None})
    text = strip(record)
    assert "128*" in text
    assert "59+" in text
    assert text.count("*") == 2, "once at the number, once in the legend"
    assert "26 angka dibaca mesin" in text


def test_an_empty_box_becomes_a_zero() -> None:
    text = strip(stored(FORM, {**PPWP_2024, "suara_3": None}))
    assert re.search(r"Suara pasangan 3 \.+ +- *\n +tidak diisi", text)
    assert "kotak tidak diisi di formulir" in text
    assert "Semua jumlah" not in text, "a sum with an empty box cannot be judged"


@BOTH_PAPERS
def test_a_failed_rule_is_not_printed(dots: int) -> None:
    failed = [
        {"rule": "H5", "fields": ["suara_1", "suara_sah"], "left": 216, "right": 227, "warning": False},
        {"rule": "P5", "fields": ["surat_suara_diterima"], "left": 291, "right": 300, "warning": True},
        {"rule": "Z9", "fields": ["suara_sah"], "left": None, "right": 3, "warning": False},
    ]
    text = lines_in_one(strip(stored(FORM, PPWP_2024, failed=failed), dots))
    assert "PERIKSA: 3 HAL TIDAK COCOK" in text
    assert "H5 Jumlah suara calon 216, suara sah 227" in text
    assert "P5? Surat suara 291, DPT + cadangan 300" in text
    assert "?: peringatan" in text
    assert "Z9 Suara sah: - / 3" in text
    assert "Semua jumlah" not in text
    assert "Semua jumlah di formulir cocok." in lines_in_one(strip(stored(FORM, PPWP_2024), dots))


@BOTH_PAPERS
def test_what_an_auditor_needs_is_there(dots: int) -> None:
    record = stored(FORM, PPWP_2024)
    text = strip(record, dots)
    for page in record.sealed.payload["pages"]:
        digits = page["sha256"].hex()
        assert " ".join(digits[start : start + 4] for start in range(0, 16, 4)) in text
    for needed in (
        "14-02-2029 21:24 WIB",
        "11 rekaman sebelum ini",
        "nomor 12",
        "DEV-0a1b2c3d",
        "ketua KPPS",
        "c1kiosk 0.1.0",
    ):
        assert needed in lines_in_one(text)
    assert "Kunci berkas biasa, tidak dilindungi (PENGEMBANGAN)" in lines_in_one(text)
    assert "TPS 003" in text
    assert "32.76.05.1004.003" in text


def test_the_key_is_called_safe_without_knowing() -> None:
    layout = compose(stored(FORM, PPWP_2024), FORM, PLACE, 1, 5, False, 576)
    assert "Kunci       tidak diketahui" in layout.text


@BOTH_PAPERS
def test_the_receipt_is_taken_for_the_form(dots: int) -> None:
    text = strip(stored(FORM, PPWP_2024), dots)
    assert "BUKTI PEMINDAIAN" in text
    assert re.findall(r"(\S+ )?salinan", text, re.IGNORECASE) == ["bukan "]


@BOTH_PAPERS
@pytest.mark.parametrize(("mode", "word"), [("development", "PENGEMBANGAN"), ("training", "SIMULASI"), ("real", None)])
def test_a_rehearsal_is_taken_for_a_result(dots: int, mode: str, word: str | None) -> None:
    layout = compose(stored(FORM, PPWP_2024, mode=mode), FORM, PLACE, 1, 5, False, dots)
    big = [element for element in layout.elements if isinstance(element, Line) and element.height == 4]
    assert [line.text.strip() for line in big] == ([word] * 3 if word else [])
    assert all(line.inverse and len(line.text) * line.width == layout.columns for line in big)
    if word:
        assert layout.elements[0] is big[0]
        assert layout.elements[-2] == big[2]


def test_a_second_print_looks_like_the_first() -> None:
    record = stored(FORM, PPWP_2024)
    assert "Lembar 2 dari 5" in strip(record, copy=2)
    assert "CETAK ULANG" not in strip(record)
    assert "CETAK ULANG" in strip(record, reprint=True)


def test_a_correction_looks_like_a_first_result() -> None:
    before = bytes(range(32))
    text = strip(stored(FORM, PPWP_2024, supersedes=before, reason="salah baca suara pasangan 2"))
    assert f"Mengoreksi rekaman {short_fingerprint(before)}" in text
    assert "Alasan: salah baca suara pasangan 2" in text
    assert "KOREKSI" in text
    assert "KOREKSI" not in strip(stored(FORM, PPWP_2024))


@pytest.mark.parametrize("reason", Reason)
def test_the_reason_of_a_correction_is_a_word_of_the_program(reason: Reason) -> None:
    text = strip(stored(FORM, PPWP_2024, supersedes=bytes(32), reason=str(reason)))
    assert f"Alasan: {reason}" not in text


@BOTH_PAPERS
@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("form", shipped_layouts().values(), ids=lambda form: form.id)
def test_the_longest_names_run_off_the_paper(form: FormLayout, dots: int, language: str) -> None:
    values = dict.fromkeys(form.fields, 777)
    failed = [
        {"rule": rule.id, "fields": list(form.fields), "left": 99999, "right": 99999, "warning": True}
        for rule in form.rules
    ]
    record = stored(
        form, values, dict.fromkeys(form.fields, 778), failed=failed, supersedes=bytes(32), reason="alasan " * 40
    )
    layout = compose(record, form, LONGEST_PLACE, 10, 30, True, dots, device=CLAIMS, language=language)
    texts = [element for element in layout.elements if isinstance(element, Line)]
    assert max(len(line.text) * line.width for line in texts) <= PAPER_COLUMNS[dots]
    assert lines_in_one(LONGEST_PLACE) in lines_in_one(layout.text)
    for field in form.fields.values():
        first_word = field.label[language].split()[0]
        assert first_word in layout.text


def test_a_place_name_holds_printer_commands() -> None:
    text = strip(stored(FORM, PPWP_2024), place="Désa \x1b@ Ma’rang\n\x1dV0")
    assert text.isascii()
    assert "Desa ?@ Ma?rang" in text
    with pytest.raises(ValueError, match="not printable"):
        ReceiptLayout(compose(stored(FORM, PPWP_2024), FORM, "", 1, 1, False, 576).receipt, 576, (Line("\x1b@"),))


def test_a_line_is_wider_than_the_paper() -> None:
    receipt = compose(stored(FORM, PPWP_2024), FORM, "", 1, 1, False, 384).receipt
    with pytest.raises(ValueError, match="not printable"):
        ReceiptLayout(receipt, 384, (Line("x" * 17, width=2),))


def test_the_record_was_made_with_another_layout() -> None:
    other = dataclasses.replace(FORM, sha256="00" * 32)
    with pytest.raises(ReceiptRefused, match="receipt-other-layout"):
        compose(stored(FORM, PPWP_2024), other, PLACE, 1, 1, False, 576)


def test_paper_of_another_width() -> None:
    with pytest.raises(ReceiptRefused, match="receipt-paper"):
        compose(stored(FORM, PPWP_2024), FORM, PLACE, 1, 1, False, 512)


@BOTH_PAPERS
def test_the_code_is_the_signed_receipt_and_large(dots: int) -> None:
    record = stored(FORM, PPWP_2024)
    layout = compose(record, FORM, PLACE, 1, 1, False, dots)
    (code,) = (element.qr for element in layout.elements if isinstance(element, Code))
    assert receipt_code.decode(code.text) == record.sealed.receipt
    assert code.module_dots == qr.GOOD_MODULE_DOTS
    assert code.dots - 2 * qr.QUIET_MODULES * code.module_dots <= dots
    assert code.dots <= dots + 2 * qr.MARGIN_DOTS
    assert code.correction == {576: "q", 384: "m"}[dots]
    assert not any(any(row) for row in code.rows[: qr.QUIET_MODULES])


def test_a_code_does_not_fit_the_paper() -> None:
    longest = bisect.bisect_left(range(2000), True, key=lambda characters: not _fits("A" * characters, 384)) - 1
    assert qr.make("A" * longest, 384).module_dots == qr.MIN_MODULE_DOTS
    with pytest.raises(ReceiptRefused, match="receipt-code-too-large"):
        qr.make("A" * (longest + 1), 384)
    with pytest.raises(ReceiptRefused, match="receipt-code-too-large"):
        qr.make("A" * 5000, 576)


def test_a_printer_that_takes_the_code_for_bytes_finds_it_too_large() -> None:
    code = qr.make("A" * 307, 384)
    assert code.byte_modules > len(code.rows) - 2 * qr.QUIET_MODULES
    layout = compose(stored(FORM, PPWP_2024), FORM, PLACE, 1, 1, False, 384)
    commands = receipt_commands(layout, profile_of("Sunmi-V2", 384))
    (size,) = (command[-1] for command in commands if command.startswith(b"\x1d(k\x03\x001C"))
    assert qr.MIN_MODULE_DOTS <= size <= 384 // code.byte_modules


def _fits(text: str, dots: int) -> bool:
    try:
        qr.make(text, dots)
    except ReceiptRefused:
        return False
    return True


def test_a_code_that_is_not_base45() -> None:
    with pytest.raises(ReceiptRefused, match="receipt-code-alphabet"):
        qr.make("lower case", 576)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "nol"),
        (7, "tujuh"),
        (10, "sepuluh"),
        (11, "sebelas"),
        (12, "dua belas"),
        (20, "dua puluh"),
        (21, "dua puluh satu"),
        (100, "seratus"),
        (111, "seratus sebelas"),
        (117, "seratus tujuh belas"),
        (200, "dua ratus"),
        (617, "enam ratus tujuh belas"),
        (999, "sembilan ratus sembilan puluh sembilan"),
    ],
)
def test_numbers_in_words(number: int, text: str) -> None:
    assert words(number) == text


def test_two_numbers_share_their_words() -> None:
    assert len({words(number) for number in range(1000)}) == 1000
    for outside in (-1, 1000):
        with pytest.raises(ValueError, match="no words"):
            words(outside)


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_cannot_be_misread(sha256: bytes) -> None:
    text = short_fingerprint(sha256)
    assert [len(group) for group in text.split(" ")] == [4, 4, 4, 4]
    assert set(text) - {" "} <= set(ALPHABET)


def test_a_fingerprint_is_what_its_description_says() -> None:
    assert short_fingerprint(bytes(32)) == "3333 3333 3333 3333"
    assert short_fingerprint((20**16 + 21).to_bytes(32)) == "3333 3333 3333 3344"


@pytest.mark.parametrize(
    ("tps", "zone", "time"),
    [
        ("3276051004003", Zone.WIB, "14-02-2029 21:24 WIB"),
        ("5103051004003", Zone.WITA, "14-02-2029 22:24 WITA"),
        ("9401051004003", Zone.WIT, "14-02-2029 23:24 WIT"),
        ("9900000000001", Zone.UTC, "14-02-2029 14:24 UTC"),
    ],
)
def test_the_clock_of_another_island(tps: str, zone: Zone, time: str) -> None:
    assert zone_of(tps) is zone
    assert local_time(1_865_773_445, zone) == time


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    assert plain(text).isascii()
    assert all(character.isprintable() for character in plain(text))


@BOTH_PAPERS
def test_a_national_contest_is_longer_than_a_strip(dots: int) -> None:
    form = crowded(FORM, parties=18, candidates=10)
    values = {name: PPWP_2024.get(name, index % 300) for index, name in enumerate(form.fields)}
    text = compose(stored(form, values), form, PLACE, 1, 1, False, dots).text
    assert "calon 1 " not in text
    for party in range(1, 19):
        total = values[f"partai_{party}_total"]
        assert re.search(rf"^Partai {party}, jumlah \.+ +{total} ", text, re.MULTILINE)
        assert words(total) in lines_in_one(text)
    assert f"{18 * 11} angka calon tidak muat" in lines_in_one(text)


def test_a_small_contest_hides_its_candidates() -> None:
    form = crowded(FORM, parties=4, candidates=5)
    values = {name: PPWP_2024.get(name, index % 300) for index, name in enumerate(form.fields)}
    text = compose(stored(form, values), form, PLACE, 1, 1, False, 576).text
    assert len(re.findall(r"^Partai \d, calon \d \.", text, re.MULTILINE)) == 20
    assert "tidak muat" not in text

"""Labels and PIN letters as they leave a printer: the code reads, nothing runs off the paper, the PIN lies inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from firmware.forms.pdfium_picture import picture
from provisioning.papers import label, letter
from provisioning.papers.label import Label
from provisioning.papers.letter import Letter

SHORT = Label("C1-0001", "5fd1c2a9e0b37714", "3171010001001", "KPU-000123")
LONG = Label("KAB-BANDUNG-BARAT-2029-00000000000012345", "5fd1c2a9e0b37714", "", "")
LETTER = Letter("3171010001001", "Kelurahan Contoh, TPS 001", "C1-0001", 1, "2029-02-10", "482917")
DPI = 203
"""Of a label printer."""
THIRD = 99 / 297


def codes(image: NDArray[np.uint8]) -> set[str]:
    return {code.text for code in zxingcpp.read_barcodes(image)}


@pytest.mark.parametrize("one", [SHORT, LONG])
def test_a_label_is_scanned(one: Label) -> None:
    assert one.text == f"C1K1:{one.serial}:{one.kid}"
    assert codes(picture(label.roll([one]), 1, DPI)) == {one.text}


def test_every_label_of_a_sheet_is_scanned() -> None:
    labels = [replace(SHORT, serial=f"C1-{number:04d}") for number in range(30)]
    pdf = label.sheets(labels)
    assert codes(picture(pdf, 1, DPI)) == {entry.text for entry in labels[:27]}
    assert codes(picture(pdf, 2, DPI)) == {entry.text for entry in labels[27:]}


@pytest.mark.parametrize("one", [SHORT, LONG])
def test_nothing_runs_off_a_label(one: Label) -> None:
    image = picture(label.roll([one]), 1, DPI)
    edges = (image[:6], image[-6:], image[:, :6], image[:, -6:])
    assert all((edge == 255).all() for edge in edges)


@pytest.mark.parametrize("place", ["Kelurahan Contoh", "Desa " + "Sangat Panjang " * 12])
def test_nothing_runs_off_a_letter(place: str) -> None:
    image = picture(letter.draw(replace(LETTER, place=place)), 1, 100)
    height, width = image.shape[:2]
    marks = [int(height * part) for part in (THIRD, 2 * THIRD)]
    rows = np.array([all(abs(row - mark) > 4 for mark in marks) for row in range(height)])
    margin = int(width * 15 / 210)
    assert (image[rows][:, :margin] == 255).all() and (image[rows][:, -margin:] == 255).all()


def test_the_pin_is_in_the_last_third_and_nowhere_else() -> None:
    with_pin, without = (picture(letter.draw(replace(LETTER, pin=pin)), 1, 100) for pin in ("482917", "000000"))
    changed = np.flatnonzero((with_pin != without).any(axis=(1, 2)))
    height = with_pin.shape[0]
    assert changed.min() > height * 2 * THIRD
    mirrored = height * 4 * THIRD - changed
    cover = with_pin[int(mirrored.min()) : int(mirrored.max())]
    assert (cover < 200).any(axis=2).mean() > 0.15, "dark digits lie on the PIN when the letter is folded"


def test_a_letter_names_no_pin_in_its_file_name_or_title() -> None:
    assert b"482917" not in letter.draw(LETTER), "the page is compressed, the title says nothing"

"""The PIN letter: A4, folded twice, so that the PIN is inside and the address outside. Indonesian.

    top       the address: folded back, it is what one sees
    middle    a field of digits: folded up, it lies on the PIN, so that light shows nothing through the paper
    bottom    the PIN, and what the ketua does with it

The letter is the only place where the PIN stands. The words are in messages/ (`letter.*`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware.forms.layout import Rect, Ruling
from firmware.forms.reportlab_sheet import Sheet
from firmware.messages import sentence
from firmware.signing import durable
from provisioning.papers.lettering import line, style

A4 = (210.0, 297.0)
FOLD = 99.0
"""Millimetres: thirds of the page."""
MARGIN = 20.0
_SECRET = style(5.0, bold=True)
_HEAD = style(5.5, bold=True)
_BODY = style(3.9)
_SMALL = style(3.1, ink=0.35)
_PIN = style(13.0, bold=True, align="centre")
_NOISE = style(3.6, bold=True, ink=0.45, fit=170.0)
_LINE = 6.2
_ROOM = A4[0] - 2 * MARGIN
_STEPS = 4
"""Sentences on what to do: `letter.step-1` and so on."""


@dataclass(frozen=True, slots=True)
class Letter:
    """Whom it goes to, and what it tells."""

    tps: str
    place: str
    serial: str
    edition: int
    date: str
    pin: str


def keep(folder: Path, name: str, pdf: bytes) -> Path:
    """Puts a letter where it is printed from, for its owner alone, in place of one whose PIN never was in use."""
    folder.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    durable.create(folder / name, pdf)
    return folder / name


def draw(letter: Letter) -> bytes:
    """The PDF."""
    sheet = Sheet(*A4, sentence("letter.title"))
    _address(sheet, letter)
    _cover(sheet)
    _inside(sheet, letter)
    for fold in (FOLD, 2 * FOLD):
        for x in (0.0, A4[0] - 8.0):
            sheet.line(Ruling(x, fold, x + 8.0, fold, 0.2), 0.5, (1.5, 1.5))
    sheet.next_page()
    return sheet.pdf()


def _address(sheet: Sheet, letter: Letter) -> None:
    sheet.text(_SECRET, (MARGIN, 24.0), sentence("letter.secret"))
    sheet.line(Ruling(MARGIN, 28.0, A4[0] - MARGIN, 28.0, 0.4), 0.0)
    for row, words in enumerate(
        (sentence("letter.to"), f"TPS {letter.tps}", letter.place, sentence("letter.device", serial=letter.serial))
    ):
        line(sheet, (MARGIN, 42.0 + 8.5 * row), words, _HEAD if row < 2 else _BODY, _ROOM)
    line(sheet, (MARGIN, 79.0), sentence("letter.only-ketua"), _BODY, _ROOM)
    line(sheet, (MARGIN, 85.2), sentence("letter.if-open"), _BODY, _ROOM)
    line(sheet, (MARGIN, 92.0), sentence("letter.fold"), _SMALL, _ROOM)


def _cover(sheet: Sheet) -> None:
    """Digits that mean nothing, where the PIN will lie."""
    for row in range(14):
        digits = "".join(str(pow(row * 74 + column + 2, 7, 9973) % 10) for column in range(74))
        sheet.text(_NOISE, (MARGIN, FOLD + 12.0 + row * 6.0), digits)


def _inside(sheet: Sheet, letter: Letter) -> None:
    top = 2 * FOLD
    sheet.text(_HEAD, (MARGIN, top + 14.0), sentence("letter.inside", tps=letter.tps))
    box = Rect(A4[0] / 2 - 45.0, top + 20.0, 90.0, 22.0)
    sheet.frame(box, 0.5, 0.0)
    sheet.text(_PIN, (A4[0] / 2, top + 35.5), " ".join(letter.pin))
    for row in range(_STEPS):
        words = f"{row + 1}. " + sentence(f"letter.step-{row + 1}")
        line(sheet, (MARGIN, top + 52.0 + row * _LINE), words, _BODY, _ROOM)
    foot = sentence("letter.foot", serial=letter.serial, edition=letter.edition, date=letter.date)
    line(sheet, (MARGIN, top + 88.0), foot, _SMALL, _ROOM)

"""Pictures of the fields that went wrong or were asked about, for looking: DIR/<set>/<TPS>/<why>-<field>-....png."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2

from firmware.reading import Outcome
from firmware.records import Page
from tests.evaluation.seen import Field, Tps

MARK = ".complete"
"""Lies in a TPS's folder once all its pictures do."""


def write(folder: Path, seen: Tps, outcomes: Iterable[Outcome]) -> None:
    """The strip of each silent error and of each field that was asked; fields of refused pages have none."""
    place = _place(folder, seen)
    place.mkdir(parents=True, exist_ok=True)
    strips = {strip.field: strip.bgr for page in outcomes if isinstance(page, Page) for strip in page.strips}
    for field in seen.fields:
        if (field.silent or field.asked) and field.field in strips:
            cv2.imwrite(str(place / f"{_title(field)}.png"), strips[field.field])
    (place / MARK).touch()


def complete(folder: Path, seen: Tps) -> bool:
    """Whether the pictures of this TPS are there."""
    return (_place(folder, seen) / MARK).exists()


def _place(folder: Path, seen: Tps) -> Path:
    return folder / _plain(f"{seen.data_set} {seen.form} {seen.level}") / _plain(seen.name)


def _title(field: Field) -> str:
    why = "SILENT" if field.silent else "asked-" + "-".join(field.doubts)
    read = field.text.replace(" ", "_").replace("?", "unclear") or "nothing"
    return f"{why}-{field.field}-{read}-for-{'none' if field.truth is None else field.truth}-at-{field.confidence:.4f}"


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "_" for c in text)

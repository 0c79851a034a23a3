"""The model's manifest: which file it is, what it takes and gives, and what was measured. Written by training."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from firmware.errors import ModelRefused
from firmware.records import CELL_MARGIN, CELL_PIXELS, LABELS

MANIFEST = "digits.json"

MAX_MODEL_BYTES = 5_000_000
"""The budget of a digit model; ours takes half of it. A larger file is not ours."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes: normalised cells in the framing of records.CELL_PIXELS and CELL_MARGIN."""

    name: str
    shape: tuple[str, int, int, int]
    cell_pixels: int
    cell_margin: float
    normalisation: str
    """Module that makes the input from a cell."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens when numbers are read without asking from `threshold` on."""

    threshold: float
    read: int
    """Numbers that nobody is asked about."""
    silent: int
    """Those of them that are wrong."""
    promised: float
    """How many of them should be wrong by their own posteriors."""


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which posterior a whole number is read without asking, and the measured curve by which that was chosen."""

    accept: float
    target: float
    """Silent errors a field that were aimed at."""
    measured_on: str
    """Pictures that nothing was trained on, and that no other figure is reported on."""
    fields: int
    curve: tuple[Point, ...]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that names and describes one model file."""

    file: str
    sha256: str
    labels: tuple[str, ...]
    input: Input
    accept_digit: float
    """Confidence from which a cell's label is accepted without asking, chosen on the validation block."""
    date: str
    data: dict[str, Any]
    """Training data: source, terms, counts, split."""
    figures: dict[str, Any]
    """What was measured, on what."""
    numbers: Numbers | None = None
    """None until it is measured: then every number is asked."""


def load(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest and the bytes of the model that it names.

    Raises ModelRefused: model-missing, model-manifest (not readable or for another framing), model-digest.
    """
    manifest = _read(folder / MANIFEST)
    path = folder / manifest.file
    if path.parent != folder or not path.is_file():
        raise ModelRefused("model-missing", file=manifest.file)
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelRefused("model-digest", file=manifest.file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise ModelRefused("model-digest", file=manifest.file)
    return manifest, data


def _read(path: Path) -> Manifest:
    if not path.is_file():
        raise ModelRefused("model-missing", file=path.name)
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError as problem:
        raise ModelRefused("model-manifest", problem=str(problem)) from problem
    if manifest.labels != LABELS:
        raise ModelRefused("model-manifest", problem="labels")
    if (manifest.input.cell_pixels, manifest.input.cell_margin) != (CELL_PIXELS, CELL_MARGIN):
        raise ModelRefused("model-manifest", problem="framing")
    return manifest

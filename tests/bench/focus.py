"""How sharp and well lit a picture must be for its digits to be read: where the limits of selftest/sight.py are from.

    python -m tests.bench.focus

Filled pages of every form are blurred, darkened and shaded step by step and read; the printed target is pictured in
the same way, so that each step has the figure that the self-test measures. A row a step: what was measured on the
target, how many numbers were read without asking, how many of those are wrong, how many pages were refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture import target
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.forms.pdfium_picture import picture
from firmware.forms.target import target_pdf
from firmware.reading import MODELS, read_frames
from firmware.records import Page, Status
from tests.simulators.paper.sets import paper_set

Bgr = NDArray[np.uint8]
Spoil = Callable[[Bgr], Bgr]
SEEDS = (701, 702)
SIGMAS = (0.03, 0.05, 0.06, 0.065, 0.07, 0.075, 0.08, 0.1)
"""Of the blur, in sides of the form's smallest box."""
LIGHTS = (0.5, 0.3, 0.2, 0.12, 0.07)
"""Part of the light that is left."""
SLOPES = (0.5, 0.2, 0.1, 0.05)
"""Light at the dark side of the sheet as a part of that at the light side."""
VEILS = (0.5, 0.85, 0.95)
"""Part of white that lies over everything, as a reflection does."""
NOISE = 2.5
"""Grey levels: a camera's at the light that it needs."""
HEIGHT = 3000
FORMS = ("c1-ppwp-2019", "c.hasil-ppwp-2024")
"""Boxes of 7.5 mm on A4, and of 18 mm on a sheet of 600 x 900 mm with a guide in every box."""


@dataclass(frozen=True, slots=True)
class Read:
    """What became of the numbers of some pages."""

    fields: int
    sure: int
    silent: int
    refused: int


def smallest_box(layout: FormLayout) -> float:
    """Side in mm of the smallest digit box of a form."""
    return min(min(cell.w, cell.h) for field in layout.fields.values() for cell in field.cells)


def blurred(sigma: float) -> Spoil:
    """Out of focus by `sigma` pixels."""
    return lambda seen: np.asarray(cv2.GaussianBlur(seen, (0, 0), sigma), np.uint8) if sigma else seen


def dimmed(part: float) -> Spoil:
    """With a part of the light."""
    return lambda seen: np.asarray(cv2.convertScaleAbs(seen, alpha=part), np.uint8)


def sloped(part: float) -> Spoil:
    """A lamp to one side."""

    def spoil(seen: Bgr) -> Bgr:
        light = np.linspace(1.0, part, seen.shape[1])[None, :, None]
        return np.asarray(np.round(seen * light), np.uint8)

    return spoil


def veiled(part: float) -> Spoil:
    """A reflection over everything."""
    return lambda seen: np.asarray(np.round(seen * (1 - part) + 255 * part), np.uint8)


def _jpeg(seen: Bgr, seed: int) -> bytes:
    noise = np.random.default_rng(seed).normal(0, NOISE, seen.shape)
    noisy = np.clip(seen + noise, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def read(layout: FormLayout, spoil: Spoil, model: DigitModel) -> Read:
    """The pages of some TPS, spoiled."""
    fields = sure = silent = refused = 0
    for seed in SEEDS:
        made = paper_set(layout.id, seed, "clean", height=HEIGHT)
        pages = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in made.pages.values()]
        frames = [frame_from_bytes(_jpeg(spoil(np.asarray(page, np.uint8)), seed), "page") for page in pages]
        outcome = read_frames(frames, [layout], model)
        refused += sum(not isinstance(entry, Page) for entry in outcome.outcomes)
        fields += len(made.truth)
        for name, found in outcome.tally.fields.items() if outcome.tally else ():
            if found.status is Status.READ:
                sure += 1
                silent += found.value != made.truth[name]
    return Read(fields, sure, silent, refused)


def target_seen(layout: FormLayout, spoil: Spoil) -> target.Sighting | target.Missing:
    """The target where the form lay, pictured at the same scale; as large as the picture lets it be."""
    scale = HEIGHT / layout.height
    sheet = picture(target_pdf(), 1, scale * 25.4)
    scene = np.full((HEIGHT, round(HEIGHT * 0.75), 3), 90, np.uint8)
    high, wide = min(sheet.shape[0], HEIGHT - 20), min(sheet.shape[1], scene.shape[1] - 20)
    top, left = (scene.shape[0] - high) // 2, (scene.shape[1] - wide) // 2
    scene[top : top + high, left : left + wide] = sheet[:high, :wide]
    jpeg = np.frombuffer(_jpeg(spoil(scene), 1), np.uint8)
    return target.look(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8))


def rows() -> Iterator[tuple[str, str, float, target.Sighting | target.Missing, Read]]:
    """Form, kind of spoiling, step, target, reading."""
    model = DigitModel.load(Path(MODELS))
    for layout in (shipped_layouts()[form] for form in FORMS):
        box = smallest_box(layout) * HEIGHT / layout.height
        steps = [("blur", part, blurred(part * box)) for part in SIGMAS]
        if layout.id == "c.hasil-ppwp-2024":
            steps += [("light", part, dimmed(part)) for part in LIGHTS]
            steps += [("slope", part, sloped(part)) for part in SLOPES]
            steps += [("veil", part, veiled(part)) for part in VEILS]
        for kind, step, spoil in steps:
            yield layout.id, kind, step, target_seen(layout, spoil), read(layout, spoil, model)


def main() -> None:
    """Prints the table."""
    print("form kind step | lines/box  paper  even  contrast | fields sure silent refused")
    for form, kind, step, seen, got in rows():
        box = smallest_box(shipped_layouts()[form])
        if isinstance(seen, target.Missing):
            measured = f"tags missing: {len(seen.tags)}"
        else:
            measured = f"{seen.worst * box:5.2f} {max(seen.whites):6.0f} {seen.evenness:6.2f} {seen.contrast:6.2f}"
        print(f"{form} {kind} {step} | {measured} | {got.fields} {got.sure} {got.silent} {got.refused}", flush=True)


if __name__ == "__main__":
    main()

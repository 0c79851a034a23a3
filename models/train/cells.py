"""Synthetic cells: every label of records.LABELS on both forms' paper, through camera or scanner.

Without ink of others (`InkShelf()`), everything is drawn from strokes: that is what the tests use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from firmware.records import DIGITS, LABELS, Gray
from models.train import camera, paper
from models.train.ink import Affine, Alpha, DrawnInk, Ink, LiftedInk
from models.train.paper import CANVAS, CANVAS_MARGIN, CELL_SIDE, Canvas
from models.train.strokes import foreign, glyph, scribble

MIX = {**dict.fromkeys(DIGITS, 0.069), "X": 0.11, "-": 0.055, "blank": 0.055, "unclear": 0.09}
"""Share of every label in the synthetic pool."""

TALL_SHARE = 0.25
"""Share of 2019 cells that are much taller than wide (the candidates' votes); the framing presses them square."""

TALLEST = 1.95
"""Height of the tallest such cell relative to its width."""

BOXED_SHARE = 0.35
"""Share of 2024 boxes, of which there are real ones to train on; the rest are 2019 cells."""

BENT_SHARE = 0.5
"""Share of written ink that is bent: the hands of the sources are few."""

FAINT = (0.68, 0.86)
"""Grey of a pencil or an empty pen relative to the paper."""

FAINT_SHARE = 0.6
"""Share of the awkward cells that are faint; the others hold the half of a digit that stands on the border."""

AWKWARD_BOXED_SHARE = 0.6
"""Share of 2024 boxes among the awkward cells."""

WELL_REGISTERED_SHARE = 0.6
"""Share of cells that are framed as well as registration frames them; the rest are framed badly on purpose."""

WELL_REGISTERED = 0.3
"""Strength of their framing errors, see camera.framing."""


@dataclass(frozen=True)
class InkShelf:
    """Ink of others by label; all may be empty."""

    thinned: Mapping[str, Sequence[Ink]] = field(default_factory=dict)
    """Skeletons of public digits and real boxes: written with any pen."""
    lifted: Mapping[str, Sequence[Ink]] = field(default_factory=dict)
    """Ink of real 2024 boxes as it is."""
    sharpened: Mapping[str, Sequence[Ink]] = field(default_factory=dict)
    """Public digits with their own strokes."""
    drawn: float = 0.25
    """Share of strokes of our own; 0 where only the hands above are wanted."""

    def pick(self, rng: np.random.Generator, label: str, boxed: bool) -> Ink:
        """Some ink that says `label`."""
        kind = rng.random() * (0.75 + self.drawn)
        shares = ((self.lifted, 0.3 if boxed else 0.05), (self.sharpened, 0.5), (self.thinned, 0.75))
        for inks, until in shares:
            if kind < until and inks.get(label):
                return inks[label][int(rng.integers(len(inks[label])))]
        return DrawnInk(glyph(rng, label, square=rng.random() < (0.4 if boxed else 0.06)))


THICKEST = 0.17
"""Widest stroke relative to the height of what is written."""

CROSS_TURN = 0.22
"""Radians (one sigma): crosses are written more carelessly than digits."""


def place(rng: np.random.Generator, ink: Ink, boxed: bool, turn: float = 0.0) -> Affine:
    """Where and how large ink is written in the cell: an affine matrix from the unit square to the canvas."""
    height = CELL_SIDE * (rng.uniform(0.42, 0.95) if boxed else rng.uniform(0.28, 0.85))
    if isinstance(ink, LiftedInk):
        aspect = ink.alpha.shape[1] / ink.alpha.shape[0] * rng.uniform(0.85, 1.15)
    else:
        aspect = rng.uniform(0.8, 1.15) if not isinstance(ink, DrawnInk) else rng.uniform(0.45, 0.95)
    breadth = min(height * aspect, CELL_SIDE * 0.97)
    spread = 0.05 if boxed else 0.09
    x, y = CANVAS / 2 + rng.normal(0, spread * CELL_SIDE, 2)
    angle, slant = rng.normal(0, 0.07), rng.normal(0.0, 0.13)
    if turn:
        angle += rng.normal(0, turn)
    linear = np.array([[np.cos(angle), slant - np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [breadth, height]
    )
    return np.column_stack([linear, np.array([x, y]) - linear @ [0.5, 0.5]])


def pen(rng: np.random.Generator, boxed: bool) -> float:
    """A pen's width in canvas pixels: ball pens of 0.5 to 1 mm, felt pens on the large boxes."""
    return float(rng.choice([rng.uniform(1.6, 4.0), rng.uniform(3.0, 11.0)]) if boxed else rng.uniform(1.8, 5.0))


def fitting_pen(rng: np.random.Generator, matrix: Affine, boxed: bool) -> float:
    """A pen no thicker than the writing allows: a small digit with closed loops would be a blot."""
    return min(pen(rng, boxed), max(1.6, THICKEST * float(np.hypot(*matrix[:, 1]))))


def write(
    rng: np.random.Generator,
    canvas: Canvas,
    shelf: InkShelf,
    label: str,
    boxed: bool,
    faint: bool = False,
    beside: tuple[float, float] = (0.0, 0.0),
) -> Alpha:
    """Write one label, with a faint pen or `beside` its place (canvas pixels); returns the coverage laid down."""
    ink = shelf.pick(rng, label, boxed)
    if label == "-":
        matrix = _dash_place(rng)
    elif label == "X" and rng.random() < 0.3:
        matrix = _cross_place(rng)
    else:
        matrix = place(rng, ink, boxed, CROSS_TURN if label == "X" else 0.0)
    matrix[:, 2] += beside
    width = fitting_pen(rng, matrix, boxed) if label in DIGITS else pen(rng, boxed)
    alpha = ink.render(matrix, width, CANVAS)
    if rng.random() < BENT_SHARE:
        alpha = paper.bent(rng, alpha, rng.uniform(0.5, 2.5))
    _lay(rng, canvas, alpha, boxed, faint)
    return alpha


def _lay(rng: np.random.Generator, canvas: Canvas, alpha: Alpha, boxed: bool, faint: bool = False) -> None:
    if rng.random() < 0.15:
        alpha = paper.broken(rng, alpha, rng.uniform(0.03, 0.3))
    darkness = rng.uniform(0.05, 0.72) if boxed else rng.uniform(0.0, 0.4)
    if faint:
        darkness = rng.uniform(*FAINT)
    paper.put(canvas, alpha, float(canvas.mean()) * darkness)


def _cross_place(rng: np.random.Generator) -> Affine:
    """A cross from corner to corner of the cell, or beyond."""
    low = CANVAS_MARGIN + rng.normal(0, 4, 2)
    side = CELL_SIDE * rng.uniform(0.85, 1.1, 2)
    return np.column_stack([np.diag(side), low])


def _dash_place(rng: np.random.Generator) -> Affine:
    length, angle = CELL_SIDE * rng.uniform(0.16, 0.95), rng.normal(0, 0.09)
    linear = length * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = CANVAS / 2 + CELL_SIDE * np.array([rng.normal(0, 0.08), rng.normal(0, 0.1)])
    return np.column_stack([linear, centre - linear @ [0.5, 0.5]])


def _specks(rng: np.random.Generator, canvas: Canvas) -> None:
    """Dirt: some dots, never as large as a stroke."""
    alpha = np.zeros((CANVAS, CANVAS), np.uint8)
    for _ in range(int(rng.integers(1, 7))):
        centre = tuple(int(v) for v in rng.integers(0, CANVAS, 2))
        cv2.circle(alpha, centre, int(rng.integers(1, 3)), 255, -1, cv2.LINE_AA)
    paper.put(canvas, alpha.astype(np.float32) / 255, float(canvas.mean()) * rng.uniform(0.1, 0.8))


def _unclear(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """Ink that no one should read as one digit."""
    kinds = (
        _overwritten,
        _overwritten,
        _struck_out,
        _scribbled,
        _several,
        _half,
        _corrected,
        _diagonal,
        _long_cross,
        _blurred,
        _foreign,
    )
    kinds[int(rng.integers(len(kinds)))](rng, canvas, shelf, boxed)


def _overwritten(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    first, second = rng.choice(list("023456789X"), 2, replace=False)
    write(rng, canvas, shelf, str(first), boxed)
    write(rng, canvas, shelf, str(second), boxed)


def _struck_out(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    write(rng, canvas, shelf, str(rng.choice(DIGITS)), boxed)
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.3:
            write(rng, canvas, shelf, "X", boxed)
            return
        middle = CANVAS / 2 + rng.normal(0, 6, 2)
        angle, length = rng.choice([rng.normal(0, 0.3), rng.normal(-0.8, 0.25)]), CELL_SIDE * rng.uniform(0.65, 1.1)
        half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        _lay(rng, canvas, paper.line(rng, middle - half, middle + half, pen(rng, boxed) * 1.2), boxed)


def _scribbled(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    if rng.random() < 0.5:
        write(rng, canvas, shelf, str(rng.choice(DIGITS)), boxed)
    ink = DrawnInk(scribble(rng))
    _lay(rng, canvas, ink.render(place(rng, ink, boxed), pen(rng, boxed), CANVAS), boxed)


def _several(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """Two or three digits in one box."""
    count = int(rng.integers(2, 4))
    breadth = CELL_SIDE * rng.uniform(0.75, 1.0) / count
    for index in range(count):
        ink = DrawnInk(glyph(rng, str(rng.choice(DIGITS))))
        height = CELL_SIDE * rng.uniform(0.35, 0.8)
        x = CANVAS / 2 + (index - count / 2) * breadth
        y = CANVAS / 2 - height / 2 + rng.normal(0, 4)
        matrix = np.array([[breadth * 0.8, rng.normal(0, 3), x], [0, height, y]])
        _lay(rng, canvas, ink.render(matrix, pen(rng, False), CANVAS), boxed)


def _foreign(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """A letter or a tick where a digit belongs."""
    ink = DrawnInk(foreign(rng))
    _lay(rng, canvas, ink.render(place(rng, ink, boxed), pen(rng, boxed), CANVAS), boxed)


def _half(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """A digit of which one half is covered or missing."""
    before = canvas.copy()
    write(rng, canvas, shelf, str(rng.choice(list("023568"))), boxed)
    alpha = before - canvas
    ys, xs = np.nonzero(alpha > 0.3 * alpha.max())
    values = xs if rng.random() < 0.5 else ys
    cut = int(np.quantile(values, rng.uniform(0.4, 0.6)))
    hidden = (slice(None), slice(cut, None)) if values is xs else (slice(cut, None), slice(None))
    if rng.random() < 0.5:
        hidden = (slice(None), slice(None, cut)) if values is xs else (slice(None, cut), slice(None))
    canvas[hidden] = before[hidden]


def _corrected(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """Tip-ex over a digit, with remains, and sometimes another digit over it."""
    alpha = write(rng, canvas, shelf, str(rng.choice(DIGITS)), boxed)
    patch = np.zeros((CANVAS, CANVAS), np.float32)
    centre = tuple(int(v) for v in CANVAS / 2 + rng.normal(0, 6, 2))
    axes = tuple(int(v) for v in CELL_SIDE * rng.uniform(0.22, 0.42, 2))
    cv2.ellipse(patch, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    patch = paper.broken(rng, cv2.GaussianBlur(patch, (0, 0), 2.0), 0.15)
    canvas += patch * (float(np.percentile(canvas, 90)) * rng.uniform(0.95, 1.1) - canvas)
    remains = paper.broken(rng, alpha, rng.uniform(0.4, 0.7))
    paper.put(canvas, remains, float(canvas.mean()) * rng.uniform(0.3, 0.7))
    if rng.random() < 0.5:
        write(rng, canvas, shelf, str(rng.choice(DIGITS)), boxed)


def _diagonal(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """One diagonal stroke: a 1, half an X, or a slash for nothing."""
    angle = rng.choice([-1, 1]) * rng.uniform(0.75, 0.98)
    half = CELL_SIDE * rng.uniform(0.3, 0.6) * np.array([np.cos(angle), np.sin(angle)])
    middle = CANVAS / 2 + rng.normal(0, 4, 2)
    _lay(rng, canvas, paper.line(rng, middle - half, middle + half, pen(rng, boxed)), boxed)


def _long_cross(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    """Part of a cross or zigzag drawn over a whole number: one or two strokes that leave the cell."""
    corner = CANVAS / 2 + rng.uniform(-0.5, 0.5, 2) * CELL_SIDE
    slope, width = rng.uniform(0.25, 1.1), pen(rng, boxed)
    first, second = rng.choice([-1, 1]), rng.choice([-1, 1])
    _lay(rng, canvas, paper.line(rng, corner, corner + CANVAS * np.array([first, slope * second]), width), boxed)
    if rng.random() < 0.6:
        _lay(rng, canvas, paper.line(rng, corner, corner + CANVAS * np.array([-first, slope * second]), width), boxed)
    else:
        _lay(rng, canvas, paper.line(rng, corner, corner - CANVAS * np.array([first, slope * second]), width), boxed)


def _pressed(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, label: str) -> None:
    """Writing in a tall cell, pressed together vertically."""
    white = np.full_like(canvas, 255.0)
    write(rng, white, shelf, label, False)
    factor = 1 / rng.uniform(1.3, TALLEST)
    drift = rng.normal(0, 0.05 * CELL_SIDE)
    matrix = np.array([[1, 0, 0], [0, factor, CANVAS / 2 * (1 - factor) + drift]])
    shown = cv2.warpAffine(white, matrix, (CANVAS, CANVAS), flags=cv2.INTER_AREA, borderValue=255.0)
    canvas *= shown / 255.0


def _blurred(rng: np.random.Generator, canvas: Canvas, shelf: InkShelf, boxed: bool) -> None:
    write(rng, canvas, shelf, str(rng.choice(list("023456789X"))), boxed)
    canvas[:] = camera.defocus(rng, canvas)


def draw(rng: np.random.Generator, shelf: InkShelf, label: str, boxed: bool, strength: float = 1.0) -> Gray:
    """One synthetic cell picture that shows `label`, shape (CELL_PIXELS, CELL_PIXELS)."""
    canvas = paper.boxed(rng) if boxed else paper.touching(rng)
    if rng.random() < 0.12:
        _specks(rng, canvas)
    if label == "unclear":
        _unclear(rng, canvas, shelf, boxed)
    elif label != "blank" and not boxed and rng.random() < TALL_SHARE:
        _pressed(rng, canvas, shelf, label)
    elif label != "blank":
        write(rng, canvas, shelf, label, boxed)
    if boxed or rng.random() < 0.25:
        return camera.photograph(rng, canvas, strength)
    return camera.scan(rng, canvas, strength)


def random_cell(
    rng: np.random.Generator, shelf: InkShelf, boxed_share: float = BOXED_SHARE, mix: Mapping[str, float] = MIX
) -> tuple[Gray, int]:
    """A cell of a mix of labels and the index of its label."""
    label = str(rng.choice(list(mix), p=list(mix.values())))
    strength = WELL_REGISTERED if rng.random() < WELL_REGISTERED_SHARE else 1.0
    return draw(rng, shelf, label, bool(rng.random() < boxed_share), strength), LABELS.index(label)


def awkward_cell(
    rng: np.random.Generator, shelf: InkShelf, boxed_share: float = AWKWARD_BOXED_SHARE
) -> tuple[Gray, int]:
    """A cell that registration or the pen made hard: faint ink within a dark border, or a digit half outside."""
    boxed = bool(rng.random() < boxed_share)
    canvas = paper.boxed(rng, lightest=0.35) if boxed else paper.touching(rng)
    label = str(rng.choice(list("0123456789X-")))
    if rng.random() < FAINT_SHARE:
        write(rng, canvas, shelf, label, boxed, faint=True)
    else:
        away = CELL_SIDE * rng.uniform(0.36, 0.52) * float(rng.choice([-1, 1]))
        beside = (away, rng.normal(0, 4.0)) if rng.random() < 0.6 else (rng.normal(0, 4.0), away)
        write(rng, canvas, shelf, label, boxed, beside=beside)
        label = "unclear"
    return camera.photograph(rng, canvas, WELL_REGISTERED), LABELS.index(label)

"""What people do when they fill in a form: a plan for every field, before anything is drawn.

A plan is decided by seed at rates per level and says everything that is unusual, so that a reader can be judged fault
by fault. What no careful human could read is never planned: an overwritten digit is always completed by the one on
top, a correction always shows which of two digits counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from firmware.forms.layout import Field, FormLayout
from tests.simulators.paper import pen
from tests.simulators.paper.turus import PLAIN_TURUS, TallyPlan, Turus, plan_tally


class Fault(StrEnum):
    """One unusual thing about a field."""

    MIXED_PADDING = "mixed-padding"
    """Another padding than this person's usual one, or two kinds in one number."""
    LEFT_EMPTY = "left-empty"
    """Nothing is written in the boxes although there is a number."""
    SQUEEZED = "squeezed"
    """All digits stand in one box."""
    WRONG_SUM = "wrong-sum"
    """The number breaks a sum of the form."""

    OVERWRITTEN = "overwritten"
    TIPEX = "tip-ex"
    CROSSED_OUT = "crossed-out"
    """The right digit stands beside the struck-out one in the same box."""
    OVER_BORDER = "over-border"
    """Ink reaches into the next box or out of the row."""
    SHIFTED = "shifted"
    SMALL = "small"
    LARGE = "large"
    SKIPPING = "skipping"
    """The ball pen left gaps."""
    DIRT = "dirt"
    FOREIGN_STROKE = "foreign-stroke"
    """A signature or the rim of a stamp runs through the box."""

    FAINT_PEN = "faint-pen"
    THICK_PEN = "thick-pen"
    PENCIL = "pencil"

    BUBBLE_TICK = "bubble-tick"
    BUBBLE_CROSS = "bubble-cross"
    BUBBLE_HALF = "bubble-half"
    BUBBLE_SPILLED = "bubble-spilled"
    BUBBLE_PALE = "bubble-pale"
    BUBBLE_NONE = "bubble-none"
    BUBBLE_DOUBLE = "bubble-double"
    """Two are filled; the wrong one is crossed out."""
    BUBBLE_WRONG = "bubble-wrong"
    """Another digit's bubble is filled."""

    MISCOUNT = "tally-miscount"
    """One stroke too many or too few."""
    ROW_EARLY = "tally-row-left-early"
    ROW_SUM = "tally-row-sum"
    """The sum beside a row is not the number of its strokes."""


CORRECTIONS = MappingProxyType({Fault.OVERWRITTEN: 0.004, Fault.TIPEX: 0.003, Fault.CROSSED_OUT: 0.002})
"""Share of written cells at the medium level, as the other tables here; only digits are corrected."""
PLACINGS = MappingProxyType({Fault.OVER_BORDER: 0.02, Fault.SHIFTED: 0.03, Fault.SMALL: 0.015, Fault.LARGE: 0.015})
MARRINGS = MappingProxyType({Fault.SKIPPING: 0.01, Fault.DIRT: 0.01, Fault.FOREIGN_STROKE: 0.003})
FIELDS = MappingProxyType({Fault.MIXED_PADDING: 0.04, Fault.LEFT_EMPTY: 0.003, Fault.SQUEEZED: 0.003})
"""Share of fields."""
BUBBLES = MappingProxyType(
    {
        Fault.BUBBLE_TICK: 0.015, Fault.BUBBLE_CROSS: 0.015, Fault.BUBBLE_HALF: 0.03, Fault.BUBBLE_SPILLED: 0.03,
        Fault.BUBBLE_PALE: 0.02, Fault.BUBBLE_NONE: 0.01, Fault.BUBBLE_DOUBLE: 0.005, Fault.BUBBLE_WRONG: 0.004,
    }
)  # fmt: skip
"""Share of bubble columns."""
TALLIES = MappingProxyType({Fault.MISCOUNT: 0.01, Fault.ROW_EARLY: 0.03, Fault.ROW_SUM: 0.02})
"""Share of tally grids."""
PENS = MappingProxyType({Fault.FAINT_PEN: 0.06, Fault.THICK_PEN: 0.05, Fault.PENCIL: 0.03, Fault.SKIPPING: 0.02})
"""Share of polling stations."""
SCALE = MappingProxyType({"clean": 0.0, "mild": 0.3, "medium": 1.0, "hard": 3.0})
"""By what the rates above are multiplied."""
WRONG_SUMS = 0.2
"""Share of polling stations that break a rule, at every level with faults: one real one in five."""

MAX_LEFT_OVER = 2
"""Strokes of seven that an overwritten digit may show beside the one on top."""


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One digit box."""

    label: str
    """What a human reads: a digit, "X", "-", " "; several digits when they are squeezed in."""
    under: str = ""
    """What stood there before a correction."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class BubblePlan:
    """One column of ten bubbles."""

    digit: int | None
    """The bubble that is meant; None where this person fills none."""
    fault: Fault | None = None
    other: int = 0
    """The second bubble of a double or wrong one."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One number on the form, as it will be written."""

    value: int
    """What was meant; the words say it too."""
    cells: tuple[CellPlan, ...]
    bubbles: tuple[BubblePlan, ...] = ()
    tally: TallyPlan | None = None
    others: tuple[Fault, ...] = ()
    """Faults of the whole field."""

    @property
    def truth(self) -> int | None:
        """The number that a careful human reads in the boxes; None when there is none."""
        digits = "".join(c for cell in self.cells for c in cell.label if c.isdigit())
        padded = any(cell.label.strip() for cell in self.cells)
        return int(digits or 0) if padded else None

    @property
    def text(self) -> str:
        """One label a box; "?" for a box that holds more than one digit."""
        return "".join(cell.label if len(cell.label) == 1 else "?" for cell in self.cells)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything unusual, each once."""
        cells = [fault for cell in self.cells for fault in cell.faults]
        bubbles = [bubble.fault for bubble in self.bubbles if bubble.fault]
        return tuple(dict.fromkeys([*self.others, *cells, *bubbles]))


def padded(value: int, writer: pen.Writer, boxes: int = 3) -> str:
    """How this writer puts a number into the boxes: "X28", "028", "--8", " 28"; zero is all padding or one 0."""
    digits = str(value)
    if value == 0 and writer.padding in ("X", "-"):
        return writer.padding * boxes
    return (writer.padding or " ") * (boxes - len(digits)) + digits


def plain(field: Field, text: str, turus: Turus = PLAIN_TURUS) -> FieldPlan:
    """The plan of somebody who does everything right; `text` has one label a box."""
    value = int("".join(c for c in text if c.isdigit()) or 0)
    return FieldPlan(
        value,
        tuple(CellPlan(label) for label in text),
        tuple(BubblePlan(_bubble(label)) for label in text) if field.bubbles else (),
        plan_tally(field.tally, value, turus) if field.tally else None,
    )


def _bubble(label: str) -> int | None:
    """The bubble under a box: 0 under an X, none under a dash or nothing."""
    return int(label) if label.isdigit() else 0 if label == "X" else None


def pen_of(writer: pen.Writer, level: str, rng: np.random.Generator) -> tuple[pen.Writer, tuple[Fault, ...]]:
    """The same person, perhaps with a bad pen."""
    fault = _one(PENS, SCALE[level], rng)
    if fault is Fault.FAINT_PEN:
        writer = replace(writer, pressure=float(rng.uniform(0.45, 0.6)))
    elif fault is Fault.THICK_PEN:
        writer = replace(writer, bold=float(rng.uniform(0.03, 0.05)), pressure=1.0)
    elif fault is Fault.PENCIL:
        shade = int(rng.integers(70, 100))
        writer = replace(writer, colour=(shade + 4, shade, shade), pressure=0.85, grain=0.4)
    elif fault is Fault.SKIPPING:
        writer = replace(writer, skip=float(rng.uniform(0.08, 0.18)))
    return writer, (fault,) if fault else ()


def wrong_sum(values: Mapping[str, int], layout: FormLayout, rng: np.random.Generator) -> dict[str, int]:
    """One number of one sum, written wrong: off by 1, 10 or 100, one digit slipped, or two exchanged."""
    sums = [rule for rule in layout.rules if rule.kind == "sum"]
    rule = sums[int(rng.integers(len(sums)))]
    name = rule.right[0] if rng.random() < 0.7 else rule.left[int(rng.integers(len(rule.left)))]
    digits, right = str(values[name]), values[name]
    slipped = list(digits)
    slipped[int(rng.integers(len(digits)))] = str(rng.integers(1, 10))
    candidates = [right + sign * step for sign in (-1, 1) for step in (1, 1, 10, 10, 100)]
    candidates += [int("".join(slipped)), int(digits[::-1])]
    possible = [value for value in candidates if 0 <= value <= 999 and value != right]
    return {name: possible[int(rng.integers(len(possible)))]}


def plan_field(
    field: Field, value: int, counted: int, writer: pen.Writer, turus: Turus, level: str, rng: np.random.Generator
) -> FieldPlan:
    """How `value` is written by this writer at this level; `counted` is what the strokes of its tally show."""
    scale, others = SCALE[level], list[Fault]()
    text, boxes = padded(value, writer, len(field.cells)), len(field.cells)
    fault = _one(FIELDS, scale, rng)
    if fault is Fault.MIXED_PADDING and (mixed := _mixed(text, rng)) != text:
        text, others = mixed, [fault]
    bubbles = tuple(_plan_bubble(label, scale, rng) for label in text) if field.bubbles else ()
    if fault is Fault.LEFT_EMPTY and value:
        text, others = " " * boxes, [fault]
    cells = tuple(_plan_cell(label, scale, rng) for label in text)
    if fault is Fault.SQUEEZED and value > 9:
        at, others = int(rng.integers(boxes)), [fault]
        cells = tuple(CellPlan(str(value) if index == at else " ") for index in range(boxes))
    tally = None
    if field.tally:
        kind = _one(TALLIES, scale, rng) if counted else None
        off = int(rng.choice([-1, 1])) if kind is Fault.MISCOUNT else 0
        tally = plan_tally(field.tally, counted + off, turus, kind is Fault.ROW_EARLY, kind is Fault.ROW_SUM, rng)
        others += [kind] if kind and (kind is not Fault.ROW_EARLY or tally.early) else []
    return FieldPlan(value, cells, bubbles, tally, tuple(others))


def _one(rates: Mapping[Fault, float], scale: float, rng: np.random.Generator) -> Fault | None:
    """At most one fault of a table."""
    draw = float(rng.random())
    for fault, rate in rates.items():
        draw -= min(rate * scale, 0.3)
        if draw < 0:
            return fault
    return None


def _mixed(text: str, rng: np.random.Generator) -> str:
    """Other paddings before the digits, each box for itself; zero becomes a written 0."""
    digits = text.lstrip("X- 0") or "0"
    return "".join(str(c) for c in rng.choice(["X", "-", "0", " "], len(text) - len(digits))) + digits


def _plan_bubble(label: str, scale: float, rng: np.random.Generator) -> BubblePlan:
    digit, other = _bubble(label), int(rng.integers(9))
    fault = _one(BUBBLES, scale, rng)
    if digit is None:
        return BubblePlan(None)
    return BubblePlan(digit, fault, other + (other >= digit))


def _plan_cell(label: str, scale: float, rng: np.random.Generator) -> CellPlan:
    correction, placing, marring = (_one(table, scale, rng) for table in (CORRECTIONS, PLACINGS, MARRINGS))
    under = str(rng.integers(10))
    if label == " ":
        chosen = [marring] if marring in (Fault.DIRT, Fault.FOREIGN_STROKE) else []
        return CellPlan(label, "", tuple(chosen))
    if correction is Fault.OVERWRITTEN and not _shows_over(label, under):
        correction = None
    if correction is Fault.CROSSED_OUT and under == "1":
        correction = None  # a struck-out 1 is a bundle of strokes that may strike out its neighbour
    if correction is not None and (not label.isdigit() or label == under):
        correction = None
    faults = tuple(fault for fault in (correction, None if correction else placing, marring) if fault)
    return CellPlan(label, under if correction else "", faults)


def _shows_over(label: str, under: str) -> bool:
    """Whether a digit written over another adds ink that only it explains, and leaves little of the other to see."""
    if not label.isdigit() or label == "1":
        return False
    above, below = set(pen.SEGMENTS[label]), set(pen.SEGMENTS[under])
    return bool(above - below) and len(below - above) <= MAX_LEFT_OVER

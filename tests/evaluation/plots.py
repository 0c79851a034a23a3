"""The curves as pictures: asking against silent errors, reliability, confusion. The only user of matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from firmware.records import LABELS
from tests.evaluation.calibration import Calibration
from tests.evaluation.curve import TARGET
from tests.evaluation.datasets import C1_2019, LEVELS
from tests.evaluation.metrics import CellFigures, FormFigures
from tests.evaluation.report import PER, Report, pooled

AIM_READ = 0.95
"""Share of fields that the kiosk should read without asking."""
COLUMNS = 3
PANEL = 3.6
"""Inches a side."""
DPI = 130
LINE, BAND, MARK, GOAL = "#1f4e79", "#9dc3e6", "#c00000", "#548235"
FEWEST_SILENT = 0.1
"""Per PER fields: the foot of the logarithmic axis, where nothing at all is drawn."""
SUREST = 1e-6
"""Confidences are written to millionths: the foot of the reliability axes."""
Figures = TypeVar("Figures", FormFigures, CellFigures)
STYLE = {
    "font.size": 9, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True, "legend.frameon": False,
}  # fmt: skip


def write(folder: Path, report: Report) -> None:
    """coverage.png, reliability-fields.png, reliability-cells.png and confusion.png in `folder`."""
    names = [name for name in (C1_2019, *map(pooled, LEVELS)) if name in report.forms]
    forms = {name: report.forms[name] for name in names}
    cells = {**report.cells, **{name: one.cells for name, one in forms.items()}}
    with mpl.rc_context(STYLE):
        _panels(folder / "coverage.png", forms, _coverage)
        _panels(folder / "reliability-fields.png", forms, lambda axes, one: _reliability(axes, one.calibration))
        _panels(folder / "reliability-cells.png", cells, lambda axes, one: _reliability(axes, one.calibration))
        _panels(folder / "confusion.png", cells, _confusion, 1.3)


def _panels(
    path: Path, sets: Mapping[str, Figures], draw: Callable[[Axes, Figures], None], scale: float = 1.0
) -> None:
    """One panel a set, in rows."""
    columns = min(COLUMNS, len(sets))
    rows = ceil(len(sets) / columns)
    figure = Figure(figsize=(columns * PANEL * scale, rows * PANEL * scale), layout="constrained")
    places: Sequence[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (name, figures) in zip(places, sets.items(), strict=False):
        axes.set_title(name, loc="left", fontweight="bold")
        draw(axes, figures)
    for axes in places[len(sets) :]:
        axes.set_axis_off()
    figure.savefig(path, dpi=DPI)


def _coverage(axes: Axes, one: FormFigures) -> None:
    """Silent errors over what is read without asking; the band is the exact bound, the cross the policy in force."""
    read = np.array([point.read / point.silent.of for point in one.curve]) * 100
    low, share, high = (
        np.maximum([getattr(point.silent, key) * PER for point in one.curve], FEWEST_SILENT)
        for key in ("low", "share", "high")
    )
    axes.fill_between(read, low, high, color=BAND, alpha=0.55, linewidth=0, label="95 % bounds")
    axes.plot(read, share, color=LINE, linewidth=1.5, drawstyle="steps-post", label="measured (foot: none)")
    policy = max(one.silent.share * PER, FEWEST_SILENT)
    axes.plot(one.read.share * 100, policy, "x", color=MARK, markersize=9, markeredgewidth=2, label="policy in force")
    axes.fill_between([AIM_READ * 100, 100], FEWEST_SILENT, TARGET * PER, color=GOAL, alpha=0.3, linewidth=0, label="aim")
    axes.set_yscale("log")
    axes.set(
        xlim=(50 if one.read.share > 0.5 else 0, 100), ylim=(FEWEST_SILENT, PER / 10),
        xlabel="fields read without asking, %", ylabel=f"silent errors in {PER:,} fields",
    )  # fmt: skip
    axes.text(0.03, 0.5, f"{one.tps} TPS, {one.read.of:,} fields", transform=axes.transAxes, color="#555555")
    axes.legend(loc="upper left", fontsize=7.5)


def _reliability(axes: Axes, found: Calibration) -> None:
    """How often it is wrong over how often it says it is; both logarithmic, for what counts lies near 0."""
    stated = np.maximum([1 - entry.confidence for entry in found.bins], SUREST)
    wrong = np.maximum([1 - entry.right.share for entry in found.bins], SUREST)
    low = np.maximum([1 - entry.right.high for entry in found.bins], SUREST)
    high = np.maximum([1 - entry.right.low for entry in found.bins], SUREST)
    axes.plot([SUREST, 1], [SUREST, 1], color="#888888", linewidth=1, linestyle="--", label="as stated")
    axes.vlines(stated, low, high, color=BAND, linewidth=3, label="95 % bounds")
    axes.plot(stated, wrong, "o", color=LINE, markersize=4, clip_on=False, label="measured (foot: none wrong)")
    axes.set(
        xscale="log", yscale="log", xlim=(SUREST, 1), ylim=(SUREST, 1), xlabel="stated: 1 - confidence",
        ylabel="measured: share wrong",
    )  # fmt: skip
    count = sum(entry.right.of for entry in found.bins)
    text = f"n = {count:,}\ncalibration error {found.error:.4f}"
    axes.text(0.97, 0.05, text, transform=axes.transAxes, ha="right", color="#555555")
    axes.legend(loc="upper left", fontsize=7.5)


def _confusion(axes: Axes, one: CellFigures) -> None:
    """Counts; the colour is the share of the row, so that rare labels show."""
    counts = np.array([[one.confusion.get(truth, {}).get(label, 0) for label in LABELS] for truth in LABELS])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.ma.masked_equal(shares, 0), cmap="Blues", norm=LogNorm(1e-4, 1.0))
    for row, column in zip(*np.nonzero(counts), strict=True):
        off, dark = row != column, shares[row, column] > 0.05
        style = {"fontweight": "bold"} if off else {}
        colour = "white" if dark else (MARK if off else "black")
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=5.5, color=colour, **style)
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=60)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="read", ylabel="written")
    axes.grid(visible=False)

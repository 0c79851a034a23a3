"""The curves as pictures: asking against silent errors, reliability, confusion. The only user of matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from firmware.records import LABELS
from tests.evaluation.calibration import Calibration
from tests.evaluation.curve import TARGET
from tests.evaluation.datasets import C1_2019, LEVELS
from tests.evaluation.metrics import CellFigures, FormFigures
from tests.evaluation.report import PER, Report, pooled

AIM_READ = 0.95
"""Share of fields that the kiosk should read without asking."""
PANEL, LEGEND, PADDING = 3.6, 0.4, 0.12
"""Inches: the side of a panel, the height of the legend below them all, the space around a panel."""
LEAST_WRONG, MOST_WRONG = 1e-4, 0.5
"""Shares of a row that the colours of wrong readings span."""
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


def _panels(path: Path, sets: Mapping[str, Figures], draw: Callable[[Axes, Figures], None], scale: float = 1.0) -> None:
    """One panel a set, in rows; one legend for all."""
    columns = min(2 if len(sets) <= 4 else 4, len(sets))
    rows = ceil(len(sets) / columns)
    layout = ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)
    figure = Figure(figsize=(columns * PANEL * scale, rows * PANEL * scale + LEGEND), layout=layout)
    places: Sequence[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (name, figures) in zip(places, sets.items(), strict=False):
        draw(axes, figures)
        axes.set_title(f"{name}\n{axes.get_title()}".strip(), loc="left")
        axes.set_title("")
    for axes in places[len(sets) :]:
        axes.set_axis_off()
    handles, labels = places[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    figure.savefig(path, dpi=DPI)


def _coverage(axes: Axes, one: FormFigures) -> None:
    """Silent errors over what is read without asking; the band is the exact bound, the cross the policy in force."""
    read = np.array([point.read / point.silent.of for point in one.curve]) * 100
    low, share, high = (
        np.maximum([getattr(point.silent, key) * PER for point in one.curve], FEWEST_SILENT)
        for key in ("low", "share", "high")
    )
    aim = [AIM_READ * 100, 100]
    axes.fill_between(aim, FEWEST_SILENT, TARGET * PER, color=GOAL, alpha=0.35, linewidth=0, label="the aim")
    axes.fill_between(read, low, high, color=BAND, alpha=0.5, linewidth=0, step="post", label="95 % bounds")
    axes.plot(read, share, color=LINE, linewidth=1.8, drawstyle="steps-post", label="any threshold")
    policy = max(one.silent.share * PER, FEWEST_SILENT)
    axes.plot(
        one.read.share * 100, policy, "o", color=MARK, markersize=6, clip_on=False, zorder=5, label="policy in force"
    )
    axes.set_yscale("log")
    axes.set(
        xlim=(50 if one.read.share > 0.5 else 0, 100), ylim=(FEWEST_SILENT * 0.85, PER / 10),
        xlabel="fields read without asking, %", ylabel=f"silent errors in {PER:,} fields",
        title=f"{one.tps} TPS, {one.read.of:,} fields, {one.silent.count} silent at {one.read.share:.1%} read",
    )  # fmt: skip
    axes.set_yticks([FEWEST_SILENT, 1, 10, 100, 1000], ["none", "1", "10", "100", "1,000"])


def _reliability(axes: Axes, found: Calibration) -> None:
    """How often it is wrong over how often it says it is; both logarithmic, for what counts lies near 0."""
    stated = np.maximum([1 - entry.confidence for entry in found.bins], SUREST)
    wrong = np.maximum([1 - entry.right.share for entry in found.bins], SUREST)
    low = np.maximum([1 - entry.right.high for entry in found.bins], SUREST)
    high = np.maximum([1 - entry.right.low for entry in found.bins], SUREST)
    axes.plot([SUREST, 1], [SUREST, 1], color="#555555", linewidth=1, linestyle="--", label="wrong as often as stated")
    axes.vlines(stated, low, high, color=BAND, linewidth=2, label="95 % bounds")
    axes.plot(stated, wrong, "o", color=LINE, markersize=4, clip_on=False, label="a bin of equal count")
    count = sum(entry.right.of for entry in found.bins)
    axes.set(
        xscale="log", yscale="log", xlim=(SUREST, 1), ylim=(SUREST, 1), xlabel="stated: 1 - confidence",
        ylabel="measured: share wrong", title=f"{count:,} answers, calibration error {found.error:.4f}",
    )  # fmt: skip
    ticks = [SUREST, 1e-4, 1e-2, 1]
    axes.set_xticks(ticks, ["$\\leq10^{-6}$", "$10^{-4}$", "$10^{-2}$", "1"])
    axes.set_yticks(ticks, ["none", "$10^{-4}$", "$10^{-2}$", "1"])


def _confusion(axes: Axes, one: CellFigures) -> None:
    """Counts; the colour is the share of the row, so that rare labels show. Grey is right, red is wrong."""
    counts = np.array([[one.confusion.get(truth, {}).get(label, 0) for label in LABELS] for truth in LABELS])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(LABELS), dtype=bool)
    axes.imshow(np.ma.masked_where(~right | (counts == 0), shares), cmap="Greys", norm=Normalize(0, 3))
    axes.imshow(np.ma.masked_where(right | (counts == 0), shares), cmap="Reds", norm=LogNorm(LEAST_WRONG, MOST_WRONG))
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = row != column and shares[row, column] > (LEAST_WRONG * MOST_WRONG) ** 0.5
        text, colour = str(counts[row, column]), "white" if dark else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=60)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(xlabel="read", ylabel="written", title=f"{one.right.of:,} boxes, {one.right.of - one.right.count} wrong")
    axes.grid(visible=False)

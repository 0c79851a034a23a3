"""Robust corrections of a homography from what was seen at printed lines and at known points.

All residuals are in page millimetres. One correction is the linear (infinitesimal) projective map with the unknowns
a0 a1 a2 (x), b0 b1 b2 (y) and g h (perspective), solved by least squares that forgets outliers (Tukey's biweight).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware.capture.rulings import Floats, LinePieces, Probe, cut, project
from firmware.records import Matrix

ROUNDS = 6
"""Reweightings a solution; more change nothing measurable."""
TUKEY = 4.685
"""95 % efficiency on normal errors."""
LEAST_EQUATIONS = 4
"""Fewer say nothing; how far few may bend is what `Stiffness` is for."""
LEAST_SPREAD = 0.02
"""mm: residuals are never trusted better than this."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Points known in the page (mm) and in the picture (pixels): corners of the identity and of marks."""

    page: Floats
    picture: Floats
    weight: float
    """In pieces of line."""

    @staticmethod
    def none() -> Anchors:
        """No points."""
        return Anchors(np.zeros((0, 2)), np.zeros((0, 2)), 0.0)


@dataclass(frozen=True, slots=True)
class Stiffness:
    """How far a correction may bend, as standard deviations of its terms; 0 forbids the term."""

    move: float
    """As part of the half size of what was seen."""
    affine: float
    """Scale, turn and shear."""
    perspective: float
    """Change of scale, ..."""
    over: float
    """... over this many millimetres."""


FREE = Stiffness(1.0, 1.0, 1.0, 1.0)
"""Lets what was seen decide."""


def posed(homography: Matrix, anchors: Anchors, stiffness: Stiffness) -> Matrix:
    """`corrected` with points alone."""
    return corrected(homography, cut((), 1.0), Probe(np.zeros(0), np.zeros(0)), anchors, stiffness)


def corrected(
    homography: Matrix, pieces: LinePieces, probe: Probe, anchors: Anchors, stiffness: Stiffness = FREE
) -> Matrix:
    """The homography (page mm to pixels) that fits what was seen; the same one where too little was seen, or where
    what was seen belongs to no sheet at all (a guess on a picture without a form)."""
    if not abs(np.linalg.det(homography)) > 0:  # it folds the page into a line, or is no number: nothing corrects it
        return homography
    try:
        return _corrected(homography, pieces, probe, anchors, stiffness)
    except np.linalg.LinAlgError:
        return homography


def _corrected(homography: Matrix, pieces: LinePieces, probe: Probe, anchors: Anchors, stiffness: Stiffness) -> Matrix:
    rows, target, base, centre, size = _equations(homography, pieces, probe, anchors)
    allowed = np.array(
        [stiffness.move, *[stiffness.affine] * 2] * 2 + [stiffness.perspective * size / stiffness.over] * 2
    )
    free = allowed > 0
    if len(target) < LEAST_EQUATIONS:
        return homography
    solution = np.zeros(8)
    solution[free] = robust(rows[:, free], target, base, allowed[free], size)
    a0, a1, a2, b0, b1, b2, g, h = solution
    bend = np.array([[1 + a1, a2, a0], [b1, 1 + b2, b0], [-g, -h, 1.0]])
    normal = np.array([[1 / size, 0, -centre[0] / size], [0, 1 / size, -centre[1] / size], [0, 0, 1.0]])
    page = np.linalg.inv(normal) @ bend @ normal
    result = homography @ np.linalg.inv(page)
    return np.asarray(result / result[2, 2], dtype=np.float64)


def _equations(
    homography: Matrix, pieces: LinePieces, probe: Probe, anchors: Anchors
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Design matrix, targets and base weights of all residuals, and the normalisation (centre, half size in mm)."""
    seen = probe.seen
    found = pieces.centre[seen].copy()
    across = pieces.across[seen]
    found[np.arange(len(found)), across] += probe.offset[seen]
    towards = -probe.offset[seen]
    base = np.ones(len(found))
    if len(anchors.page):
        at = project(np.asarray(np.linalg.inv(homography), dtype=np.float64), anchors.picture)
        found = np.concatenate([found, at, at])
        across = np.concatenate([across, np.zeros(len(at), np.intp), np.ones(len(at), np.intp)])
        towards = np.concatenate([towards, (anchors.page - at).T.ravel()])
        base = np.concatenate([base, np.full(2 * len(at), anchors.weight)])
    if not len(found):
        return np.zeros((0, 8)), np.zeros(0), np.zeros(0), np.zeros(2), 1.0
    centre = (found.min(axis=0) + found.max(axis=0)) / 2
    size = max(float(np.ptp(found, axis=0).max()) / 2, 1.0)
    u, v = ((found - centre) / size).T
    own = np.where(across == 0, u, v)
    zero, one = np.zeros_like(u), np.ones_like(u)
    x, y = across == 0, across == 1
    rows = np.stack(
        [*(np.where(x, t, zero) for t in (one, u, v)), *(np.where(y, t, zero) for t in (one, u, v)), own * u, own * v],
        axis=1,
    )
    return rows, towards / size, base, centre, size


def robust(rows: Floats, target: Floats, base: Floats, allowed: Floats, size: float) -> Floats:
    """The solution of rows @ x = target by reweighted ridge least squares, starting from the weights of an L1 fit.

    `base` weighs the rows, `allowed` holds the standard deviation of every unknown, `size` is the unit in mm.
    """
    solution: Floats = np.zeros(rows.shape[1])
    weight: Floats = base
    for turn in range(ROUNDS):
        residual = np.abs(target - rows @ solution)
        if turn:
            spread = max(1.4826 * float(np.median(residual)), LEAST_SPREAD / size)
            if turn < ROUNDS // 2:
                weight = base / np.maximum(residual / spread, 0.3)
            else:
                weight = base * np.clip(1 - (residual / (TUKEY * spread)) ** 2, 0, None) ** 2
        weighted = rows * weight[:, None]
        ridge = np.diag((LEAST_SPREAD / size / allowed) ** 2)
        solution = np.linalg.solve(rows.T @ weighted + ridge, weighted.T @ target)
    return solution

"""How a sheet that is not flat differs from a flat one: a smooth displacement over the page, in millimetres.

Curled paper and lenses bend a page by a millimetre or two, slowly. Each axis is a polynomial of third degree in the
page's coordinates, fitted to what was seen at the printed lines: x at vertical ones, y at horizontal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware.capture.fit import robust
from firmware.capture.rulings import Floats, LinePieces, Probe
from firmware.records import Matrix

DEGREE = 3
STIFF = 0.02
"""Standard deviation of a coefficient, as part of the page's half height: 3 mm on A4, 9 mm on the plano."""


@dataclass(frozen=True, slots=True)
class Curl:
    """Displacement of page points; `size` is half of the page's height in mm."""

    coefficients: Floats
    """(2, number of terms), in units of `size`."""
    size: float

    @staticmethod
    def flat(size: float) -> Curl:
        """No displacement."""
        return Curl(np.zeros((2, (DEGREE + 1) * (DEGREE + 2) // 2)), size)

    def move(self, points: Floats) -> Floats:
        """Page points (..., 2), mm, to where they are on the curled sheet."""
        return np.asarray(points + _terms(points, self.size) @ self.coefficients.T * self.size)

    def bend(self, pieces: LinePieces) -> LinePieces:
        """The pieces of line where the curled sheet has them."""
        return LinePieces(self.move(pieces.centre), pieces.across, pieces.length, pieces.width)

    def towards(self, pieces: LinePieces, seen: Probe) -> Curl:
        """The curl that also explains what was seen at the pieces (of the flat page) that `bend` had moved."""
        terms = _terms(pieces.centre, self.size)
        allowed = np.full(terms.shape[1], STIFF)
        coefficients = self.coefficients.copy()
        for axis in (0, 1):
            chosen = seen.seen & (pieces.across == axis)
            if np.count_nonzero(chosen) > terms.shape[1]:
                base = np.ones(np.count_nonzero(chosen))
                target = seen.offset[chosen] / self.size
                coefficients[axis] += robust(terms[chosen], target, base, allowed, self.size)
        return Curl(coefficients, self.size)

    def local(self, homography: Matrix, area: Floats) -> Matrix:
        """The homography that fits best around the points `area` (n, 2): the curl's affine part there is put in."""
        flat = np.column_stack([area, np.ones(len(area))])
        affine, *_ = np.linalg.lstsq(flat, self.move(area), rcond=None)
        return np.asarray(homography @ np.vstack([affine.T, (0.0, 0.0, 1.0)]), dtype=np.float64)


def _terms(points: Floats, size: float) -> Floats:
    u, v = points[..., 0] / size - 0.7, points[..., 1] / size - 1.0
    return np.stack([u**i * v**j for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)], axis=-1)

"""Cuts the tally grids with their row sums out of a picture whose page is registered."""

from __future__ import annotations

from firmware.capture.cells import sample
from firmware.forms.layout import Field, Rect
from firmware.records import TALLY_MARGIN_MM, TALLY_PIXELS_PER_MM, Gray, Matrix, TallyPicture


def cut_tally(gray: Gray, field: Field, homography: Matrix) -> TallyPicture:
    """The tally grid of a field that has one; `homography` maps page mm to pixels of `gray`."""
    assert field.tally is not None
    area, sums = field.tally.area, field.tally.sums
    margin = TALLY_MARGIN_MM
    top, bottom = min(area.y, sums.y), max(area.y + area.h, sums.y + sums.h)
    left, right = min(area.x, sums.x), max(area.x + area.w, sums.x + sums.w)
    shown = Rect(left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin)
    width, height = (round(side * TALLY_PIXELS_PER_MM) for side in (shown.w, shown.h))
    return TallyPicture(field.id, sample(gray, homography, shown, width, height))

"""Frame -> Page: the room's front door."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware.capture.cells import cut_bubbles, cut_cells, cut_strip
from firmware.capture.picture import Photograph, decode_page
from firmware.capture.search import Located, find_page
from firmware.capture.tallies import cut_tally
from firmware.forms.layout import FormLayout
from firmware.records import Frame, Page, PageRefusal, RefusedPage

LEAST_SHARPNESS = 0.3
"""Median sharpness of the cells below which digits can no longer be told apart."""


def take_page(frame: Frame, layouts: Sequence[FormLayout]) -> Page | RefusedPage:
    """The page that the frame shows, with its cells; or why it shows none."""
    picture = decode_page(frame)
    if isinstance(picture, RefusedPage):
        return picture
    found = find_page(picture.gray, layouts)
    if not isinstance(found, Located):
        return RefusedPage(frame, found.reason, {"support": round(found.support, 3)})
    page = _page(frame, picture, found)
    sharpness = float(np.median([cell.sharpness for cell in page.cells]))
    if sharpness < LEAST_SHARPNESS:
        return RefusedPage(frame, PageRefusal.BLURRED, {"sharpness": round(sharpness, 3)})
    return page


def _page(frame: Frame, picture: Photograph, found: Located) -> Page:
    layout = found.known.page
    at = [(field, found.placement.fields[field.id]) for field in layout.fields]
    return Page(
        form=found.known.form.id,
        number=layout.number,
        frame=frame,
        geometry=found.placement.geometry,
        cells=cut_cells(picture.gray, at),
        bubbles=tuple(column for field, homography in at for column in cut_bubbles(picture.gray, field, homography)),
        strips=tuple(cut_strip(picture, field, homography) for field, homography in at),
        tallies=tuple(
            cut_tally(picture.gray, field, found.placement.tallies[field.id]) for field in layout.fields if field.tally
        ),
    )

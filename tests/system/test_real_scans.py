"""Registration on the real C1 2019 scans: smeared barcodes, cut corners, low resolution, one upside down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.forms.loader import shipped_layouts
from firmware.records import Page
from tests.evaluation.datasets import DATA

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not DATA.is_dir(), reason="no real forms here; set C1KIOSK_DATA"),
]

SCANS = sorted((DATA / "forms" / "c1_2019").glob("*_page[12].*"))
MONITOR = sorted((DATA / "forms" / "chasil_2024").glob("monitor_photo_page?.jpg"))
MOST_RESIDUAL_MM = 0.1
LEAST_SUPPORT = 0.7
"""The signatures, a quarter of page 2's lines, are masked."""


def taken(path: Path) -> Page:
    page = take_page(frame_from_bytes(path.read_bytes(), path.name), tuple(shipped_layouts().values()))
    assert isinstance(page, Page), page.reason
    return page


@pytest.mark.parametrize("path", SCANS, ids=lambda path: path.stem)
def test_a_real_scan_is_not_recognised(path: Path) -> None:
    page = taken(path)
    assert (page.form, page.number) == ("c1-ppwp-2019", int(path.stem[-1]))
    assert page.geometry.residual_mm < MOST_RESIDUAL_MM
    assert page.geometry.support > LEAST_SUPPORT
    assert float(np.median([cell.sharpness for cell in page.cells])) > 0.8


@pytest.mark.parametrize("path", MONITOR, ids=lambda path: path.stem)
def test_a_form_is_photographed_from_the_side(path: Path) -> None:
    page = taken(path)
    assert (page.form, page.number) == ("c.hasil-ppwp-2024", int(path.stem[-1]))
    assert page.geometry.marks == ("TL", "TR", "BL", "BR")
    assert page.geometry.residual_mm < 0.4


def test_all_scans_are_there() -> None:
    assert len(SCANS) == 36
    assert len(MONITOR) == 3

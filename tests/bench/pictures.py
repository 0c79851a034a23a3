"""Makes the pictures that the benchmarks read: `python -m tests.bench.pictures FOLDER`, a process of its own.

One folder a set, named `<form>.<kind>`: forms rendered, filled and photographed by this repository with the 12
megapixels of a Camera Module 3, and real scans as JPEG where the data lies beside the repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2

from tests.simulators.paper.sets import paper_set

DATA = Path(os.environ.get("C1KIOSK_DATA", Path(__file__).parents[3] / "shared" / "data"))
FORMS = ("c.hasil-ppwp-2024", "c1-ppwp-2019")
PHOTOGRAPH_HEIGHT = 4000
"""3,000 x 4,000 pixels."""
SCANS = ("c1-ppwp-2019", "tps09_page?.png")
"""One real TPS of which both pages were scanned."""


def main(folder: Path) -> None:
    """Writes every set that can be made here."""
    for form in FORMS:
        made = paper_set(form, 1, "mild", height=PHOTOGRAPH_HEIGHT)
        _write(folder / f"{form}.rendered", {f"page{number}": data for number, data in made.pages.items()})
    form, names = SCANS
    scans = sorted((DATA / "forms" / "c1_2019").glob(names))
    if scans:
        _write(folder / f"{form}.scans", {path.stem: _jpeg(path) for path in scans})


def _jpeg(path: Path) -> bytes:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None, path
    return cv2.imencode(".jpg", picture)[1].tobytes()


def _write(folder: Path, pages: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in pages.items():
        (folder / f"{name}.jpg").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

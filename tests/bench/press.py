"""From the press to the page's numbers, stage by stage: `python -m tests.bench.press PICTURE`, printed as JSON.

The camera is the simulator in its own process, which takes no time for the exposure: what stands under "burst" is the
look at its frames, and under "transfer" what the kiosk's own process spends to ask for them, to copy them out of the
shared memory and to hash them. Everything else is the station's way: the sharpest frame is chosen, and read. Ratios to
decoding the picture in the same run, in processor time of one thread, which other work on the machine hardly moves.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import cv2

from firmware import reading
from firmware.capture import burst
from firmware.capture.camera import CameraFault
from firmware.capture.camera_process import ProcessCamera
from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.loader import shipped_layouts
from firmware.records import Frame, Page
from tests.bench.measure import REPEATS, STAGES, Stage, Stopwatch, best_of, decode_all
from tests.simulators.camera import Desk, SimulatedCamera, command

CHOOSE: Stage = ("choose", burst, "_sharpest_first")


def _shot(desk: Desk) -> tuple[tuple[Frame, ...], float, float]:
    """One burst through the camera's process; seconds of the burst, seconds of its way out."""
    driver, camera = SimulatedCamera(desk, 0), ProcessCamera(command(desk, 0))
    try:
        shots = camera.capture()
        assert not isinstance(shots, CameraFault), shots
        return shots, best_of(driver.capture), best_of(camera.capture)
    finally:
        camera.close()


def _read(shots: tuple[Frame, ...], model: DigitModel) -> None:
    layouts = shipped_layouts()
    page = burst.choose(shots, partial(take_page, layouts=tuple(layouts.values()))).outcome
    assert isinstance(page, Page), page
    reading.read_pages([page], layouts[page.form], model)


def measure(data: bytes) -> dict[str, float]:
    """Every stage in the order of its happening, as a multiple of decoding `data`."""
    model = DigitModel.load(reading.MODELS)
    with tempfile.TemporaryDirectory() as folder:
        shots, taken, across = _shot(Desk.lay_out(Path(folder) / "desk", [("page.jpg", data)]))
    runs = []
    for _ in range(REPEATS):
        watch = Stopwatch()
        with watch.watching((CHOOSE, *STAGES)):
            _read(shots, model)
        runs.append(watch.seconds)
    unit = best_of(partial(decode_all, [frame_from_bytes(data, "page")]))
    stages = {stage: min(run[stage] for run in runs) for stage, *_ in (CHOOSE, *STAGES)}
    return {name: seconds / unit for name, seconds in {"burst": taken, "transfer": across, **stages}.items()}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    json.dump(measure(Path(sys.argv[1]).read_bytes()), sys.stdout)

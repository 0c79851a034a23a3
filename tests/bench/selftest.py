"""How long the self-test takes, check by check, with the demo's processes: its camera and printer, lent by its station.

    python -m tests.bench.selftest

Somebody puts the target and the printed strip under the camera at once, so what is measured is the machine's part. A
laptop is no Pi: board, installation and services are not there, and fail as fast as they can be looked for.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from firmware.selftest import report
from firmware.selftest.finding import Level
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.lent import LentDevices
from firmware.selftest.page import page
from firmware.selftest.plan import Wish, examine
from tests.readied import LENS_PIXELS, Obliging, photograph, target_sheet
from tests.simulators.camera import Desk
from tests.simulators.paper.sets import demo_set
from tests.simulators.room import Room

FORM = "c.hasil-ppwp-2024"
LOOK_SECONDS = 0.05


class Helper(Obliging):
    """Lays the target under the camera when it is asked for."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def tell(self, code: str, **values: str | int) -> None:
        if code == "lay-target":
            self._desk.put("extra-target.jpg")


@contextmanager
def strips_under_camera(receipts: Path, desk: Desk) -> Iterator[None]:
    """Whatever is printed is laid under the camera."""
    stop = threading.Event()

    def lay() -> None:
        seen: set[Path] = set()
        while not stop.wait(LOOK_SECONDS):
            for path in sorted(set(receipts.glob("*.png")) - seen):
                paper = cv2.imread(str(path))
                if paper is None:
                    continue  # it is being written
                seen.add(path)
                scale = LENS_PIXELS / 8
                small = cv2.resize(paper, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                lit = np.asarray(30 + small.astype(np.float32) * 0.75, np.uint8)
                (desk.folder / "strip.jpg").write_bytes(photograph(lit).data)
                desk.put("strip.jpg")

    thread = threading.Thread(target=lay)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(kiosk: Kiosk, wish: Wish) -> None:
    """Prints the seconds of every check, and their sum."""
    began: dict[str, float] = {}
    total = time.perf_counter()
    findings = []
    for finding in examine(kiosk, wish, lambda name: began.update({name: time.perf_counter()})):
        findings.append(finding)
        if finding.level is not Level.SKIPPED:
            took = time.perf_counter() - began[finding.name]
            print(f"  {finding.name:<12}{took:7.2f} s  {finding.level} {finding.code}")
    print(f"  {'whole':<12}{time.perf_counter() - total:7.2f} s\n")
    if not wish.quick:
        print(page(f"TPS {kiosk.config.tps.code}", findings, "id"))
        signed = report.signed(kiosk, findings)
        print(kiosk.devices.print(report.strip(kiosk, findings, signed)))


def main() -> None:
    """Quick, then full."""
    made = demo_set(FORM, 1)
    truth = {name: value for _, _, values in made for name, value in values.items()}
    with tempfile.TemporaryDirectory() as folder:
        stack = [(name, data) for name, data, _ in made]
        with Room(
            Path(folder) / "room", FORM, stack, truth, extra=[("target.jpg", photograph(target_sheet()).data)]
        ) as room:
            config = room.config
            kiosk = Kiosk(config, room.folder, LentDevices(config.station_socket), Helper(room.desk))
            with strips_under_camera(room.folder / "receipts", room.desk):
                for wish in (Wish(quick=True), Wish()):
                    print("quick" if wish.quick else "full")
                    measure(kiosk, wish)


if __name__ == "__main__":
    main()

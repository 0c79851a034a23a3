"""Before a day: the kiosk looks at itself. Every finding is shown, printed and kept; what is needed must hold.

Nothing is good by default: a part that does not answer is a finding that is not good.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware.capture.camera import Camera, CameraFault
from firmware.day.day import Checked, Moment
from firmware.errors import Refused
from firmware.ledger.store import Ledger
from firmware.receipt.printer import Printer

FREE_BYTES_LEAST = 2 * 1024**3
"""Space for the day: 20 pages, three pictures each of 12 MB, with everything else twice over."""
CAMERA_TRIES = 4
CAMERA_PAUSE_SECONDS = 1.0
"""A camera that was just switched on needs a moment for its first picture."""
SYNCHRONISED = "synchronised"


@dataclass(frozen=True, slots=True)
class SelfExamination:
    """What is looked at. `key` and `election` return what was seen, or raise Refused."""

    tps: str
    election: Callable[[], str]
    key: Callable[[], str]
    ledger: Ledger
    folder: Path
    """On the disk that must hold the day."""
    camera: Camera
    printer: Printer
    now: Callable[[], Moment]
    custody: Callable[[], Checked | None]
    """Through whose hands it came (custody.py); None: nothing to tell."""
    pause: Callable[[float], None] = time.sleep

    def __call__(self) -> tuple[Checked, ...]:
        """Every finding, in the order in which a person reads them."""
        return (
            Checked("tps", True, self.tps),
            _asked("election", self.election),
            _asked("key", self.key),
            _asked("ledger", self._ledger),
            self._space(),
            self._camera(),
            self._printer(),
            self._clock(),
            *filter(None, (self.custody(),)),
        )

    def _ledger(self) -> str:
        self.ledger.check()
        return str(len(self.ledger.record_hashes()))

    def _space(self) -> Checked:
        free = shutil.disk_usage(self.folder).free
        return Checked("space", free >= FREE_BYTES_LEAST, f"{free / 1024**3:.1f}", needed=False)

    def _camera(self) -> Checked:
        fault = None
        for _ in range(CAMERA_TRIES):
            seen = self.camera.preview()
            if not isinstance(seen, CameraFault):
                height, width = seen.bgr.shape[:2]
                return Checked("camera", True, f"{width} x {height}", needed=False)
            fault = seen
            self.pause(CAMERA_PAUSE_SECONDS)
        return Checked("camera", False, str(fault), needed=False)

    def _printer(self) -> Checked:
        status = self.printer.status()
        return Checked("printer", status.can_print, str(status), needed=False)

    def _clock(self) -> Checked:
        now = self.now()
        return Checked("clock", now.clock == SYNCHRONISED, str(now.unix), needed=False)


def _asked(name: str, look: Callable[[], str]) -> Checked:
    """Something without which no day can be opened."""
    try:
        return Checked(name, True, look())
    except Refused as refusal:
        return Checked(name, False, refusal.code)

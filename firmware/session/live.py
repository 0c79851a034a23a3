"""The camera between two presses: what it sees, what a person should do with the paper, and whether it is well.

One thing at a time asks the camera: a look that would have to wait for a picture being taken is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from firmware import delays
from firmware.capture.camera import Camera, CameraFault, Preview, sentence
from firmware.capture.guidance import Guidance, Wanted, guide
from firmware.forms.layout import FormLayout
from firmware.panel.pictures import live_jpeg
from firmware.panel.view import LiveView
from firmware.records import Frame

FAILURES_SHOWN = 2
"""Failed looks in a row from which on a person is told: the first one mends itself."""

_log = structlog.get_logger(__name__)


class Live:
    """The live view of one camera. Threads may share it."""

    def __init__(self, camera: Camera, layouts: Sequence[FormLayout], clock: Callable[[], float]) -> None:
        self._camera = camera
        self._layouts = layouts
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._guidance: Guidance | None = None
        self._number: int | None = None
        self._failed_looks = 0
        self._failed_captures = 0
        self._shown: tuple[LiveView | None, bytes | None] = None, None

    @property
    def view(self) -> LiveView | None:
        """What the screen shows; None before the first look."""
        return self._shown[0]

    @property
    def picture(self) -> bytes | None:
        """JPEG of the latest preview."""
        return self._shown[1]

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """One press. Waits for a look that is under way: no longer than a preview takes."""
        with self._one_at_a_time:
            shots = self._camera.capture()
            self._failed_captures = self._failed_captures + 1 if isinstance(shots, CameraFault) else 0
            self._forget()
        return shots

    def sentence(self, fault: CameraFault) -> str:
        """Key of the sentence for the fault of the last capture: from the second in a row on, about the cable."""
        return sentence(fault, self._failed_captures)

    def rest(self) -> None:
        """Nobody brings a page: nothing is shown, and what was good must be good anew."""
        with self._one_at_a_time:
            self._forget()

    def look(self, wanted: Wanted) -> float:
        """Looks once at what lies under the camera; gives the seconds until the next look.

        Whatever goes wrong here, the button still works.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            return delays.LOOK
        try:
            return self._look(wanted)
        except Exception:  # noqa: BLE001 - the live view is a help: without it, the screen says so and the day goes on
            _log.exception("live.broken")
            self._shown = LiveView(key="live.off"), None
            return delays.AILING
        finally:
            self._one_at_a_time.release()

    def _look(self, wanted: Wanted) -> float:
        preview = self._camera.preview()
        if isinstance(preview, CameraFault):
            return self._ail(preview)
        self._failed_looks = 0
        said = guide(preview.bgr, wanted, self._layouts, self._guidance, self._clock())
        same = preview.number == self._number
        self._guidance, self._number = said, preview.number
        picture = self.picture if same else live_jpeg(preview.bgr)
        self._shown = _view(preview, said), picture
        return delays.LOOK

    def _ail(self, fault: CameraFault) -> float:
        """No preview. The camera makes itself anew; only when that fails does a person have to do something."""
        self._failed_looks += 1
        self._guidance = self._number = None
        if self._failed_looks >= FAILURES_SHOWN:
            self._shown = LiveView(key=sentence(fault, self._failed_looks)), None
        return delays.AILING

    def _forget(self) -> None:
        self._guidance = self._number = None
        self._shown = None, None


def _view(preview: Preview, said: Guidance) -> LiveView:
    height, width = preview.bgr.shape[:2]
    return LiveView(
        key=said.key,
        values=dict(said.values),
        number=preview.number,
        width=width,
        height=height,
        page=said.page,
        outline=said.outline or (),
        good=said.good,
    )

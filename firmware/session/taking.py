"""Press -> Frame -> Page: what the camera gives for one press, kept on disk, and read."""

from __future__ import annotations

from firmware.capture.burst import choose
from firmware.events import Event, Journal
from firmware.parts import Parts
from firmware.records import Frame, Page, Press, RefusedPage


def best_page(shots: tuple[Frame, ...], press: Press, parts: Parts, journal: Journal) -> Page | RefusedPage:
    """The page of the best picture of a burst. Every picture is on disk before it is read."""

    def keep_and_recognise(frame: Frame) -> Page | RefusedPage:
        parts.ledger.keep_picture(frame.data)
        journal.write(Event.CAPTURED, sha256=frame.sha256, source=press.source)
        return parts.recognise(frame)

    return choose(shots, keep_and_recognise).outcome

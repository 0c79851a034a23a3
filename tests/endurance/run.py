"""Captures in a row through a camera's process, with faults drawn from a seed, and what the kiosk holds meanwhile."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware.capture.camera import CameraFault
from firmware.capture.camera_child import Patience
from firmware.capture.camera_process import ProcessCamera
from tests.simulators.camera import Desk, Trouble, command, patchwork

EXPOSURE_SECONDS = 0.005
PATIENCE = Patience(silence=1.0, preview=0.1, rest=0.0)
"""Shorter than the kiosk's: the faults are the same, and the run is over sooner."""
GOOD = "pictures"
SAMPLE_EVERY = 10
"""Captures."""
WARM_UP = 0.2
"""Part of the run after which the kiosk has loaded and cached whatever it ever will."""
GROWTH_BYTES = 4 * 1024**2
"""Between the end of the warm-up and the end. One burst of this run has 2 MB: two lost ones would show."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to the camera, how often, and how it may show."""

    share: float
    """Of all captures."""
    shows: frozenset[str]
    inflict: Callable[[Desk, ProcessCamera], None]


def _trouble(what: Trouble) -> Callable[[Desk, ProcessCamera], None]:
    return lambda desk, _camera: desk.trouble(what)


def _strike(blow: signal.Signals) -> Callable[[Desk, ProcessCamera], None]:
    def strike(_desk: Desk, camera: ProcessCamera) -> None:
        if camera.pid is not None:
            os.kill(camera.pid, blow)

    return strike


def _hang_in_preview(desk: Desk, camera: ProcessCamera) -> None:
    """The screen asks once, and the press comes while that hangs. A process that starts only now hangs later."""
    desk.trouble(Trouble.HANG_IN_PREVIEW)
    camera.preview()


FAULTS = {
    "hang": Fault(0.025, frozenset({CameraFault.HUNG}), _trouble(Trouble.HANG)),
    "hang in preview": Fault(0.01, frozenset({CameraFault.HUNG}), _hang_in_preview),
    "exit": Fault(0.02, frozenset({CameraFault.CRASHED}), _trouble(Trouble.EXIT)),
    "segfault": Fault(0.02, frozenset({CameraFault.CRASHED}), _trouble(Trouble.SEGFAULT)),
    "killed": Fault(0.02, frozenset({CameraFault.CRASHED, GOOD}), _strike(signal.SIGKILL)),
    "stopped": Fault(0.01, frozenset({CameraFault.HUNG}), _strike(signal.SIGSTOP)),
    "garbage": Fault(0.05, frozenset({CameraFault.GARBAGE}), _trouble(Trouble.GARBAGE)),
    "black": Fault(0.05, frozenset({CameraFault.BLACK}), _trouble(Trouble.BLACK)),
    "unplugged": Fault(0.05, frozenset({CameraFault.GONE}), _trouble(Trouble.UNPLUGGED)),
}
"""Struck while nobody asks, a process is replaced unseen, or just missed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the kiosk's process holds after so many captures."""

    captures: int
    seconds: float
    kiosk_bytes: int
    """Resident memory of its own, without what it shares with the camera."""
    camera_bytes: int
    """The same of the camera's process; 0 between two of them."""
    descriptors: int
    segments: int
    """Mappings of shared memory with a camera."""
    processes: int
    """Camera processes of this run, dying ones too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole run."""

    captures: int
    seed: int
    seconds: float
    shown: dict[str, dict[str, int]]
    """By fault, "none" among them: how often each answer came."""
    wrong: tuple[str, ...]
    """Answers that do not belong to their fault."""
    longest_seconds: float
    """The longest time that a capture took."""
    samples: tuple[Sample, ...]
    left: dict[str, int]
    """What is there after the end and was not before the start."""

    @property
    def faults(self) -> int:
        """How many were inflicted."""
        return sum(sum(row.values()) for name, row in self.shown.items() if name != "none")

    @property
    def growth_bytes(self) -> int:
        """How much the kiosk's memory grew after the warm-up: medians of the first and the last fifth from there."""
        kept = [sample.kiosk_bytes for sample in self.samples if sample.captures >= WARM_UP * self.captures]
        fifth = max(1, len(kept) // 5)
        return int(np.median(kept[-fifth:]) - np.median(kept[:fifth]))

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the run is not a good one; empty when it is."""
        found = list(self.wrong)
        found += [f"{count} {what} left" for what, count in self.left.items() if count]
        if self.growth_bytes > GROWTH_BYTES:
            found.append(f"memory grew by {self.growth_bytes} bytes")
        return tuple(found)


def endure(captures: int, seed: int, folder: Path, tell: Callable[[Sample], None]) -> Outcome:
    """So many captures over a desk in `folder`, which is made."""
    dice = random.Random(seed)
    before = _descriptors(), _segments()
    desk = Desk.lay_out(folder, [(f"{n}.jpg", patchwork(n, 1200, 900)) for n in (1, 2)])
    camera = ProcessCamera(command(desk, EXPOSURE_SECONDS), PATIENCE)
    began = time.monotonic()
    shown: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    samples: list[Sample] = []
    longest = 0.0
    for number in range(1, captures + 1):
        name = _drawn(dice)
        answer, seconds = _press(desk, camera, FAULTS.get(name), previews=dice.randrange(3))
        shown.setdefault(name, Counter())[answer] += 1
        longest = max(longest, seconds)
        if answer not in (FAULTS[name].shows if name in FAULTS else {GOOD}):
            wrong.append(f"capture {number}: {name} showed as {answer}")
        if number % SAMPLE_EVERY == 0:
            samples.append(_sample(number, time.monotonic() - began, camera.pid, folder))
            tell(samples[-1])
    camera.close()
    left = {
        "descriptors": _descriptors() - before[0],
        "segments": _segments() - before[1],
        "processes": len(_processes(folder)),
    }
    counted = {name: dict(counts) for name, counts in sorted(shown.items())}
    seconds = time.monotonic() - began
    return Outcome(captures, seed, seconds, counted, tuple(wrong), longest, tuple(samples), left)


def _drawn(dice: random.Random) -> str:
    """The name of a fault, or "none"."""
    shares = [fault.share for fault in FAULTS.values()]
    return dice.choices([*FAULTS, "none"], [*shares, 1 - sum(shares)])[0]


def _press(desk: Desk, camera: ProcessCamera, fault: Fault | None, previews: int) -> tuple[str, float]:
    """The answer to one capture and its seconds. The desk is in order afterwards."""
    for _ in range(previews):
        camera.preview()
    if fault is not None:
        fault.inflict(desk, camera)
    began = time.monotonic()
    shots = camera.capture()
    seconds = time.monotonic() - began
    desk.mend()
    desk.put_next()
    return (str(shots) if isinstance(shots, CameraFault) else GOOD), seconds


# --- what is held


def _sample(captures: int, seconds: float, pid: int | None, folder: Path) -> Sample:
    held = _descriptors(), _segments(), len(_processes(folder))
    return Sample(captures, seconds, _resident(os.getpid()), _resident(pid) if pid else 0, *held)


def _resident(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _segments() -> int:
    return Path("/proc/self/maps").read_text(encoding="utf-8").count("c1kiosk-camera")


def _processes(folder: Path) -> list[int]:
    """Camera processes over the desk in `folder`, by their command line; unburied ones too, which are our children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder).encode() in words or (not words and parent == str(os.getpid())):
            found.append(int(entry.name))
    return found

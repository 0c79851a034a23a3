"""What the checks look at: the kiosk with everything about it that may differ, so that a test can make it differ."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.config import KioskConfig
from firmware.selftest.devices import Devices
from firmware.selftest.finding import Outcome
from firmware.selftest.person import Person
from firmware.selftest.tree import Tree
from firmware.signing.service import system_clock
from firmware.signing.signer import ClockReading

TOOL_SECONDS = 20.0
"""Longest a tool of the system may take: on an SD card at its slowest, journalctl takes some seconds."""


class ToolFailed(Exception):
    """A tool of the system is not there, or ended with an error; the text names it."""


def run_tool(command: Sequence[str]) -> str:
    """The output of a tool of the system. Raises ToolFailed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as problem:
        raise ToolFailed(command[0]) from problem
    return done.stdout


def free_bytes(folder: Path) -> int:
    """What is free on the disk that holds `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One kiosk under examination."""

    config: KioskConfig
    folder: Path
    """Of kiosk.toml."""
    devices: Devices
    """Camera, printer, button and lamp: its own, or lent by the running station."""
    person: Person
    tree: Tree = Tree(Path("/"))  # noqa: RUF009 - frozen
    clock: Callable[[], ClockReading] = system_clock
    seconds: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    tool: Callable[[Sequence[str]], str] = run_tool
    free: Callable[[Path], int] = free_bytes


Check = Callable[[Kiosk], Outcome]
"""Looks at one thing. May raise Refused, OSError, Unknown or ToolFailed: then it has failed."""

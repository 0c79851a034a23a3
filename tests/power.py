"""Power cuts and failing disks, at any step of what a process does to its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

DISK_CALLS = ("open", "fsync", "link", "unlink", "rename", "close")
CUT = 9
"""Exit status of a process whose power was cut."""


def cut_after(step: int, stop: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    """Calls `stop` instead of the disk call number `step` from now on."""
    count = iter(range(1_000_000))
    for name in DISK_CALLS:
        real = getattr(os, name)

        def call(*args: Any, real: Any = real, **named: Any) -> Any:
            if next(count) == step:
                stop()
            return real(*args, **named)

        patch.setattr(os, name, call)


def completes(step: int, prepare: Callable[[], Callable[[], object]], patch: pytest.MonkeyPatch) -> bool:
    """Whether a child process comes to the end of what `prepare` returns, when its power goes at disk call `step`."""
    child = os.fork()
    if not child:
        work = prepare()
        cut_after(step, lambda: os._exit(CUT), patch)
        work()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, CUT)
    return status == 0

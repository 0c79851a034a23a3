"""Fuzzes the signer for a long time: its requests, its socket, and with atheris (when installed) guided by coverage.

    make fuzz [FOR=SECONDS]        an hour unless told; each of the three gets a third

Prints how much was tried and what was answered. Any crash, any 5xx, any signature of a malformed record ends it with a
traceback and the input.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

import structlog

from tests.fuzz.bodies import body
from tests.fuzz.target import Target
from tests.fuzz.wire import Wire, request

HOUR_S = 3600
MOST_GROWTH_KB = 64 * 1024
"""By which the process may grow after the first thousand requests."""
EVERY = 200
"""Requests on the wire between two looks at the process."""


def main() -> None:
    """Fuzz for as many seconds as the argument says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else HOUR_S
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    _requests(Random(seed), seconds / 3)
    _wire(Random(seed), seconds / 3)
    if importlib.util.find_spec("atheris"):
        subprocess.run([sys.executable, "-m", "tests.fuzz.guided", str(int(seconds / 3))], check=True)
    else:
        print("guided: no atheris here")


def _until(seconds: float) -> Iterator[int]:
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        yield number
    print(f"{number} executions")


def _requests(chance: Random, seconds: float) -> None:
    print("requests:")
    with TemporaryDirectory() as folder:
        target, before = Target(Path(folder)), 0
        for number in _until(seconds):
            target.ask(body(chance))
            if number == 1000:
                before = _peak()
        target.close()
        grown = _peak() - before
        print(dict(target.answers.most_common()), f"grown by {grown} kB")
        assert grown < MOST_GROWTH_KB


def _wire(chance: Random, seconds: float) -> None:
    print("socket:")
    with TemporaryDirectory() as folder, Wire(Path(folder)) as wire:
        for number in _until(seconds):
            wire.send(request(chance))
            if number % EVERY == 0:
                wire.check()
        print(dict(wire.statuses.most_common()), f"peak {wire.check()} kB")


def _peak() -> int:
    """The most memory this process ever held, kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()

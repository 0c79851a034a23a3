"""Coverage-guided: atheris changes drafts bit by bit and keeps what reaches new code of the signer.

    python -m tests.fuzz.guided SECONDS

Prints libFuzzer's statistics at the end; a crash or a wrong signature ends it with status 77 and the input in a file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import atheris
import structlog

with atheris.instrument_imports(include=["firmware.signing"]):
    from tests.fuzz import bodies
    from tests.fuzz.target import Target

SEEDS = 200
"""Drafts, whole and wounded, that it starts from."""


def main() -> None:
    """Fuzz for as many seconds as the argument says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with TemporaryDirectory() as corpus, TemporaryDirectory(dir="/dev/shm") as state:
        chance = Random(0)
        for number in range(SEEDS):
            (Path(corpus) / str(number)).write_bytes(bodies.body(chance))
        target = Target(Path(state))
        limit = f"-max_len={4 * bodies.MAX_BYTES}"
        options = [f"-max_total_time={sys.argv[1]}", limit, "-rss_limit_mb=1024", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, corpus], target.ask)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

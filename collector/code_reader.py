"""Reads a receipt's code out of a stranger's picture, in a process of its own that is killed when it takes too much.

Picture decoders are where a hostile file does harm: in the collector's process it could take the collector's memory, or
its key. The child gets the picture on its standard input and no open file, no environment, no file that it may write,
no process that it may start; memory and processor time are limited. It answers with one line of JSON. It runs as the
collector's user all the same: who breaks a decoder may read what that user may read.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from collector.submission import CollectorRefused

PICTURE_BYTES_MAX = 15_000_000
"""A phone's photograph of 12 megapixels has 3 to 8 MB."""
MEMORY_BYTES = 3 * 1024**3
"""Of address space: the largest picture takes 0.7 GB, the libraries reserve what they never use."""
PROCESSOR_SECONDS = 20
"""A photograph in which a code is found takes 1 s, one without, looked at in every way, 10 s."""
WALL_SECONDS = 60.0
_PROJECT = Path(__file__).parent.parent
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(_PROJECT)}


def read_picture(data: bytes) -> str:
    """The text of the one code in a JPEG, PNG or WebP. Raises CollectorRefused (`picture-...`, `receipt-...`)."""
    if len(data) > PICTURE_BYTES_MAX:
        raise CollectorRefused("receipt-picture-size", bytes=len(data), most=PICTURE_BYTES_MAX)
    try:
        done = subprocess.run(  # noqa: S603 - this module, by our own interpreter
            [sys.executable, "-m", __name__],
            input=data,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CollectorRefused("receipt-picture-given-up") from error
    if done.returncode != 0:
        raise CollectorRefused("receipt-picture-given-up")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "code" in answer:
        raise CollectorRefused(answer["code"], **answer["details"])
    return str(answer["text"])


def _child() -> None:
    from firmware.errors import Refused
    from firmware.signing.receipt_picture import read_code

    data = sys.stdin.buffer.read(PICTURE_BYTES_MAX + 1)
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    try:
        answer: dict[str, Any] = {"text": read_code(data)}
    except Refused as refusal:
        answer = {"code": refusal.code, "details": {name: str(value) for name, value in refusal.details.items()}}
    os.write(1, json.dumps(answer).encode())  # a pipe: no limit on files holds it up
    os._exit(0)


if __name__ == "__main__":
    _child()

"""The training key: a plain file whose subject, extension and every record say TRAINING (plain_key.py).

KPPS learn with it on the devices they will use. It is made only by the driver name `training-file`, signs records of
the world `training` and nothing else, and no collector of a real election takes those.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from firmware.records import Mode
from firmware.signing.plain_key import PlainKey, now


class TrainingKey(PlainKey):
    """For courses and rehearsals."""

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], datetime] = now) -> Self:
        """The key in `folder`, made when there is none. Raises SignerRefused (`key-...`)."""
        return cls.of_world(folder, Mode.TRAINING, clock)

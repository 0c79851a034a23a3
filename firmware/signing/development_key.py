"""The development key: a plain file whose subject, extension and every record say DEVELOPMENT (plain_key.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from firmware.records import Mode
from firmware.signing.plain_key import PlainKey, now


class DevelopmentKey(PlainKey):
    """For demonstrations and tests."""

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], datetime] = now) -> Self:
        """The key in `folder`, made when there is none. Raises SignerRefused (`key-...`)."""
        return cls.of_world(folder, Mode.DEVELOPMENT, clock)

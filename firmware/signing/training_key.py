"""The training key: a plain file whose subject, extension and every record say TRAINING (plain_key.py).

KPPS learn with it on the devices they will use. It is made only by the driver name `training-file`, signs records of
the world `training` and nothing else, and no collector of a real election takes those. On first run it has a
certificate of its own authority, which a verifier believes only when told to. In a training election with a root of
its own the device is enrolled like any other (enrolment.py); the issued certificate then takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import SignerRefused
from firmware.records import Mode
from firmware.signing import enrolment
from firmware.signing.keys import Protection, check_own
from firmware.signing.plain_key import PlainKey, now


class TrainingKey(PlainKey):
    """For courses and rehearsals."""

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], datetime] = now) -> Self:
        """The key in `folder`, made when there is none.

        Raises SignerRefused (`key-...`) or VerificationRefused (`certificate-...`).
        """
        made = cls.of_world(folder, Mode.TRAINING, clock)
        if not (folder / enrolment.ISSUED_NAME).exists():
            return made
        issued = enrolment.load(folder)
        device = check_own(issued.certificate, made.file.private_key.public_key(), Protection.PLAIN_FILE)
        if device.claims.world is not Mode.TRAINING:
            raise SignerRefused("key-world", world=str(device.claims.world), mode=str(Mode.TRAINING))
        file = replace(made.file, certificate=issued.certificate.public_bytes(Encoding.DER))
        return replace(made, file=file, authority=issued.authority)

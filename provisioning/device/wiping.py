"""Wiping a device's keys: what is gone for sure, and what only probably.

A key in a TPM is evicted: it was never anywhere else. A key in a file is overwritten, removed, and the card is told
which cells are free (fstrim); flash keeps older copies of overwritten cells until its controller reuses them, and only
the controller knows when. So a device whose key was a file is revoked in the next edition of the definition, and its
card is destroyed when that matters.
"""

from __future__ import annotations

import os
from pathlib import Path

from firmware.config import KeyDriver, load_config
from firmware.signing import durable
from firmware.signing.key_file import KEY_NAME
from provisioning.batch.words import Evidence, Wiped
from provisioning.device.found import check_free, look
from provisioning.device.ground import CREDENTIAL, PIN, TLS_KEYS, Ground, systemd


def wipe(ground: Ground, evidence: Evidence) -> Wiped:
    """Destroys every key and the PIN, when the ledger holds what was exported and no more. Raises Refused."""
    serial = look(ground).serial
    check_free(ground, serial, evidence)
    systemd("stop")
    check_free(ground, serial, evidence)
    destroyed = _evict(ground)
    secrets = [
        ground.etc / CREDENTIAL,
        ground.etc / PIN,
        ground.key / KEY_NAME,
        *(ground.etc / "tls" / name / KEY_NAME for name in TLS_KEYS),
    ]
    overwritten = [path for path in secrets if path.exists()]
    for path in overwritten:
        _overwrite(path)
    return Wiped(tuple(destroyed), tuple(map(str, overwritten)), ground.trim(ground.state))


def _evict(ground: Ground) -> list[str]:
    config = ground.etc / "kiosk.toml"
    if not config.exists():
        return []
    key = load_config(config).file.key
    if key.driver is not KeyDriver.TPM:
        return []
    from firmware.signing import tpm_key

    return list(tpm_key.destroy(key.tcti))


def _overwrite(path: Path) -> None:
    path.chmod(0o600)  # a key is made for reading only
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    durable.sync_folder(path.parent)

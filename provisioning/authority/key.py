"""Where the key of an authority is, and how it is reached: an encrypted file, a TPM, or a PKCS#11 token.

    file      key.pem in the folder, encrypted under the passphrase (PKCS#8); whoever copies it can guess at leisure
    tpm       in the TPM of the office's machine, under the passphrase; it dies with that machine
    pkcs11    in a token, under its PIN; it is as safe as the token, and backed up as its maker says

For the last two the folder holds `key.json`, which tells the way to the key and nothing secret.
Refusals: `authority-unreadable`, `authority-passphrase`, and what TPM and token say (`key-tpm`, `key-pkcs11`).
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.signing import durable
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.key_file import KEY_NAME
from provisioning.authority.issuing import ProvisioningRefused, new_key

WAY_NAME = "key.json"
MIN_PASSPHRASE = 12
"""Characters of a file's: it may be copied, and is then guessed at leisure. TPM and token count the tries."""
MIN_PIN = 6


class Kind(StrEnum):
    """Where a key is."""

    FILE = "file"
    TPM = "tpm"
    PKCS11 = "pkcs11"


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach a key; `handle` and `label` are given when it is made."""

    kind: Kind
    tcti: str = ""
    handle: int = 0
    module: str = ""
    token: str = ""
    label: str = ""


FILE = Way(Kind.FILE)


def least(way: Way) -> int:
    """Characters that a new passphrase has at least."""
    return MIN_PASSPHRASE if way.kind is Kind.FILE else MIN_PIN


def make(way: Way, passphrase: bytes) -> tuple[Way, ec.EllipticCurvePrivateKey]:
    """A new key, and the whole way to it. Raises Refused."""
    if len(passphrase) < least(way):
        raise ProvisioningRefused("authority-passphrase", least=least(way))
    match way.kind:
        case Kind.FILE:
            return way, new_key()
        case Kind.TPM:
            from firmware.signing.tpm_key import AuthorityTpmKey

            inside = AuthorityTpmKey.make(way.tcti, passphrase)
            return msgspec.structs.replace(way, handle=inside.handle), KeyElsewhere(inside)
        case Kind.PKCS11:
            from provisioning.authority.pkcs11_key import Pkcs11Key

            label = f"c1-{secrets.token_hex(4)}"
            return msgspec.structs.replace(way, label=label), KeyElsewhere(
                Pkcs11Key.make(way.module, way.token, label, passphrase)
            )
        case never:
            assert_never(never)


def is_kept(folder: Path) -> bool:
    """Whether a key, or the way to one, is in the folder."""
    return (folder / KEY_NAME).exists() or (folder / WAY_NAME).exists()


def keep(folder: Path, way: Way, key: ec.EllipticCurvePrivateKey, passphrase: bytes) -> None:
    """Writes the key, or the way to it, into a folder that has none: whole or not at all."""
    if way.kind is Kind.FILE:
        encryption = serialization.BestAvailableEncryption(passphrase)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        durable.create(folder / KEY_NAME, key.private_bytes(pem, pkcs8, encryption))
    else:
        durable.create(folder / WAY_NAME, msgspec.json.format(msgspec.json.encode(way), indent=1) + b"\n")


def load(folder: Path, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    """The key of the authority in `folder`. Raises Refused."""
    try:
        if not (folder / WAY_NAME).exists():
            key = serialization.load_pem_private_key((folder / KEY_NAME).read_bytes(), passphrase)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key
            raise ProvisioningRefused("authority-unreadable", folder=str(folder))
        way = msgspec.json.decode((folder / WAY_NAME).read_bytes(), type=Way)
    except (OSError, ValueError, TypeError) as error:
        raise ProvisioningRefused("authority-unreadable", folder=str(folder)) from error
    return _reach(way, passphrase)


def _reach(way: Way, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    if way.kind is Kind.TPM:
        from firmware.signing.tpm_key import AuthorityTpmKey

        return KeyElsewhere(AuthorityTpmKey.open(way.tcti, way.handle, passphrase))
    from provisioning.authority.pkcs11_key import Pkcs11Key

    return KeyElsewhere(Pkcs11Key.open(way.module, way.token, way.label, passphrase))

"""A device key inside a TPM 2.0, and the counter that makes a restored copy of the signer's memory visible.

**Key**: P-256, made inside the TPM (sensitiveDataOrigin), bound to it (fixedTPM, fixedParent), signs ECDSA over
SHA-256 and nothing else (no decrypt, not restricted, so that it signs digests of our messages). It lies at the
persistent handle KEY_HANDLE under the owner hierarchy; 32 random bytes in its template make every new key another
one. Nobody can copy it, the TPM's maker and a laboratory set aside; whoever runs as the signer, or as root, can use
it while the device is on.

**Counter**: an NV index of type counter only ever goes up, also when it is deleted and defined again. It goes up once
for each record. Where it stood when the key was made is kept in a second NV index, written once and locked, so that
an old memory cannot be made to look right by editing a file.

**Authorities** (the office, not a kiosk) have keys of the same kind at other handles, AUTHORITY_HANDLES, each under a
password of its own; wrong ones count in the TPM's dictionary-attack lockout.

**No password** on a kiosk: it would lie on the same card as the program that has to know it. Who may open the TPM's
device node is the boundary: on the kiosk the signer's user alone. The indices take no part in the TPM's
dictionary-attack lockout.

Every operation opens the TPM anew (`tcti`: "device:/dev/tpmrm0" on a Pi): a TPM or resource manager that was away is
found again by asking again. Behind a TPM without resource manager nothing is left loaded: a persistent key takes no
slot, and the one transient object, while a key is made, is flushed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import tpm2_pytss as tss
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from firmware.errors import SignerRefused
from firmware.signing.enrolment import Enrolled
from firmware.signing.keys import Protection, check_own

KEY_HANDLE = 0x8100C100
"""In the owner's range of persistent handles (0x81000000 to 0x817FFFFF)."""
COUNTER_INDEX = 0x0180C100
BASE_INDEX = 0x0180C101
"""In the owner's range of NV indices (0x01800000 to 0x01BFFFFF)."""

AUTHORITY_HANDLES = range(0x8100C110, 0x8100C120)
"""Where keys of authorities lie."""

_HALF = 32
_COUNTER_BYTES = 8
_KEY_ATTRIBUTES = (
    tss.TPMA_OBJECT.FIXEDTPM
    | tss.TPMA_OBJECT.FIXEDPARENT
    | tss.TPMA_OBJECT.SENSITIVEDATAORIGIN
    | tss.TPMA_OBJECT.USERWITHAUTH
    | tss.TPMA_OBJECT.NODA
    | tss.TPMA_OBJECT.SIGN_ENCRYPT
)
_AUTHORITY_ATTRIBUTES = _KEY_ATTRIBUTES & ~tss.TPMA_OBJECT.NODA
_NV_ATTRIBUTES = tss.TPMA_NV.AUTHREAD | tss.TPMA_NV.AUTHWRITE | tss.TPMA_NV.NO_DA
_NO_CHECK = {"tag": tss.TPM2_ST.HASHCHECK, "hierarchy": tss.TPM2_RH.NULL}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TpmKey:
    """A DeviceKey in a TPM."""

    tcti: str
    certificate: bytes
    """The device certificate, DER."""
    authority: bytes
    """Certificate of the issuer, DER."""

    @classmethod
    def open(cls, tcti: str, enrolled: Enrolled) -> Self:
        """The key at KEY_HANDLE with what was installed for it.

        Raises SignerRefused (`key-...`) or VerificationRefused (`certificate-...`).
        """
        check_own(enrolled.certificate, _use(tcti, _public_key), Protection.TPM)
        return cls(tcti, enrolled.certificate.public_bytes(Encoding.DER), enrolled.authority)

    @property
    def protection(self) -> Protection:
        """It cannot be copied."""
        return Protection.TPM

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes, s in any half. Raises SignerRefused("key-tpm")."""
        return _use(self.tcti, lambda tpm: _sign(tpm, message))


@dataclass(frozen=True, slots=True)
class NewTpmKey:
    """A key that was just made and has no certificate yet."""

    tcti: str
    public_key: ec.EllipticCurvePublicKey

    def sign(self, message: bytes) -> bytes:
        """As TpmKey."""
        return _use(self.tcti, lambda tpm: _sign(tpm, message))


@dataclass(frozen=True, slots=True)
class TpmCounter:
    """Records sealed since the key was made, as the TPM counts them."""

    tcti: str

    def value(self) -> int:
        """How many. Raises SignerRefused("key-tpm")."""
        return _use(self.tcti, lambda tpm: _read(tpm, COUNTER_INDEX) - _read(tpm, BASE_INDEX))

    def advance(self) -> None:
        """One more; it has happened when this returns. Raises SignerRefused("key-tpm")."""
        _use(self.tcti, lambda tpm: tpm.nv_increment(_at(tpm, COUNTER_INDEX)))


def make(tcti: str, *, replace: bool = False) -> NewTpmKey:
    """A new key and its counter. Raises SignerRefused, "key-exists" unless the one that is there may be destroyed."""
    return NewTpmKey(tcti, _use(tcti, lambda tpm: _make(tpm, replace)))


def destroy(tcti: str) -> tuple[str, ...]:
    """Removes the key, its counter and where that stood; returns what was there. Raises SignerRefused("key-tpm")."""
    return _use(tcti, _destroy)


def _destroy(tpm: tss.ESAPI) -> tuple[str, ...]:
    gone = []
    if (key := _find(tpm, KEY_HANDLE)) is not None:
        tpm.evict_control(tss.ESYS_TR.OWNER, key, KEY_HANDLE)
        gone.append(f"TPM 0x{KEY_HANDLE:08x}")
    for index in (COUNTER_INDEX, BASE_INDEX):
        if (place := _find(tpm, index)) is not None:
            tpm.nv_undefine_space(place)
            gone.append(f"TPM 0x{index:08x}")
    return tuple(gone)


@dataclass(frozen=True, slots=True)
class AuthorityTpmKey:
    """The key of an authority in the office's TPM."""

    tcti: str
    handle: int
    password: bytes
    public_key: ec.EllipticCurvePublicKey

    @classmethod
    def make(cls, tcti: str, password: bytes) -> Self:
        """A new key at the first handle that is free. Raises SignerRefused (`key-...`)."""
        handle, public_key = _use(tcti, lambda tpm: _make_authority(tpm, password))
        return cls(tcti, handle, password, public_key)

    @classmethod
    def open(cls, tcti: str, handle: int, password: bytes) -> Self:
        """The key at a handle; the password is tried when it signs. Raises SignerRefused("key-tpm")."""
        public_key = _use(tcti, lambda tpm: _public_key(tpm, handle, _AUTHORITY_ATTRIBUTES))
        return cls(tcti, handle, password, public_key)

    def sign(self, message: bytes) -> bytes:
        """As TpmKey."""
        return _use(self.tcti, lambda tpm: _sign(tpm, message, self.handle, self.password))


def _make_authority(tpm: tss.ESAPI, password: bytes) -> tuple[int, ec.EllipticCurvePublicKey]:
    at = next((handle for handle in AUTHORITY_HANDLES if _find(tpm, handle) is None), None)
    if at is None:
        raise SignerRefused("key-tpm", problem=f"{len(AUTHORITY_HANDLES)} keys of authorities are in it")
    secret = tss.TPM2B_SENSITIVE_CREATE(tss.TPMS_SENSITIVE_CREATE(userAuth=tss.TPM2B_AUTH(password)))
    handle, _public, *_ = tpm.create_primary(secret, _template(_AUTHORITY_ATTRIBUTES), tss.ESYS_TR.OWNER)
    try:
        tpm.evict_control(tss.ESYS_TR.OWNER, handle, at)
    finally:
        tpm.flush_context(handle)
    return at, _public_key(tpm, at, _AUTHORITY_ATTRIBUTES)


def _make(tpm: tss.ESAPI, replace: bool) -> ec.EllipticCurvePublicKey:
    if (old := _find(tpm, KEY_HANDLE)) is not None:
        if not replace:
            raise SignerRefused("key-exists", file=f"TPM 0x{KEY_HANDLE:08x}")
        tpm.evict_control(tss.ESYS_TR.OWNER, old, KEY_HANDLE)
    _make_counter(tpm)
    handle, _public, *_ = tpm.create_primary(None, _template(), tss.ESYS_TR.OWNER)
    try:
        tpm.evict_control(tss.ESYS_TR.OWNER, handle, KEY_HANDLE)
    finally:
        tpm.flush_context(handle)
    return _public_key(tpm)


def _make_counter(tpm: tss.ESAPI) -> None:
    """Before the key: a power cut in between leaves no key, and the next try begins again."""
    for index in (COUNTER_INDEX, BASE_INDEX):
        if (old := _find(tpm, index)) is not None:
            tpm.nv_undefine_space(old)
    counter = _define(tpm, COUNTER_INDEX, tss.TPM2_NT.COUNTER << tss.TPMA_NV.TPM2_NT_SHIFT)
    tpm.nv_increment(counter)
    base = _define(tpm, BASE_INDEX, tss.TPMA_NV.WRITEDEFINE)
    tpm.nv_write(base, bytes(tpm.nv_read(counter, _COUNTER_BYTES)))
    tpm.nv_write_lock(base)


def _define(tpm: tss.ESAPI, index: int, attributes: int) -> tss.ESYS_TR:
    public = tss.TPMS_NV_PUBLIC(
        nvIndex=index, nameAlg=tss.TPM2_ALG.SHA256, attributes=_NV_ATTRIBUTES | attributes, dataSize=_COUNTER_BYTES
    )
    return tpm.nv_define_space(b"", tss.TPM2B_NV_PUBLIC(public))


def _template(attributes: int = _KEY_ATTRIBUTES) -> tss.TPM2B_PUBLIC:
    public = tss.TPMT_PUBLIC.parse("ecc256:ecdsa-sha256", objectAttributes=attributes)
    public.unique.ecc.x.buffer = os.urandom(_HALF)
    return tss.TPM2B_PUBLIC(public)


def _public_key(tpm: tss.ESAPI, at: int = KEY_HANDLE, attributes: int = _KEY_ATTRIBUTES) -> ec.EllipticCurvePublicKey:
    """The public half, when the key is as this module makes it. Raises SignerRefused("key-tpm")."""
    if (handle := _find(tpm, at)) is None:
        raise SignerRefused("key-tpm", problem="no key")
    public = tpm.read_public(handle)[0]
    key = load_pem_public_key(public.to_pem())
    if public.publicArea.objectAttributes != attributes or not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignerRefused("key-tpm", problem="a key of another kind")
    return key


def _sign(tpm: tss.ESAPI, message: bytes, at: int = KEY_HANDLE, password: bytes = b"") -> bytes:
    key = _at(tpm, at)
    if password:
        tpm.tr_set_auth(key, password)
    digest = tss.TPM2B_DIGEST(hashlib.sha256(message).digest())
    scheme = tss.TPMT_SIG_SCHEME(scheme=tss.TPM2_ALG.NULL)
    # The parts point into the signature's memory: it must live as long as they are looked at.
    signature = tpm.sign(key, digest, scheme, tss.TPMT_TK_HASHCHECK(**_NO_CHECK))
    parts = signature.signature.ecdsa
    return b"".join(bytes(part.buffer).rjust(_HALF, b"\0") for part in (parts.signatureR, parts.signatureS))


def _read(tpm: tss.ESAPI, index: int) -> int:
    return int.from_bytes(bytes(tpm.nv_read(_at(tpm, index), _COUNTER_BYTES)))


def _at(tpm: tss.ESAPI, handle: int) -> tss.ESYS_TR:
    return tpm.tr_from_tpmpublic(tss.TPM2_HANDLE(handle))


def _find(tpm: tss.ESAPI, handle: int) -> tss.ESYS_TR | None:
    """What lies at a persistent handle or NV index, None when nothing does."""
    _more, found = tpm.get_capability(tss.TPM2_CAP.HANDLES, handle, 1)
    return _at(tpm, handle) if handle in list(found.data.handles) else None


def _use(tcti: str, work: Callable[[tss.ESAPI], T]) -> T:
    """The result of `work` with an open TPM; whatever the TPM or the way to it says is SignerRefused("key-tpm")."""
    try:
        with tss.ESAPI(tcti) as tpm:
            return work(tpm)
    except tss.TSS2_Exception as error:
        raise SignerRefused("key-tpm", problem=str(error)) from error

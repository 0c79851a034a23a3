"""What the vectors are made of: fixed keys, a small form, an election, and a draft. Nothing here is secret."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

from firmware.forms.layout import FormLayout
from firmware.forms.loader import load_layout
from firmware.records import Mode
from firmware.signing import audit
from firmware.signing.authorities import Purpose, Scope
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.cose import GROUP_ORDER
from firmware.signing.handover import HandOver, Party, party_of
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection, claims_extension, key_id
from firmware.signing.officers import Role, officer_of, role_extension
from firmware.signing.signer import ClockQuality, ClockReading

FOLDER = Path(__file__).parent
_EVENT = ("2024-02-14T19:29:00+00:00", '{"event": "station.started"}')
JOURNAL_HEAD = audit.digest(audit.START, *_EVENT)
JOURNAL = audit.line(*_EVENT, JOURNAL_HEAD)
"""An audit journal of one event."""
MADE = datetime(2024, 2, 1, tzinfo=UTC)
SEALED_AT = int(datetime(2024, 2, 14, 19, 30, tzinfo=UTC).timestamp())
ORGANISATION = "DEVELOPMENT, test vectors"
TPS = "3273010001007"
ELECTION_ID = "vectors"
EARLIER = hashlib.sha256(b"the first edition").digest()
"""Name of the definition that this one replaces."""


def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key that everybody can make: SHA-256 of its name."""
    number = int.from_bytes(hashlib.sha256(f"c1kiosk test vectors: {name}".encode()).digest())
    return ec.derive_private_key(number % (GROUP_ORDER - 1) + 1, ec.SECP256R1())


def _authority(name: str, scope: Scope, above: Issuer | None, number: int) -> Issuer:
    """A root, or what a root has issued."""
    key, full = private_key(name), subject(f"DEVELOPMENT {name}", ORGANISATION)
    signs = scope.purpose is not Purpose.ELECTION
    certificate = issue(
        full,
        key.public_key(),
        above or Issuer(full, key),
        MADE,
        authority=signs,
        path_length=0 if above else 1,
        serial_number=number,
        extensions=[scope.extension()],
    )
    return Issuer(full, key, certificate)


def scope(purpose: Purpose, world: Mode = Mode.DEVELOPMENT) -> Scope:
    """What a certificate of the vectors is for."""
    return Scope(purpose, world, "" if purpose is Purpose.ROOT else ELECTION_ID)


def der(issuer: Issuer) -> bytes:
    """The issuer's own certificate."""
    assert issuer.certificate is not None
    return issuer.certificate.public_bytes(Encoding.DER)


def pem(certificate: bytes) -> str:
    """The certificate as it stands in an election definition."""
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()


ROOT = _authority("root", scope(Purpose.ROOT), None, 1)
ISSUING = _authority("issuing authority", scope(Purpose.ISSUING), ROOT, 2)
ELECTION_AUTHORITY = _authority("election authority", scope(Purpose.ELECTION), ROOT, 3)
ELECTION_KEY = FileKey(ELECTION_AUTHORITY.private_key, der(ELECTION_AUTHORITY))


class VectorKey(FileKey):
    """A device key that is the same every time."""

    protection = Protection.PLAIN_FILE
    authority = der(ISSUING)


def device_key(serial: str, world: Mode = Mode.DEVELOPMENT) -> VectorKey:
    """The key of a device that ISSUING has issued."""
    key = private_key(serial)
    certificate = issue(
        subject(f"DEVELOPMENT kiosk {serial}", ORGANISATION, serial),
        key.public_key(),
        ISSUING,
        MADE,
        serial_number=10 + int(serial[-1]),
        extensions=[claims_extension(DeviceClaims(world, serial, Protection.PLAIN_FILE))],
    )
    return VectorKey(key, certificate.public_bytes(Encoding.DER))


def collector_key(name: str = "kota-bandung") -> FileKey:
    """The key of a collector that ISSUING has issued."""
    key = private_key(name)
    certificate = issue(
        subject(name, ORGANISATION),
        key.public_key(),
        ISSUING,
        MADE,
        serial_number=20,
        extensions=[scope(Purpose.COLLECTOR).extension()],
    )
    return FileKey(key, certificate.public_bytes(Encoding.DER))


def officer_key(name: str, role: Role, number: int, above: Issuer = ISSUING) -> FileKey:
    """The key of an officer that `above` has issued."""
    key = private_key(name)
    certificate = issue(
        subject(name, ORGANISATION),
        key.public_key(),
        above,
        MADE,
        serial_number=number,
        extensions=[scope(Purpose.OFFICER).extension(), role_extension(role)],
    )
    return FileKey(key, certificate.public_bytes(Encoding.DER))


TECHNICIAN, STORE = officer_key("Tari Teknisi", Role.TECHNICIAN, 30), officer_key("Gani Gudang", Role.WAREHOUSE, 31)
KPPS = officer_key("Budi Ketua", Role.KPPS, 32)
STRANGE_OFFICER = officer_key(
    "Orang Lain", Role.WAREHOUSE, 33, _authority("other authority", scope(Purpose.ISSUING), None, 9)
)
DEVICE, STRANGER, TRAINING = device_key("VECTOR-1"), device_key("VECTOR-2"), device_key("VECTOR-3", Mode.TRAINING)
REVOKED, FREE_RUNNING, EARLY = device_key("VECTOR-4"), device_key("VECTOR-5"), device_key("VECTOR-6")
"""One that is revoked, one whose clock nobody set, one that knew the first edition only."""
COLLECTOR, STRANGE_COLLECTOR = collector_key(), collector_key("kota-lain")


def layout() -> FormLayout:
    """The small form."""
    return load_layout((FOLDER / "vector-form.toml").read_bytes(), "vector-form.toml")


def election(**changes: Any) -> bytes:
    """The election definition file; `changes` replace parts of its `trust`."""
    document = {
        "version": 1,
        "name": "Vectors",
        "mode": "development",
        "contests": [{"id": "ppwp", "form": "vector-form", "candidates": [{"number": 1, "name": "A"}]}],
        "polling_stations": [{"code": TPS, "place": "Kelurahan Contoh, TPS 7", "voters": 250}],
        "collectors": [{"id": "kota-bandung", "url": "https://collector.example"}],
        "trust": {
            "id": ELECTION_ID,
            "edition": 2,
            "earlier": [EARLIER.hex()],
            "issuers": [pem(der(ISSUING))],
            "layouts": {"vector-form": layout().sha256},
            "collectors": {"kota-bandung": [pem(COLLECTOR.certificate)]},
            "revoked": [{"kid": key_id(REVOKED.certificate).hex(), "since": SEALED_AT, "reason": "stolen"}],
        }
        | changes,
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def clock() -> ClockReading:
    """It is always half past seven."""
    return ClockReading(SEALED_AT, ClockQuality.SYNCHRONISED)


def draft(**changes: Any) -> dict[str, Any]:
    """The draft of the small form; `changes` replace its parts."""
    values = {"pengguna_total_j": 153, "suara_1": 20, "suara_2": 128, "suara_total": 153}
    pages = [_page(number) for number in (1, 2)]
    fields = [_field(name, 1 if name.startswith("pengguna") else 2, value) for name, value in values.items()]
    fields[1] |= {"settled": "corrected", "machine": {"value": 29, "text": "X29", "confidence_ppm": 610_000}}
    return {
        "mode": "development",
        "election": hashlib.sha256(election()).digest(),
        "tps": TPS,
        "contest": "ppwp",
        "form": "vector-form",
        "layout": bytes.fromhex(layout().sha256),
        "pages": pages,
        "fields": fields,
        "failed": [
            {"rule": "H5", "fields": ["suara_1", "suara_2", "suara_total"], "left": 148, "right": 153, "warning": False}
        ],
        "confirmed_by": "ketua",
        "software": "c1kiosk 0.1.0",
        "model": hashlib.sha256(b"model").digest(),
        "journal": JOURNAL_HEAD,
        "supersedes": None,
        "reason": "",
    } | changes


def picture(number: int) -> bytes:
    """What stands for the photograph of a page."""
    return f"picture {number}".encode()


def _page(number: int) -> dict[str, Any]:
    return {
        "page": number,
        "sha256": hashlib.sha256(picture(number)).digest(),
        "facts": {"driver": "vector", "exposure_us": 12_000},
        "marks": ["TL", "TR", "BL", "BR"],
        "residual_um": 210,
        "support_ppm": 985_000,
    }


def _field(name: str, page: int, value: int) -> dict[str, Any]:
    return {
        "id": name,
        "page": page,
        "value": value,
        "settled": "machine-and-confirmed",
        "machine": {"value": value, "text": f"{value:X>3}", "confidence_ppm": 999_200},
    }


def handover(giver: FileKey, receiver: FileKey, /, **changes: Any) -> HandOver:
    """What both see at the first hand-over of DEVICE."""
    entry = HandOver(
        device="VECTOR-1",
        kid=key_id(DEVICE.certificate),
        number=1,
        previous=bytes(32),
        unix=SEALED_AT - 86_400,
        place="Gudang Kota Contoh",
        at=(-6_914_744, 107_609_810),
        seal="S-0001",
        seal_state="intact",
        resealed=None,
        condition="",
        giver=_party(giver),
        receiver=_party(receiver),
        alone="",
    )
    return replace(entry, **changes)


def _party(key: FileKey) -> Party:
    return party_of(officer_of(x509.load_der_x509_certificate(key.certificate)))

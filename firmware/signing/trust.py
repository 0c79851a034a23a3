"""The trust folder: the public things a verifier believes, and all that it needs besides the evidence.

    election.json     the election definition; the SHA-256 of its bytes is the `election` of every record
    layouts/*.toml    the form layouts of the election; the SHA-256 of a file is the `layout` of a record
    device-ca.pem     certificates of the authorities that issue device certificates
    devices.pem       device certificates: records and receipts name them, they do not carry them
    collectors.pem    collector certificates, believed as they stand

PEM files hold any number of certificates. Who gets a trust folder from a stranger has verified the stranger: compare
its `fingerprint` with one that is published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import ElectionDefinition, parse_election
from firmware.errors import LayoutRefused, VerificationRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import load_layout
from firmware.signing.acknowledgement import collector_name
from firmware.signing.keys import Device, key_id, open_device, public_key_of

ELECTION = "election.json"
LAYOUTS = "layouts"
AUTHORITIES = "device-ca.pem"
DEVICES = "devices.pem"
COLLECTORS = "collectors.pem"
MAX_FILE_BYTES = 256 * 1024 * 1024
"""Of one file: certificates of 200,000 devices are about 200 MB."""


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that is believed."""

    name: str
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """An opened trust folder: every device certificate in it is issued by one of its authorities."""

    election: ElectionDefinition
    layouts: Mapping[bytes, FormLayout]
    """By SHA-256 of the layout file."""
    devices: Mapping[bytes, Device]
    """By key id."""
    collectors: Mapping[bytes, Collector]
    """By key id."""
    fingerprint: str
    """Hexadecimal SHA-256 over the SHA-256 of every file in the folder, in the order of their names."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Opens a trust folder. Raises VerificationRefused (`trust-...`, `certificate-...`)."""
        layouts = {path.name: _read(path) for path in sorted((folder / LAYOUTS).glob("*.toml"))}
        files = {name: _read(folder / name) for name in (AUTHORITIES, COLLECTORS, DEVICES, ELECTION)}
        authorities = _certificates(files, AUTHORITIES)
        try:
            return cls(
                election=parse_election(files[ELECTION], ELECTION),
                layouts={hashlib.sha256(data).digest(): load_layout(data, name) for name, data in layouts.items()},
                devices={_kid(entry): _device(entry, authorities) for entry in _certificates(files, DEVICES)},
                collectors={_kid(entry): _collector(entry) for entry in _certificates(files, COLLECTORS)},
                fingerprint=_fingerprint([*files.values(), *layouts.values()]),
            )
        except LayoutRefused as refusal:
            raise VerificationRefused("trust-unreadable", file=str(folder), problem=str(refusal)) from refusal

    def device(self, kid: bytes) -> Device:
        """The device of this key id; raises VerificationRefused("device-unknown")."""
        if kid not in self.devices:
            raise VerificationRefused("device-unknown", kid=kid.hex())
        return self.devices[kid]

    def collector(self, kid: bytes) -> Collector:
        """The collector of this key id; raises VerificationRefused("collector-unknown")."""
        if kid not in self.collectors:
            raise VerificationRefused("collector-unknown", kid=kid.hex())
        return self.collectors[kid]

    def layout(self, sha256: bytes) -> FormLayout:
        """The layout with this hash; raises VerificationRefused("layout-unknown")."""
        if sha256 not in self.layouts:
            raise VerificationRefused("layout-unknown", layout=sha256.hex())
        return self.layouts[sha256]

    def contest_layout(self, contest: str) -> FormLayout:
        """The form of a contest of the election; raises VerificationRefused."""
        try:
            form = self.election.contest(contest).form
        except LayoutRefused as refusal:
            raise VerificationRefused("election-contest", contest=contest) from refusal
        for layout in self.layouts.values():
            if layout.id == form:
                return layout
        raise VerificationRefused("layout-unknown", layout=form)


def write_trust(
    folder: Path,
    *,
    election: bytes,
    layouts: Iterable[FormLayout],
    authorities: Iterable[bytes],
    devices: Iterable[bytes],
    collectors: Iterable[bytes],
) -> None:
    """Writes a trust folder; certificates are DER. `election` is the file's bytes, as records name them."""
    (folder / LAYOUTS).mkdir(parents=True, exist_ok=True)
    (folder / ELECTION).write_bytes(election)
    for layout in layouts:
        (folder / LAYOUTS / f"{layout.id}.toml").write_bytes(layout.source)
    for name, certificates in ((AUTHORITIES, authorities), (DEVICES, devices), (COLLECTORS, collectors)):
        loaded = map(x509.load_der_x509_certificate, certificates)
        (folder / name).write_bytes(b"".join(entry.public_bytes(Encoding.PEM) for entry in loaded))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VerificationRefused("trust-unreadable", file=str(path), problem=f"over {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise VerificationRefused("trust-unreadable", file=str(path), problem=error.strerror or "") from error


def _certificates(files: Mapping[str, bytes], name: str) -> list[x509.Certificate]:
    """The certificates of a PEM file; an empty file holds none."""
    try:
        return x509.load_pem_x509_certificates(files[name]) if files[name].strip() else []
    except ValueError as error:
        raise VerificationRefused("trust-unreadable", file=name, problem=str(error)) from error


def _kid(certificate: x509.Certificate) -> bytes:
    return key_id(certificate.public_bytes(Encoding.DER))


def _device(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> Device:
    if not any(_issued(certificate, authority) for authority in authorities):
        raise VerificationRefused("certificate-issuer", subject=certificate.subject.rfc4514_string())
    return open_device(certificate)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return constraints.ca


def _collector(certificate: x509.Certificate) -> Collector:
    return Collector(collector_name(certificate), public_key_of(certificate))


def _fingerprint(files: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in files)).hexdigest()

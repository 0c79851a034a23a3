"""The trust folder: the public things a verifier believes, and all that it needs besides the evidence.

    root.pem          the root: the one thing that is believed as it stands
    authority.pem     the election authority's certificate, issued by the root
    election.cose     the election definition, signed by that authority (election.py); it names everything below
    layouts/*.toml    the form layouts; the definition holds their SHA-256
    devices.pem       device certificates, each issued by an authority that the definition names

Issuing authorities, collectors' certificates and revoked devices stand in the definition. The definition of a training
or development election may be unsigned; its folder, which has no root.pem, holds instead

    election.json     the definition
    layouts/*.toml
    device-ca.pem     certificates of the authorities that issue device certificates
    devices.pem       device certificates
    collectors.pem    collector certificates, believed as they stand

PEM files hold any number of certificates. Who gets a trust folder from a stranger has verified the stranger: compare
its root, or its `fingerprint`, with one that is published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import ElectionDefinition, parse_election
from firmware.errors import LayoutRefused, VerificationRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import load_layout
from firmware.records import Mode
from firmware.signing.acknowledgement import collector_name
from firmware.signing.authorities import Purpose, Scope, check_scope
from firmware.signing.certificates import check_issued_by_one, display_name, load_certificates
from firmware.signing.definition import ElectionTrust, Revocation
from firmware.signing.election import AUTHORITY, ROOT, SignedElection, only_certificate, open_election
from firmware.signing.keys import Device, key_id, open_device, public_key_of

SIGNED_ELECTION = "election.cose"
ELECTION = "election.json"
LAYOUTS = "layouts"
AUTHORITIES = "device-ca.pem"
DEVICES = "devices.pem"
COLLECTORS = "collectors.pem"
MAX_FILE_BYTES = 256 * 1024 * 1024
"""Of one file: certificates of 200,000 devices are about 200 MB."""

_SIGNED_FILES = (AUTHORITY, DEVICES, SIGNED_ELECTION, ROOT)
_UNSIGNED_FILES = (AUTHORITIES, COLLECTORS, DEVICES, ELECTION)


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that is believed."""

    name: str
    certificate: x509.Certificate
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
    """Hexadecimal SHA-256 over the SHA-256 of every file of the folder, then of every layout, by name."""
    root: str = ""
    """Hexadecimal SHA-256 of the root certificate; empty when the election is unsigned (never a real one)."""
    edition: int = 0
    """Of a signed definition, counted from 1: the higher one knows more revocations."""
    authority: ec.EllipticCurvePublicKey | None = None
    """The key that signed the election definition; None when it is unsigned."""
    earlier: frozenset[bytes] = frozenset()
    """Names of earlier editions of the definition, whose records stand."""
    revoked: Mapping[bytes, Revocation] = field(default_factory=dict)
    """By key id."""
    issuers: tuple[x509.Certificate, ...] = ()
    """Who may issue device certificates."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Opens a trust folder. Raises VerificationRefused (`trust-...`, `certificate-...`, `election-...`)."""
        layouts = {path.name: _read(path) for path in sorted((folder / LAYOUTS).glob("*.toml"))}
        names = _SIGNED_FILES if (folder / ROOT).exists() else _UNSIGNED_FILES
        return cls.of_files({name: _read(folder / name) for name in names}, layouts)

    @classmethod
    def of_files(cls, files: Mapping[str, bytes], layouts: Mapping[str, bytes]) -> Self:
        """As `load`, of the content of the folder's files and of its layouts, by name."""
        fingerprint = _fingerprint(
            [files[name] for name in sorted(files)] + [layouts[name] for name in sorted(layouts)]
        )
        try:
            opened = {hashlib.sha256(data).digest(): load_layout(data, name) for name, data in layouts.items()}
            if ROOT in files:
                return cls._signed(files, opened, fingerprint)
            return cls._unsigned(files, opened, fingerprint)
        except LayoutRefused as refusal:
            raise VerificationRefused("trust-unreadable", file=ELECTION, problem=str(refusal)) from refusal

    @classmethod
    def _unsigned(cls, files: Mapping[str, bytes], layouts: Mapping[bytes, FormLayout], fingerprint: str) -> Self:
        definition = parse_election(files[ELECTION], ELECTION)
        if definition.election.mode is Mode.REAL:
            raise VerificationRefused("election-unsigned", mode=str(definition.election.mode))
        authorities = _certificates(files, AUTHORITIES)
        return cls(
            election=definition,
            layouts=layouts,
            devices={_kid(entry): _device(entry, authorities) for entry in _certificates(files, DEVICES)},
            earlier=_earlier(definition.election.trust),
            revoked=_revoked(definition.election.trust),
            issuers=tuple(authorities),
            collectors={_kid(entry): _collector(entry) for entry in _certificates(files, COLLECTORS)},
            fingerprint=fingerprint,
        )

    @classmethod
    def _signed(cls, files: Mapping[str, bytes], layouts: Mapping[bytes, FormLayout], fingerprint: str) -> Self:
        root, authority = only_certificate(files[ROOT], ROOT), only_certificate(files[AUTHORITY], AUTHORITY)
        signed = open_election(files[SIGNED_ELECTION], root, authority)
        definition = parse_election(signed.data, SIGNED_ELECTION)
        trust = _trust_of(definition, signed)
        issuers = [_named_issuer(pem, signed) for pem in trust.issuers]
        opened = cls(
            election=definition,
            layouts=_named_layouts(layouts, trust),
            devices={},
            collectors=_named_collectors(trust, issuers, signed.scope),
            fingerprint=fingerprint,
            root=root.fingerprint(hashes.SHA256()).hex(),
            edition=trust.edition,
            authority=public_key_of(authority),
            earlier=_earlier(trust),
            revoked=_revoked(trust),
            issuers=tuple(issuers),
        )
        return opened.with_devices(files[DEVICES], DEVICES)

    def with_devices(self, pem: bytes, name: str) -> Self:
        """These roots and the device certificates in a PEM file, each issued by one of the authorities.

        Raises VerificationRefused. A certificate proves itself, wherever it came from.
        """
        return replace(self, devices={**self.devices, **self.only_devices(pem, name)})

    def only_devices(self, pem: bytes, name: str) -> dict[bytes, Device]:
        """The devices of a PEM file by key id, as `with_devices`."""
        found = {_kid(entry): _device(entry, self.issuers) for entry in _certificates({name: pem}, name)}
        for device in found.values() if self.root else ():
            if device.claims.world is not self.election.election.mode:
                raise VerificationRefused("certificate-claims", subject=display_name(device.certificate))
        return found

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
    """Writes the trust folder of an unsigned election; certificates are DER.

    `election` is the file's bytes, as records name them.
    """
    _write_layouts(folder, layouts)
    (folder / ELECTION).write_bytes(election)
    for name, certificates in ((AUTHORITIES, authorities), (DEVICES, devices), (COLLECTORS, collectors)):
        _write_certificates(folder / name, certificates)


def write_signed_trust(
    folder: Path,
    *,
    root: bytes,
    authority: bytes,
    election: bytes,
    layouts: Iterable[FormLayout],
    devices: Iterable[bytes],
) -> None:
    """Writes the trust folder of a signed election; certificates are DER, `election` is COSE."""
    _write_layouts(folder, layouts)
    (folder / SIGNED_ELECTION).write_bytes(election)
    for name, certificates in ((ROOT, [root]), (AUTHORITY, [authority]), (DEVICES, devices)):
        _write_certificates(folder / name, certificates)


def _write_layouts(folder: Path, layouts: Iterable[FormLayout]) -> None:
    (folder / LAYOUTS).mkdir(parents=True, exist_ok=True)
    for layout in layouts:
        (folder / LAYOUTS / f"{layout.id}.toml").write_bytes(layout.source)


def _write_certificates(path: Path, certificates: Iterable[bytes]) -> None:
    loaded = map(x509.load_der_x509_certificate, certificates)
    path.write_bytes(b"".join(entry.public_bytes(Encoding.PEM) for entry in loaded))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VerificationRefused("trust-unreadable", file=path.name, problem=f"over {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise VerificationRefused("trust-unreadable", file=path.name, problem=error.strerror or "") from error


def _certificates(files: Mapping[str, bytes], name: str) -> list[x509.Certificate]:
    """The certificates of a PEM file; an empty file holds none."""
    return load_certificates(files[name], name) if files[name].strip() else []


def _kid(certificate: x509.Certificate) -> bytes:
    return key_id(certificate.public_bytes(Encoding.DER))


def _device(certificate: x509.Certificate, issuers: Sequence[x509.Certificate]) -> Device:
    check_issued_by_one(certificate, issuers)
    return open_device(certificate)


def _collector(certificate: x509.Certificate) -> Collector:
    return Collector(collector_name(certificate), certificate, public_key_of(certificate))


# --- what a signed definition names -------------------------------------------------------------------------------


def _trust_of(definition: ElectionDefinition, signed: SignedElection) -> ElectionTrust:
    """The definition's `trust`, complete and of the world and election that its authority may speak for."""
    election = definition.election
    trust = election.trust
    if trust is None:
        raise VerificationRefused("election-trust", problem="trust")
    if (election.mode, trust.id) != (signed.scope.world, signed.scope.election):
        raise VerificationRefused("election-scope", id=trust.id, mode=str(election.mode))
    if set(trust.layouts) != {contest.form for contest in election.contests}:
        raise VerificationRefused("election-trust", problem="layouts")
    if set(trust.collectors) != {collector.id for collector in election.collectors}:
        raise VerificationRefused("election-trust", problem="collectors")
    return trust


def _named_issuer(pem: str, signed: SignedElection) -> x509.Certificate:
    issuer = only_certificate(pem.encode(), SIGNED_ELECTION)
    check_scope(issuer, signed.root, Scope(Purpose.ISSUING, signed.scope.world, signed.scope.election))
    return issuer


def _named_layouts(layouts: Mapping[bytes, FormLayout], trust: ElectionTrust) -> dict[bytes, FormLayout]:
    """The layouts that the definition names, all of them; others in the folder are nothing."""
    named = {bytes.fromhex(sha256): form for form, sha256 in trust.layouts.items()}
    for sha256, form in named.items():
        if sha256 not in layouts or layouts[sha256].id != form:
            raise VerificationRefused("layout-unknown", layout=form)
    return {sha256: layouts[sha256] for sha256 in named}


def _named_collectors(
    trust: ElectionTrust, issuers: Sequence[x509.Certificate], scope: Scope
) -> dict[bytes, Collector]:
    found: dict[bytes, Collector] = {}
    for name, pems in trust.collectors.items():
        for pem in pems:
            certificate = only_certificate(pem.encode(), SIGNED_ELECTION)
            check_issued_by_one(certificate, issuers)
            if Scope.of(certificate) != Scope(Purpose.COLLECTOR, scope.world, scope.election):
                raise VerificationRefused("certificate-purpose", subject=display_name(certificate))
            if collector_name(certificate) != name:
                raise VerificationRefused("acknowledgement-collector", found=collector_name(certificate), expected=name)
            found[_kid(certificate)] = _collector(certificate)
    return found


def _earlier(trust: ElectionTrust | None) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, trust.earlier if trust else ()))


def _revoked(trust: ElectionTrust | None) -> dict[bytes, Revocation]:
    return {bytes.fromhex(entry.kid): entry for entry in (trust.revoked if trust else ())}


def _fingerprint(files: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in files)).hexdigest()

"""What a batch is made with: `office.toml`, and what its files hold, opened and checked once.

    batch = "batch"               # folder: inventory, what every device asked for and got, ssh's known hosts
    root = "root.pem"             # believed
    authority = "authority.pem"   # of the election definition
    election = "election.cose"
    tls = "tls.pem"               # certificate of the TLS authority
    kiosk = "kiosk.toml"          # template: a kiosk.toml without `tps`
    operators = "operators.pem"   # issues the laptops' certificates; needed with [lan] in the template
    technician = "siti"           # folder of the technician's key (officer.py): for assign and reassign
    issuing = "issuing"           # folders of the authorities' keys, on the one machine that may issue
    tls_issuing = "tls"
    wheelhouse = "wheelhouse"     # for install: made by wheelhouse.sh
    seal = "auto"                 # what keys in a file are sealed with on the devices

Paths are relative to the file. Keys are opened by a passphrase each, in this order: issuing, tls_issuing, technician;
what is not named is not needed, and a step that needs it says so (`office-key`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec
from cryptography import x509

from firmware.config import ElectionDefinition, KeyDriver, LanConfig, parse_election
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.records import Mode
from firmware.signing import durable
from firmware.signing.election import load_pem, open_election
from firmware.signing.key_file import FileKey
from firmware.signing.keys import Protection
from firmware.signing.officers import OfficerTrust
from provisioning.authority import folder as authority_folder
from provisioning.authority import key_folder
from provisioning.authority.issuing import Authority, ProvisioningRefused
from provisioning.inventory import Inventory

KNOWN_HOSTS = "known_hosts"
DEVICES = "devices"
Passphrase = Callable[[str], bytes]
"""Asks for the passphrase of what is named."""


class OfficeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """office.toml."""

    batch: str
    root: str
    authority: str
    election: str
    tls: str
    kiosk: str
    operators: str = ""
    technician: str = ""
    issuing: str = ""
    tls_issuing: str = ""
    wheelhouse: str = ""
    seal: str = "auto"


class _Template(msgspec.Struct, frozen=True):
    """What is needed of the template before it is a whole kiosk.toml."""

    key: _TemplateKey
    lan: LanConfig | None = None


class _TemplateKey(msgspec.Struct, frozen=True):
    driver: KeyDriver
    tcti: str = "device:/dev/tpmrm0"


PROTECTION = {
    KeyDriver.TPM: Protection.TPM,
    KeyDriver.SEALED_CREDENTIAL: Protection.SEALED_FILE,
    KeyDriver.TRAINING_FILE: Protection.PLAIN_FILE,
}


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that a step may need besides the device."""

    path: Path
    file: OfficeFile
    definition: ElectionDefinition
    root: x509.Certificate
    authority: x509.Certificate
    tls: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    template: bytes
    key: KeyDriver
    tcti: str
    lan: bool
    layouts: tuple[FormLayout, ...]
    """Of the election's forms."""
    issuing: Authority | None = None
    tls_issuing: Authority | None = None
    technician: FileKey | None = None

    @classmethod
    def open(cls, path: Path, passphrase: Passphrase | None = None) -> Self:
        """Without `passphrase` no key is opened. Raises Refused (`office-unreadable`, and what the files say)."""
        file = _decoded(path)
        here = path.resolve().parent
        root, authority = load_pem(here / file.root), load_pem(here / file.authority)
        definition = parse_election(open_election(_read(here / file.election), root, authority).data, file.election)
        trust = OfficerTrust.of_definition(definition.election, root)
        template = _read(here / file.kiosk)
        shape = _shape(template, here / file.kiosk)
        opened = cls(
            path=path,
            file=file,
            definition=definition,
            root=root,
            authority=authority,
            tls=load_pem(here / file.tls),
            issuers=trust.issuers,
            template=template,
            key=shape.key.driver,
            tcti=shape.key.tcti,
            lan=shape.lan is not None,
            layouts=_layouts(definition),
        )
        return opened if passphrase is None else opened._unlocked(here, passphrase)

    def _unlocked(self, here: Path, passphrase: Passphrase) -> Self:
        def authority(folder: str) -> Authority | None:
            return authority_folder.load(here / folder, passphrase(folder)) if folder else None

        issuing, tls = authority(self.file.issuing), authority(self.file.tls_issuing)
        return replace(self, issuing=issuing, tls_issuing=tls).with_technician(passphrase)

    def with_technician(self, passphrase: Passphrase) -> Self:
        """With the technician's key, where one is named. Raises ProvisioningRefused."""
        folder = self.file.technician
        return replace(self, technician=key_folder.load(self.beside(folder), passphrase(folder))) if folder else self

    @property
    def world(self) -> Mode:
        """Of the election."""
        return self.definition.election.mode

    @property
    def batch(self) -> Path:
        """The batch's folder."""
        return self.path.resolve().parent / self.file.batch

    @property
    def inventory(self) -> Inventory:
        """Of the batch."""
        return Inventory(self.batch)

    @property
    def known_hosts(self) -> Path:
        """The devices' ssh keys, by serial."""
        return self.batch / KNOWN_HOSTS

    @property
    def trust(self) -> OfficerTrust:
        """Who may assign."""
        return OfficerTrust.of_definition(self.definition.election, self.root)

    def beside(self, name: str) -> Path:
        """A path of office.toml."""
        return self.path.resolve().parent / name

    def papers(self, serial: str) -> Papers:
        """What one device asked for and got."""
        return Papers(self.batch / DEVICES / serial)

    def missing(self, name: str) -> ProvisioningRefused:
        """The refusal of a step that needs what office.toml does not name."""
        return ProvisioningRefused("office-key", what=name, file=self.path.name)


@dataclass(frozen=True, slots=True)
class Papers:
    """A folder of one device: requests, certificates, assignments, what the self-test said. Nothing in it is secret."""

    folder: Path

    def read(self, name: str) -> bytes | None:
        """A paper, or None."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def keep(self, name: str, data: bytes) -> Path:
        """Writes a paper, whole; the one before is replaced."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, incoming = self.folder / name, self.folder / f".{name}.new"
        incoming.unlink(missing_ok=True)
        durable.write(incoming, data)
        incoming.replace(path)
        durable.sync_folder(self.folder)
        return path


def _layouts(definition: ElectionDefinition) -> tuple[FormLayout, ...]:
    known = shipped_layouts()
    return tuple(known[form] for form in sorted({contest.form for contest in definition.election.contests}))


def _decoded(path: Path) -> OfficeFile:
    try:
        return msgspec.toml.decode(_read(path), type=OfficeFile)
    except msgspec.MsgspecError as problem:
        raise ProvisioningRefused("office-unreadable", file=path.name, problem=str(problem)) from problem


def _shape(template: bytes, path: Path) -> _Template:
    try:
        return msgspec.toml.decode(template, type=_Template)
    except msgspec.MsgspecError as problem:
        raise ProvisioningRefused("office-unreadable", file=path.name, problem=str(problem)) from problem


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProvisioningRefused("office-unreadable", file=path.name, problem=error.strerror or "") from error

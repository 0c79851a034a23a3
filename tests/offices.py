"""A whole office in a folder: authorities, a signed election, a technician, a template; and devices in folders."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.forms.loader import shipped_layouts
from firmware.records import Mode
from firmware.signing.authorities import Purpose
from firmware.signing.election import sign_election
from firmware.signing.key_file import FileKey
from firmware.signing.officers import Role
from provisioning.authority import definitions, issuing, key_folder
from provisioning.authority import folder as authority_folder
from provisioning.authority import key as authority_key
from provisioning.device.ground import Ground
from tests import sealing

ELECTION = "latihan-2029"
PASSPHRASE = b"empat kata yang panjang"
TEMPLATE = """
election = "election.cose"
state = "{state}"
run = "{run}"
[camera]
driver = "picamera2"
[printer]
driver = "escpos-usb"
device = "04b8:0e15"
[key]
driver = "{driver}"
[uplink]
certificate = "tls/uplink/certificate.pem"
key = "tls/uplink/key.pem"
ca = "tls/collectors.pem"
"""


@dataclass(frozen=True)
class Made:
    """The office's folder and the authorities in it."""

    folder: Path
    root: issuing.Authority
    issuer: issuing.Authority
    tls: issuing.Authority
    release: issuing.Authority
    election: bytes

    @property
    def path(self) -> Path:
        return self.folder / "office.toml"


def make_office(
    folder: Path,
    *,
    tps: tuple[str, ...] = sealing.TPS,
    world: Mode = Mode.TRAINING,
    driver: str = "training-file",
    state: str = "/var/lib/c1kiosk",
    run: str = "/run/c1kiosk",
    extra: str = "",
) -> Made:
    """All that office.toml names, and office.toml; keys are encrypted under PASSPHRASE."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    root = issuing.make_root("KPU contoh", world, now)
    names = (Purpose.ISSUING, Purpose.ELECTION, Purpose.TLS, Purpose.OPERATORS, Purpose.RELEASE)
    made = {name: issuing.make_authority(root, name, ELECTION, now) for name in names}
    election = json.loads(sealing.ELECTION) | {
        "mode": str(world),
        "polling_stations": [{"code": code, "place": f"Contoh, TPS {code[-3:]}", "voters": 280} for code in tps],
    }
    layouts = {sealing.LAYOUT.id: shipped_layouts()[sealing.LAYOUT.id]}
    data = definitions.with_trust(json.dumps(election).encode(), [made[Purpose.ISSUING].certificate], {}, layouts)
    signer = made[Purpose.ELECTION]
    key = FileKey(signer.issuer.private_key, signer.certificate.public_bytes(Encoding.DER))
    (folder / "election.cose").write_bytes(sign_election(data, key))
    for name, certificate in (("root", root), ("authority", signer), ("tls", made[Purpose.TLS]),
                              ("operators", made[Purpose.OPERATORS])):  # fmt: skip
        (folder / f"{name}.pem").write_bytes(certificate.certificate.public_bytes(Encoding.PEM))
    for name in ("issuing", "tls"):
        keep(folder / f"{name}-key", made[Purpose(name)], PASSPHRASE)
    _technician(folder / "siti", made[Purpose.ISSUING], now)
    (folder / "kiosk.toml").write_text(TEMPLATE.format(driver=driver, state=state, run=run) + extra, encoding="utf-8")
    settings = {
        "batch": "batch", "root": "root.pem", "authority": "authority.pem", "election": "election.cose",
        "tls": "tls.pem", "operators": "operators.pem", "kiosk": "kiosk.toml", "technician": "siti",
        "issuing": "issuing-key", "tls_issuing": "tls-key", "seal": "host",
    }  # fmt: skip
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "office.toml").write_text(text, encoding="utf-8")
    return Made(folder, root, made[Purpose.ISSUING], made[Purpose.TLS], made[Purpose.RELEASE], data)


def keep(folder: Path, authority: issuing.Authority, passphrase: bytes) -> None:
    """Writes an authority that was made in memory where the desk would have made it."""
    unfinished = folder.with_name(folder.name + authority_folder.UNFINISHED)
    unfinished.mkdir(parents=True)
    authority_key.keep(unfinished, authority_key.FILE, authority.issuer.private_key, passphrase)
    authority_folder.finish(folder, authority.certificate)


def _technician(folder: Path, issuer: issuing.Authority, now: datetime) -> None:
    wish = x509.load_pem_x509_csr(key_folder.make(folder, "Siti Aminah", PASSPHRASE).read_bytes())
    made = issuing.issue_officer(issuer, wish, "Siti Aminah", Role.TECHNICIAN, now)
    key_folder.install(folder, made.public_bytes(Encoding.PEM))


def make_ground(folder: Path) -> Ground:
    """A device's folders, for whoever runs the tests."""
    ground = Ground(folder / "etc", folder / "state", folder / "program", folder / "units", _myself, lambda _folder: "")
    (ground.etc / "trust").mkdir(parents=True)
    ground.state.mkdir()
    return ground


def _myself(_name: str) -> tuple[int, int]:
    return os.getuid(), os.getgid()

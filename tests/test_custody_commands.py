"""Hand-overs as they are typed: on a laptop with sticks, on two laptops, on the device; and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import segno
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.cli import cli
from firmware.errors import Refused
from firmware.forms.loader import shipped_layouts
from firmware.records import Mode
from firmware.signing import enrolment
from firmware.signing.authorities import Purpose
from firmware.signing.election import sign_election
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection
from firmware.signing.label import Label
from firmware.signing.officers import Role
from firmware.signing.trust import write_signed_trust
from provisioning.authority import definitions, issuing, key_folder
from provisioning.custody import main
from tests import sealing
from tests.custodies import ELECTION

PASSPHRASE = b"empat kata yang panjang"
SERIAL = "C1-0001"
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Office:
    """A trust folder, a device's configuration, and key folders of officers."""

    folder: Path
    label: Label

    @property
    def config(self) -> Path:
        return self.folder / "etc" / "kiosk.toml"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder, now = tmp_path_factory.mktemp("office"), NOW
    root = issuing.make_root("KPU", Mode.REAL, now)
    issuer = issuing.make_authority(root, Purpose.ISSUING, ELECTION, now)
    signing = issuing.make_authority(root, Purpose.ELECTION, ELECTION, now)
    document = json.loads(sealing.ELECTION) | {"mode": "real"}
    data = definitions.with_trust(json.dumps(document).encode(), [issuer.certificate], {}, shipped_layouts())
    election = sign_election(data, FileKey(signing.issuer.private_key, der(signing.certificate)))
    claims = DeviceClaims(Mode.REAL, SERIAL, Protection.SEALED_FILE)
    request = enrolment.make_request(ec.generate_private_key(ec.SECP256R1()), claims)
    device = issuing.issue_device(issuer, request, SERIAL, Protection.SEALED_FILE, now)
    write_signed_trust(
        folder / "trust", root=der(root.certificate), authority=der(signing.certificate), election=election,
        layouts=[sealing.LAYOUT], devices=[der(device)],
    )  # fmt: skip
    for role in Role:
        _officer(folder, issuer, role)
    _device(folder, election, device, issuer.certificate)
    return Office(folder, Label.of(device))


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _officer(folder: Path, issuer: issuing.Authority, role: Role) -> None:
    request = key_folder.make(folder / role, f"Petugas {role}", PASSPHRASE)
    wish = x509.load_pem_x509_csr(request.read_bytes())
    made = issuing.issue_officer(issuer, wish, f"Petugas {role}", role, NOW)
    key_folder.install(folder / role, made.public_bytes(Encoding.PEM))


def _device(folder: Path, election: bytes, device: x509.Certificate, issuer: x509.Certificate) -> None:
    etc, key = folder / "etc", folder / "etc" / "state" / "signer" / "key"
    key.mkdir(parents=True)
    (key / "issued.pem").write_bytes(device.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
    (etc / "election.cose").write_bytes(election)
    (etc / "trust").symlink_to(folder / "trust")
    (etc / "kiosk.toml").write_text(
        f'tps = "{sealing.TPS[0]}"\nelection = "election.cose"\nstate = "state"\nrun = "run"\n'
        '[camera]\ndriver = "picamera2"\n[printer]\ndriver = "escpos-usb"\ndevice = "04b8:0e15"\n'
        '[key]\ndriver = "sealed-credential"\n'
    )


Typed = Callable[..., Result]


@pytest.fixture
def typed(office: Office, tmp_path: Path) -> Typed:
    """Runs a command of the desk with two passphrases waiting, and the chains in `tmp_path`."""

    def run(command: str, *arguments: str | Path, code: int = 0, passphrase: bytes = PASSPHRASE) -> Result:
        read, write = os.pipe()
        os.write(write, passphrase + b"\n" + passphrase + b"\n")
        os.close(write)
        where = ["--trust", str(office.folder / "trust"), "--chain", str(tmp_path / "chains")]
        try:
            result = CliRunner().invoke(main, ["--passphrase-fd", str(read), command, *where, *map(str, arguments)])
        finally:
            os.close(read)
        assert result.exit_code == code, result.output
        return result

    return run


def between(office: Office, giver: Role, receiver: Role, *more: str) -> list[str]:
    parties = ["--giver", str(office.folder / giver), "--receiver", str(office.folder / receiver)]
    return [*parties, "--label", office.label.text, "--place", f"Kantor {giver}", "--seal", "S-0001", *more]


def test_two_sticks_on_one_laptop(office: Office, typed: Typed, tmp_path: Path) -> None:
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.WAREHOUSE))
    page = typed("hand-over", *between(office, Role.WAREHOUSE, Role.PPK, "--at=-6.914744,107.60981")).output
    assert "with Petugas ppk (ppk), seal S-0001" in page
    assert len(list((tmp_path / "chains" / SERIAL).iterdir())) == 2
    typed("export", "--csv", tmp_path / "x.csv", "--json", tmp_path / "x.json", "--geojson", tmp_path / "x.geojson")
    assert '"coordinates": [\n     107.60981,\n     -6.914744' in (tmp_path / "x.geojson").read_text()


def test_nothing_is_written_in_a_dry_run_or_after_a_mistake(office: Office, typed: Typed, tmp_path: Path) -> None:
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.WAREHOUSE, "--dry-run"))
    for arguments, code in (
        (between(office, Role.PPS, Role.KPPS), "custody-roles"),
        ([*between(office, Role.TECHNICIAN, Role.WAREHOUSE), "--seal", "="], "custody-text"),
        ([*between(office, Role.TECHNICIAN, Role.WAREHOUSE), "--label", "C1-0001"], "label-form"),
    ):
        assert code in typed("hand-over", *arguments, code=1).output
    wrong = typed("hand-over", *between(office, Role.TECHNICIAN, Role.WAREHOUSE), code=1, passphrase=b"salah")
    assert "officer-folder" in wrong.output
    assert not (tmp_path / "chains" / SERIAL).exists()


def test_a_laptop_on_each_side(office: Office, typed: Typed, tmp_path: Path) -> None:
    offered = between(office, Role.TECHNICIAN, Role.WAREHOUSE)
    arguments = [word for word in offered if word not in ("--receiver", str(office.folder / Role.WAREHOUSE))]
    certificate, offer = office.folder / Role.WAREHOUSE / "certificate.pem", tmp_path / "offer.cose"
    typed("offer", *arguments, "--receiver-certificate", certificate, "--out", offer)
    assert not (tmp_path / "chains" / SERIAL).exists(), "an offer is no hand-over"
    assert "custody-signers" in typed("take", offer, "--receiver", office.folder / Role.PPK, code=1).output
    page = typed("take", offer, "--receiver", office.folder / Role.WAREHOUSE).output
    assert "with Petugas warehouse" in page
    assert "taken before" in typed("take", offer, "--receiver", office.folder / Role.WAREHOUSE).output
    assert len(list((tmp_path / "chains" / SERIAL).iterdir())) == 1


def test_the_ketua_has_no_key(office: Office, typed: Typed) -> None:
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.PPS))
    arguments = ["--giver", office.folder / Role.PPS, "--receiver-name", "Budi", "--receiver-role", "kpps",
                 "--label", office.label.text, "--place", "TPS 1", "--seal", "S-0001"]  # fmt: skip
    assert "custody-alone" in typed("hand-over", *arguments, code=1).output
    assert "one-signature" in typed("hand-over", *arguments, "--alone", "Ketua tidak memiliki kunci").output


def test_the_label_is_photographed(office: Office, typed: Typed, tmp_path: Path) -> None:
    code = np.array([[0 if dot else 255 for dot in row] for row in segno.make(office.label.text).matrix], np.uint8)
    picture = cv2.resize(np.pad(code, 4, constant_values=255), None, fx=9, fy=9, interpolation=cv2.INTER_NEAREST)
    turned = cv2.warpAffine(picture, cv2.getRotationMatrix2D((160, 160), 20, 0.8), (400, 400), borderValue=220)
    cv2.imwrite(str(tmp_path / "label.jpg"), cv2.GaussianBlur(turned, (3, 3), 0))
    cv2.imwrite(str(tmp_path / "wall.jpg"), np.full((400, 400), 128, np.uint8))
    arguments = between(office, Role.TECHNICIAN, Role.WAREHOUSE)
    del arguments[arguments.index("--label") : arguments.index("--label") + 2]
    assert "label-picture" in typed("hand-over", *arguments, "--picture", tmp_path / "wall.jpg", code=1).output
    typed("hand-over", *arguments, "--picture", tmp_path / "label.jpg")


def test_the_device_takes_its_own_hand_overs_only(office: Office, typed: Typed, tmp_path: Path) -> None:
    def device(*arguments: str | Path) -> Result:
        head, *rest = map(str, arguments)
        return CliRunner().invoke(cli, ["custody", head, "--config", str(office.config), *rest])

    assert "C1-0001" in device("show").output
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.WAREHOUSE))
    typed("hand-over", *between(office, Role.WAREHOUSE, Role.PPK))
    first, second = sorted((tmp_path / "chains" / SERIAL).iterdir())
    assert isinstance(device("add", second).exception, Refused), "the first is missing"
    for _ in range(2):
        result = device("add", first, second)
        assert result.exit_code == 0, result.exception
    assert "Petugas ppk" in device("show").output
    assert len(list((office.folder / "etc" / "custody").iterdir())) == 2
    elsewhere = [*between(office, Role.TECHNICIAN, Role.PPS), "--label", Label("C1-0002", bytes(8)).text]
    typed("hand-over", *elsewhere)
    (other,) = (tmp_path / "chains" / "C1-0002").iterdir()
    assert isinstance(device("add", other).exception, Refused)
    assert len(list((office.folder / "etc" / "custody").iterdir())) == 2


def test_a_stick_that_was_pulled_out(typed: Typed, tmp_path: Path) -> None:
    assert "custody-unreadable" in typed("show", code=1).output
    (tmp_path / "chains").mkdir()
    assert "custody-unreadable" in typed("export", "--csv", tmp_path / "gone" / "x.csv", code=1).output


def test_the_dashboard_names_what_is_refused(office: Office, typed: Typed, tmp_path: Path) -> None:
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.WAREHOUSE))
    typed("hand-over", *between(office, Role.WAREHOUSE, Role.PPK))
    sorted((tmp_path / "chains" / SERIAL).iterdir())[0].unlink()
    assert "REFUSED custody-gap" in typed("show", code=1).output
    assert "refused 1: C1-0001" in typed("export", "--csv", tmp_path / "x.csv", code=1).output


# --- a truckload ------------------------------------------------------------------------------------------------------

TRUCK = 8


def truck(path: Path, *more: str) -> Path:
    rows = [f"{Label(f'C1-{number:04d}', bytes([number] * 8)).text},S-{number:04d}" for number in range(1, TRUCK + 1)]
    path.write_text("\n".join(["label,seal", *rows, *more]) + "\n", encoding="utf-8-sig")
    return path


def loaded(office: Office, giver: Role, receiver: Role, devices: Path) -> list[str]:
    parties = ["--giver", str(office.folder / giver), "--receiver", str(office.folder / receiver)]
    return [*parties, "--place", f"Kantor {giver}", "--devices", str(devices)]


def test_a_truckload_is_handed_over_and_goes_on_after_a_power_cut(office: Office, typed: Typed, tmp_path: Path) -> None:
    devices, chains = truck(tmp_path / "truck.csv"), tmp_path / "chains"
    typed("hand-over", *loaded(office, Role.TECHNICIAN, Role.WAREHOUSE, devices))
    typed("hand-over", *loaded(office, Role.WAREHOUSE, Role.PPK, devices))
    for number in range(5, TRUCK + 1):
        sorted((chains / f"C1-{number:04d}").iterdir())[1].unlink()
    before = {path: path.read_bytes() for path in chains.rglob("*.cose")}
    typed("hand-over", *loaded(office, Role.WAREHOUSE, Role.PPK, devices))
    after = {path: path.read_bytes() for path in chains.rglob("*.cose")}
    assert len(after) == 2 * TRUCK
    assert before.items() <= after.items()
    typed("hand-over", *loaded(office, Role.PPK, Role.PPS, devices))


def test_one_device_of_a_truckload_does_not_fit(office: Office, typed: Typed, tmp_path: Path) -> None:
    devices = truck(tmp_path / "truck.csv")
    typed("hand-over", *between(office, Role.TECHNICIAN, Role.PPS), "--label", Label("C1-0007", bytes([7] * 8)).text)
    output = typed("hand-over", *loaded(office, Role.TECHNICIAN, Role.WAREHOUSE, devices), code=1).output
    assert "device 7, C1K1:C1-0007" in output
    assert "custody-load" in output
    assert len(list((tmp_path / "chains").iterdir())) == 1, "all or none"


@pytest.mark.parametrize(
    "row", ["C1K1:C1-0001:0101010101010101,S-1", "C1K1:C1-0099:0101010101010101", "C1K1:C1-0099:0101010101010101,a,b"]
)
def test_the_list_of_a_truckload_is_wrong(office: Office, typed: Typed, tmp_path: Path, row: str) -> None:
    devices = truck(tmp_path / "truck.csv", row)
    output = typed("hand-over", *loaded(office, Role.TECHNICIAN, Role.WAREHOUSE, devices), code=1).output
    assert "custody-load-file" in output
    assert not (tmp_path / "chains").exists()

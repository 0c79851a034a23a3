"""A bundle that is not what it should be is refused by RAUC with the kiosk's system.conf, and nothing is written."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware.records import Mode
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import LIFETIME
from provisioning.authority.issuing import Authority, make_authority, make_root

pytestmark = [pytest.mark.system, pytest.mark.skipif(not shutil.which("rauc"), reason="no rauc")]

CONFIGURATION = Path("provisioning/image/rootfs/etc/rauc/system.conf")
NOW = datetime.now(UTC)
MANIFEST = "[update]\ncompatible={}\nversion={}\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=root.ext4\n"
COMPATIBLE = "c1kiosk-pi-arm64"


class Desk:
    """A release authority that signs bundles, and the kiosk that is asked what it believes."""

    def __init__(self, folder: Path, root: Authority) -> None:
        self.folder, self.root = folder, root
        (folder / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))

    def bundle(self, signer: Authority, name: str = "good", compatible: str = COMPATIBLE) -> Path:
        """A bundle with half a MiB of a slot."""
        content, out = self.folder / f"{name}.content", self.folder / f"{name}.raucb"
        content.mkdir()
        (content / "root.ext4").write_bytes(Random(1).randbytes(1 << 19))
        (content / "manifest.raucm").write_text(MANIFEST.format(compatible, "1.2.3"))
        key = signer.issuer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{name}.key").write_bytes(key)
        (self.folder / f"{name}.pem").write_bytes(signer.certificate.public_bytes(Encoding.PEM))
        command = ["rauc", "bundle", f"--cert={name}.pem", f"--key={name}.key", content.name, out.name]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return out

    def asked(self, bundle: Path) -> subprocess.CompletedProcess[str]:
        """What a kiosk with our system.conf says of the bundle."""
        text = CONFIGURATION.read_text(encoding="utf-8").replace("/etc/rauc/keyring.pem", "root.pem")
        (self.folder / "system.conf").write_text(text, encoding="utf-8")
        command = ["rauc", "--conf=system.conf", "info", "--output-format=json", bundle.name]
        return subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, make_root("KPU", Mode.DEVELOPMENT, NOW - timedelta(days=1)))


def _release(desk: Desk, begin: datetime = NOW) -> Authority:
    return make_authority(desk.root, Purpose.RELEASE, "trial", begin)


def test_the_release_authority_is_believed(desk: Desk) -> None:
    answer = desk.asked(desk.bundle(_release(desk)))
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["version"] == "1.2.3"


@pytest.mark.parametrize("purpose", [Purpose.ELECTION, Purpose.ISSUING])
def test_another_authority_of_the_same_root_signs_an_update(desk: Desk, purpose: Purpose) -> None:
    answer = desk.asked(desk.bundle(make_authority(desk.root, purpose, "trial", NOW)))
    assert answer.returncode != 0 and "signature verification failed" in answer.stderr


def test_an_update_of_another_organisation(desk: Desk) -> None:
    other = make_root("Other", Mode.DEVELOPMENT, NOW)
    answer = desk.asked(desk.bundle(make_authority(other, Purpose.RELEASE, "trial", NOW)))
    assert answer.returncode != 0 and "signature verification failed" in answer.stderr


def test_the_certificate_of_the_release_authority_has_expired(tmp_path: Path) -> None:
    long_ago = NOW - LIFETIME - timedelta(days=30)
    desk = Desk(tmp_path, make_root("KPU", Mode.DEVELOPMENT, long_ago))
    answer = desk.asked(desk.bundle(_release(desk, long_ago)))
    assert answer.returncode != 0 and "certificate has expired" in answer.stderr


@pytest.mark.parametrize("kept", [0.1, 0.9, 0.999])
def test_half_a_bundle_was_copied(desk: Desk, kept: float) -> None:
    bundle = desk.bundle(_release(desk))
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * kept)])
    assert desk.asked(bundle).returncode != 0


def test_the_signed_list_in_a_bundle_was_changed(desk: Desk) -> None:
    bundle = desk.bundle(_release(desk))
    data = bytearray(bundle.read_bytes())
    at = data.rindex(b"version=1.2.3")
    data[at : at + 13] = b"version=9.2.3"
    bundle.write_bytes(data)
    answer = desk.asked(bundle)
    assert answer.returncode != 0 and "signature verification failed" in answer.stderr

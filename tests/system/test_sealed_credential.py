"""A key that systemd seals to this machine: the real systemd-creds makes and opens it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware.config import load_config
from firmware.errors import SignerRefused
from firmware.signing import enrol, enrolment, sealed_key
from firmware.signing.enrol import KeyPlace
from firmware.signing.keys import DeviceKey, Protection
from firmware.signing.sealed_key import CREDENTIAL, FOLDER_VARIABLE, SealedKey
from tests.key_contract import KeyContract, grant
from tests.kiosk_files import write_kiosk

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("systemd-creds") is None, reason="no systemd-creds here"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root seals to the host"),
]


class Office:
    """Where a device is enrolled."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.credential = folder, folder / "device-key.cred"
        self.config = write_kiosk(folder, {"driver": "sealed-credential"})

    def request(self, *more: str) -> Result:
        command = ["request", "--config", str(self.config), "--serial", "C1-0002", "--seal", "host"]
        return CliRunner().invoke(enrol.main, [*command, "--credential", str(self.credential), *more])

    def install(self, pem: bytes) -> Result:
        (self.folder / "device.pem").write_bytes(pem)
        command = ["install", "--config", str(self.config), str(self.folder / "device.pem")]
        return CliRunner().invoke(enrol.main, command)

    def opened(self) -> dict[str, str]:
        """The environment of a unit for which systemd has opened the credential."""
        folder = self.folder / "credentials"
        folder.mkdir(exist_ok=True)
        command = ["systemd-creds", "decrypt", f"--name={CREDENTIAL}", str(self.credential), str(folder / CREDENTIAL)]
        subprocess.run(command, check=True)
        return {FOLDER_VARIABLE: str(folder)}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


class TestSealedCredential(KeyContract):
    protection = Protection.SEALED_FILE

    @pytest.fixture
    def key(self, office: Office) -> DeviceKey:
        assert office.install(grant(office.request().stdout)).exit_code == 0
        return SealedKey.open(KeyPlace.of(load_config(office.config)).folder, office.opened())


def test_the_key_touches_the_disk(office: Office) -> None:
    asked = office.request()
    assert asked.stdout.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    files = [path for path in office.folder.rglob("*") if path.is_file()]
    assert office.credential in files
    assert not [path for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert office.credential.stat().st_mode & 0o077 == 0


def test_a_device_is_enrolled_twice(office: Office) -> None:
    first = office.request()
    assert (office.request().exit_code, "key-exists" in office.request("--replace").output) == (1, True)
    (KeyPlace.of(load_config(office.config)).folder / enrolment.REQUEST_NAME).unlink()
    assert "key-exists" in office.request().output
    second = office.request("--replace")
    assert second.stdout != first.stdout
    refused = office.install(grant(first.stdout))
    assert (refused.exit_code, "key-certificate" in refused.output) == (1, True)
    assert "C1-0002: development, key kept as sealed-file" in office.install(grant(second.stdout)).output


def test_the_credential_is_served_under_another_name(office: Office) -> None:
    office.request()
    command = ["systemd-creds", "decrypt", "--name=another", str(office.credential), "-"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_there_is_nothing_to_seal_with(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SignerRefused, match="key-not-sealed"):
        sealed_key.make(office.credential, "tpm2-that-is-not-there")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SignerRefused, match="key-not-sealed"):
        sealed_key.make(office.credential, "host")
    assert not office.credential.exists()

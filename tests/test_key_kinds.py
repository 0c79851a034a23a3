"""Keys in files: development, training, and one that systemd has opened; and certificates that do not fit their key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from firmware.config import KeyDriver, KioskConfig, load_config
from firmware.errors import LayoutRefused, Refused, SignerRefused
from firmware.processes import PROCESSES
from firmware.records import Mode
from firmware.signing import enrol, enrolment, key_file
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.enrol import KeyPlace
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.keys import DeviceClaims, DeviceKey, Protection, claims_of, open_device
from firmware.signing.plain_key import make as make_plain
from firmware.signing.sealed_key import CREDENTIAL, FOLDER_VARIABLE, SealedKey
from firmware.signing.training_key import TrainingKey
from tests.key_contract import KeyContract, grant
from tests.kiosk_files import write_kiosk
from tests.vectors.parts import MADE, private_key

CLAIMS = DeviceClaims(Mode.TRAINING, "C1-0001", Protection.SEALED_FILE)


class Credential:
    """A key as systemd hands it over, and the folder of its certificate."""

    def __init__(self, folder: Path, claims: DeviceClaims = CLAIMS) -> None:
        self.folder, credentials = folder / "key", folder / "credentials"
        self.private_key = private_key("sealed")
        self.path = credentials / CREDENTIAL
        self.environment = {FOLDER_VARIABLE: str(credentials)}
        for made in (self.folder, credentials):
            made.mkdir()
        self.path.write_bytes(self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        request = enrolment.make_request(self.private_key, claims)
        enrolment.keep_request(self.folder, request)
        self.request = request.public_bytes(Encoding.PEM).decode()

    def open(self) -> SealedKey:
        return SealedKey.open(self.folder, self.environment)


class TestDevelopmentKey(KeyContract):
    protection = Protection.PLAIN_FILE

    @pytest.fixture
    def key(self, tmp_path: Path) -> DeviceKey:
        return DevelopmentKey.open(tmp_path / "key")


class TestTrainingKey(KeyContract):
    protection = Protection.PLAIN_FILE

    @pytest.fixture
    def key(self, tmp_path: Path) -> DeviceKey:
        return TrainingKey.open(tmp_path / "key")

    def test_it_is_taken_for_another(self, key: DeviceKey) -> None:
        certificate = x509.load_der_x509_certificate(key.certificate)
        assert open_device(certificate).claims.world is Mode.TRAINING
        assert "TRAINING" in certificate.subject.rfc4514_string()
        assert open_device(certificate).claims.serial.startswith("TRAIN-")


class TestSealedKey(KeyContract):
    protection = Protection.SEALED_FILE

    @pytest.fixture
    def key(self, tmp_path: Path) -> DeviceKey:
        credential = Credential(tmp_path)
        enrolment.install(credential.folder, grant(credential.request))
        return credential.open()


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        call()
    assert refusal.value.code == code


def test_a_training_kiosk_is_turned_into_a_development_kiosk(tmp_path: Path) -> None:
    TrainingKey.open(tmp_path / "key")
    refused("key-world", lambda: DevelopmentKey.open(tmp_path / "key"))


@pytest.mark.parametrize("protection", [Protection.TPM, Protection.SEALED_FILE])
def test_a_plain_file_is_certified_as_better_kept(tmp_path: Path, protection: Protection) -> None:
    new = make_plain(MADE, Mode.TRAINING, "T-1")
    claims = DeviceClaims(Mode.TRAINING, "T-1", protection)
    request = enrolment.make_request(new.private_key, claims).public_bytes(Encoding.PEM).decode()
    false = x509.load_pem_x509_certificates(grant(request))[0]
    key_file.load_or_make(tmp_path / "key", lambda: key_file.NewKey(new.private_key, false, new.others))
    refused("key-protection", lambda: TrainingKey.open(tmp_path / "key"))


@pytest.mark.parametrize("protection", [Protection.TPM, Protection.PLAIN_FILE])
def test_a_credential_is_certified_as_something_else(tmp_path: Path, protection: Protection) -> None:
    credential = Credential(tmp_path, DeviceClaims(Mode.TRAINING, "C1-0001", protection))
    enrolment.install(credential.folder, grant(credential.request))
    refused("key-protection", credential.open)


def test_systemd_hands_over_another_key(tmp_path: Path) -> None:
    credential = Credential(tmp_path)
    enrolment.install(credential.folder, grant(credential.request))
    other = private_key("another")
    credential.path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    refused("key-certificate", credential.open)


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_systemd_hands_over_no_key(tmp_path: Path, content: bytes | None) -> None:
    credential = Credential(tmp_path)
    enrolment.install(credential.folder, grant(credential.request))
    credential.path.unlink() if content is None else credential.path.write_bytes(content)
    refused("key-unreadable", credential.open)
    refused("key-unreadable", lambda: SealedKey.open(credential.folder, {}))


def test_the_certificate_has_not_come_yet(tmp_path: Path) -> None:
    refused("key-not-enrolled", Credential(tmp_path).open)


def test_the_issuer_sends_the_certificate_of_another_device(tmp_path: Path) -> None:
    credential = Credential(tmp_path)
    request = enrolment.make_request(private_key("another"), CLAIMS).public_bytes(Encoding.PEM).decode()
    refused("key-certificate", lambda: enrolment.install(credential.folder, grant(request)))


@pytest.mark.parametrize(
    "claims",
    [
        DeviceClaims(Mode.REAL, "C1-0001", Protection.SEALED_FILE),
        DeviceClaims(Mode.TRAINING, "C1-0002", Protection.SEALED_FILE),
        DeviceClaims(Mode.TRAINING, "C1-0001", Protection.TPM),
    ],
)
def test_the_issuer_grants_something_else(tmp_path: Path, claims: DeviceClaims) -> None:
    credential = Credential(tmp_path)
    refused("key-claims", lambda: enrolment.install(credential.folder, grant(credential.request, claims)))
    assert not (credential.folder / enrolment.ISSUED_NAME).exists()


def test_the_issuer_forgets_its_own_certificate(tmp_path: Path) -> None:
    credential = Credential(tmp_path)
    device, authority = (
        entry.public_bytes(Encoding.PEM) for entry in x509.load_pem_x509_certificates(grant(credential.request))
    )
    refused("key-chain", lambda: enrolment.install(credential.folder, device))
    refused("certificate-issuer", lambda: enrolment.install(credential.folder, device + device))
    refused("trust-unreadable", lambda: enrolment.install(credential.folder, b"no certificate"))
    enrolment.install(credential.folder, device + authority)
    refused("key-exists", lambda: enrolment.install(credential.folder, device + authority))


def test_a_key_that_is_elsewhere_asks_for_a_certificate() -> None:
    class Elsewhere:
        public_key = private_key("elsewhere").public_key()
        sign = staticmethod(key_file.FileKey(private_key("elsewhere"), b"").sign)

    key = KeyElsewhere(Elsewhere())
    request = enrolment.make_request(key, CLAIMS)
    assert request.is_signature_valid
    assert claims_of(request) == CLAIMS
    for leak in (key.private_numbers, key.private_bytes, key.__copy__, lambda: key.exchange(ec.ECDH(), None)):
        with pytest.raises(TypeError, match="only signs"):
            leak()


@pytest.mark.parametrize("serial", ["", "C1 0001", "x" * 41, "-1", "C1/1"])
def test_a_serial_does_not_name_a_device(tmp_path: Path, serial: str) -> None:
    config = load_config(write_kiosk(tmp_path, {"driver": "sealed-credential"}))
    path = tmp_path / "device-key.cred"
    refused(
        "key-serial", lambda: enrol.request(KeyPlace.of(config), serial, seal="host", credential=path, replace=False)
    )
    assert not path.exists()


def test_a_training_kiosk_is_given_an_election_that_is_not_one(tmp_path: Path) -> None:
    with pytest.raises(LayoutRefused, match="config-key-mode"):
        load_config(write_kiosk(tmp_path, {"driver": "training-file"}))


def test_a_training_kiosk_is_enrolled(tmp_path: Path) -> None:
    config = of_training(tmp_path)
    path = tmp_path / "device-key.cred"
    before = TrainingKey.open(KeyPlace.of(config).folder)
    asked = enrol.request(KeyPlace.of(config), "C1-0003", seal="host", credential=path, replace=False)
    enrolment.install(KeyPlace.of(config).folder, grant(asked))
    after = TrainingKey.open(KeyPlace.of(config).folder)
    assert after.file.private_key.public_key() == before.file.private_key.public_key()
    assert after.certificate != before.certificate
    claims = claims_of(x509.load_der_x509_certificate(after.certificate))
    assert claims == DeviceClaims(Mode.TRAINING, "C1-0003", Protection.PLAIN_FILE)


def test_a_training_kiosk_is_enrolled_before_its_first_run(tmp_path: Path) -> None:
    config = of_training(tmp_path)
    asked = enrol.request(KeyPlace.of(config), "C1-0003", seal="host", credential=tmp_path / "none", replace=False)
    key = TrainingKey.open(KeyPlace.of(config).folder).file.private_key.public_key()
    assert x509.load_pem_x509_csr(asked.encode()).public_key() == key


def of_training(folder: Path) -> KioskConfig:
    """A kiosk with a training key whose election is one."""
    config = load_config(write_kiosk(folder, {"driver": "sealed-credential"}))
    election = replace(config.definition.election, mode=Mode.TRAINING)
    file = replace(config.file, key=replace(config.file.key, driver=KeyDriver.TRAINING_FILE))
    return dataclasses.replace(config, file=file, definition=dataclasses.replace(config.definition, election=election))


def test_a_key_that_the_kiosk_makes_is_enrolled(tmp_path: Path) -> None:
    config = load_config(write_kiosk(tmp_path, {"driver": "development-file"}))
    path = tmp_path / "device-key.cred"
    refused(
        "key-self-made",
        lambda: enrol.request(KeyPlace.of(config), "C1-0001", seal="host", credential=path, replace=False),
    )


def test_the_key_is_of_another_world_than_the_election(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(write_kiosk(tmp_path, {"driver": "sealed-credential"}))
    config.key_folder.mkdir(parents=True)
    credential = Credential(config.key_folder)
    enrolment.install(credential.folder, grant(credential.request))
    monkeypatch.setenv(FOLDER_VARIABLE, credential.environment[FOLDER_VARIABLE])
    refused("key-world", lambda: PROCESSES["signer"](config))


def test_a_request_is_made_twice(tmp_path: Path) -> None:
    credential = Credential(tmp_path)
    request = x509.load_pem_x509_csr(credential.request.encode())
    with pytest.raises(SignerRefused, match="key-exists"):
        enrolment.keep_request(credential.folder, request)

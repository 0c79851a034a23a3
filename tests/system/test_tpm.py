"""The device key in a TPM: Debian's swtpm, reached as the chip of a Pi is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, TypeVar

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import load_config
from firmware.errors import Refused, SignerRefused
from firmware.records import Mode
from firmware.signing import checkpoint, enrol, enrolment
from firmware.signing.client import SignerClient
from firmware.signing.head import compare
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.keys import DeviceClaims, DeviceKey, Protection, open_device
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from tests.key_contract import KeyContract, grant
from tests.kiosk_files import write_kiosk
from tests.power import completes
from tests.system.software_tpm import SoftwareTpm
from tests.vectors import parts

tpm_key = pytest.importorskip("firmware.signing.tpm_key", reason="no tpm2-pytss here", exc_type=ImportError)
tss = pytest.importorskip("tpm2_pytss")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("swtpm") is None, reason="no swtpm here"),
]

CLAIMS = DeviceClaims(Mode.DEVELOPMENT, "C1-0001", Protection.TPM)
T = TypeVar("T")
KILLS = 25
STARTS_WITHIN_S = 20.0
RECORDS_APART_S = 900
"""So far apart that the signer does not find them too often."""


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[SoftwareTpm]:
    started = SoftwareTpm(tmp_path / "tpm")
    yield started
    started.cut()


def enrolled(tpm: SoftwareTpm, claims: DeviceClaims = CLAIMS) -> enrolment.Enrolled:
    """A new key in the TPM, with what an issuer made of its request."""
    made = tpm_key.make(tpm.tcti)
    request = enrolment.make_request(KeyElsewhere(made), claims)
    folder = tpm.folder.parent / "key"
    folder.mkdir()
    enrolment.keep_request(folder, request)
    enrolment.install(folder, grant(request.public_bytes(Encoding.PEM).decode()))
    return enrolment.load(folder)


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        call()
    assert refusal.value.code == code


class TestTpmKey(KeyContract):
    protection = Protection.TPM

    @pytest.fixture
    def key(self, tpm: SoftwareTpm) -> DeviceKey:
        opened: DeviceKey = tpm_key.TpmKey.open(tpm.tcti, enrolled(tpm))
        return opened

    def test_the_power_goes(self, tpm: SoftwareTpm, key: DeviceKey) -> None:
        counter = tpm_key.TpmCounter(tpm.tcti)
        counter.advance()
        tpm.cut()
        refused("key-tpm", lambda: key.sign(b"message"))
        tpm.start()
        assert key.sign(b"message")
        assert counter.value() == 1

    def test_something_stays_loaded(self, tpm: SoftwareTpm, key: DeviceKey) -> None:
        """Without a resource manager three forgotten objects are the end of a TPM."""
        for _ in range(5):
            key.sign(b"message")
        with tss.ESAPI(tpm.tcti) as esapi:
            _more, found = esapi.get_capability(tss.TPM2_CAP.HANDLES, tss.TPM2_HC.TRANSIENT_FIRST, 8)
            assert list(found.data.handles) == []


def test_a_key_is_copied_out(tpm: SoftwareTpm) -> None:
    enrolled(tpm)
    with tss.ESAPI(tpm.tcti) as esapi:
        handle = esapi.tr_from_tpmpublic(tss.TPM2_HANDLE(tpm_key.KEY_HANDLE))
        attributes = esapi.read_public(handle)[0].publicArea.objectAttributes
        wanted = tss.TPMA_OBJECT.FIXEDTPM | tss.TPMA_OBJECT.FIXEDPARENT | tss.TPMA_OBJECT.SENSITIVEDATAORIGIN
        assert attributes & wanted == wanted
        assert not attributes & tss.TPMA_OBJECT.DECRYPT
        null = tss.TPMT_SYM_DEF_OBJECT(algorithm=tss.TPM2_ALG.NULL)
        with pytest.raises(tss.TSS2_Exception):
            esapi.duplicate(handle, tss.ESYS_TR.NONE, None, null)


def test_another_kind_of_key_lies_at_the_handle(tpm: SoftwareTpm) -> None:
    found = enrolled(tpm)
    with tss.ESAPI(tpm.tcti) as esapi:
        handle = esapi.tr_from_tpmpublic(tss.TPM2_HANDLE(tpm_key.KEY_HANDLE))
        esapi.evict_control(tss.ESYS_TR.OWNER, handle, tpm_key.KEY_HANDLE)
        movable = tss.TPMA_OBJECT.USERWITHAUTH | tss.TPMA_OBJECT.SENSITIVEDATAORIGIN | tss.TPMA_OBJECT.SIGN_ENCRYPT
        template = tss.TPMT_PUBLIC.parse("ecc256:ecdsa-sha256", objectAttributes=movable)
        other = esapi.create_primary(None, tss.TPM2B_PUBLIC(template), tss.ESYS_TR.OWNER)[0]
        esapi.evict_control(tss.ESYS_TR.OWNER, other, tpm_key.KEY_HANDLE)
        esapi.flush_context(other)
    refused("key-tpm", lambda: tpm_key.TpmKey.open(tpm.tcti, found))


def test_there_is_no_key(tpm: SoftwareTpm, tmp_path: Path) -> None:
    found = enrolled(tpm)
    other = SoftwareTpm(tmp_path / "other")
    refused("key-tpm", lambda: tpm_key.TpmKey.open(other.tcti, found))
    tpm_key.make(other.tcti)
    refused("key-certificate", lambda: tpm_key.TpmKey.open(other.tcti, found))
    other.cut()


def test_a_key_in_a_tpm_is_certified_as_a_file(tpm: SoftwareTpm) -> None:
    found = enrolled(tpm, DeviceClaims(Mode.DEVELOPMENT, "C1-0001", Protection.SEALED_FILE))
    refused("key-protection", lambda: tpm_key.TpmKey.open(tpm.tcti, found))


def test_a_key_is_made_again(tpm: SoftwareTpm) -> None:
    first = tpm_key.make(tpm.tcti)
    tpm_key.TpmCounter(tpm.tcti).advance()
    refused("key-exists", lambda: tpm_key.make(tpm.tcti))
    second = tpm_key.make(tpm.tcti, replace=True)
    assert second.public_key != first.public_key
    assert tpm_key.TpmCounter(tpm.tcti).value() == 0


def test_the_counter_is_deleted_or_its_beginning_rewritten(tpm: SoftwareTpm) -> None:
    tpm_key.make(tpm.tcti)
    counter = tpm_key.TpmCounter(tpm.tcti)
    for _ in range(3):
        counter.advance()
    with tss.ESAPI(tpm.tcti) as esapi:
        base = esapi.tr_from_tpmpublic(tss.TPM2_HANDLE(tpm_key.BASE_INDEX))
        with pytest.raises(tss.TSS2_Exception, match="locked"):
            esapi.nv_write(base, (99).to_bytes(8))
        index = esapi.tr_from_tpmpublic(tss.TPM2_HANDLE(tpm_key.COUNTER_INDEX))
        public = esapi.nv_read_public(index)[0]
        public.nvPublic.attributes &= ~tss.TPMA_NV.WRITTEN
        esapi.nv_undefine_space(index)
        esapi.nv_increment(esapi.nv_define_space(b"", public))
    assert counter.value() == 4


class Kiosk:
    """A signer with its key in the TPM; its clock goes fast enough for its records not to be too often."""

    def __init__(self, tpm: SoftwareTpm, state: Path) -> None:
        self.tpm, self.state = tpm, state
        self.key = tpm_key.TpmKey.open(tpm.tcti, enrolled(tpm))
        self.counter = tpm_key.TpmCounter(tpm.tcti)

    def open(self) -> Signer:
        return Signer(self.state, self.key, self.clock, self.counter)

    def clock(self) -> ClockReading:
        records = len(list((self.state / "chain").glob("0*.cbor")))
        return ClockReading(parts.SEALED_AT + records * RECORDS_APART_S, ClockQuality.SYNCHRONISED)

    def seal(self, signer: Signer, number: int) -> bytes:
        return signer.seal(parts.draft(tps=f"{int(parts.TPS) + number}")).sha256


@pytest.fixture
def kiosk(tpm: SoftwareTpm, tmp_path: Path) -> Kiosk:
    return Kiosk(tpm, tmp_path / "state")


def test_the_power_goes_at_any_step_of_a_seal(kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One signer and one TPM, a record more at every try: the number of tries is the number of steps."""
    step = 0

    def sealing() -> Callable[[], object]:
        signer = kiosk.open()
        return lambda: kiosk.seal(signer, step)

    done = False
    while not done:
        done = completes(step, sealing, monkeypatch)
        signer = kiosk.open()
        kiosk.seal(signer, step)
        assert signer.head().size == kiosk.counter.value() == step + 1
        signer.close()
        step += 1
    assert step > 8


def test_the_signer_is_killed_at_random_moments(kiosk: Kiosk) -> None:
    """Whatever was answered before a kill is answered the same after it; counter and memory never part."""
    chance, answered = random.Random(7), dict[int, bytes]()
    for _ in range(KILLS):
        child, pipe = _sealing_child(kiosk, len(answered))
        told = pipe.read(32)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told += pipe.read()
        pipe.close()
        start = len(answered)
        answered |= {start + at // 32: told[at : at + 32] for at in range(0, len(told) - 31, 32)}
        signer = kiosk.open()
        size = signer.head().size
        assert kiosk.counter.value() == size
        assert len(answered) <= size <= len(answered) + 1
        for number in range(start, size):
            assert answered.setdefault(number, again := kiosk.seal(signer, number)) == again
        compare(signer.head(), [answered[number] for number in sorted(answered)])
        signer.close()
    assert len(answered) >= KILLS


def _sealing_child(kiosk: Kiosk, start: int) -> tuple[int, IO[bytes]]:
    """A process that seals on and on, and tells each hash as it is answered."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signer = kiosk.open()
        for number in count(start):
            os.write(writer, kiosk.seal(signer, number))
    os.close(writer)
    return child, os.fdopen(reader, "rb", buffering=0)


def test_an_old_copy_of_the_memory_is_put_back(kiosk: Kiosk, tmp_path: Path) -> None:
    signer = kiosk.open()
    kiosk.seal(signer, 0)
    shutil.copytree(kiosk.state, tmp_path / "copy")
    kiosk.seal(signer, 1)
    signer.close()
    shutil.rmtree(kiosk.state)
    shutil.copytree(tmp_path / "copy", kiosk.state)
    refused("signer-rolled-back", kiosk.open)


def test_a_kiosk_is_enrolled_and_signs(tpm: SoftwareTpm, tmp_path: Path) -> None:
    config = write_kiosk(tmp_path, {"driver": "tpm", "tcti": tpm.tcti})
    asked = CliRunner().invoke(enrol.main, ["request", "--config", str(config), "--serial", "C1-0001"])
    assert asked.exit_code == 0, asked.output
    (tmp_path / "device.pem").write_bytes(grant(asked.output))
    installed = CliRunner().invoke(enrol.main, ["install", "--config", str(config), str(tmp_path / "device.pem")])
    assert "C1-0001: development, key kept as tpm" in installed.output
    again = CliRunner().invoke(enrol.main, ["request", "--config", str(config), "--serial", "C1-0001"])
    assert (again.exit_code, "key-exists" in again.output) == (1, True)

    running = subprocess.Popen([sys.executable, "-m", "firmware", "run", "signer", "--config", str(config)])
    try:
        client = SignerClient(load_config(config).signer_socket)
        device = _answer(client.device, running)
        assert device.protection is Protection.TPM
        sealed = client.seal(parts.draft())
        compare(client.head(), [sealed.sha256])
        opened = open_device(x509.load_der_x509_certificate(device.certificate))
        assert checkpoint.verify(client.checkpoint(), opened).size == 1
    finally:
        running.terminate()
        running.wait()


def _answer(ask: Callable[[], T], running: subprocess.Popen[bytes]) -> T:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            return ask()
        except SignerRefused:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_retired_device_has_no_key_any_more(tpm: SoftwareTpm) -> None:
    card = enrolled(tpm)
    assert len(tpm_key.destroy(tpm.tcti)) == 3, "the key, its counter, and where that stood"
    refused("key-tpm", lambda: tpm_key.TpmKey.open(tpm.tcti, card))
    refused("key-tpm", lambda: tpm_key.TpmCounter(tpm.tcti).value())
    tpm.cut()
    tpm.start()
    refused("key-tpm", lambda: tpm_key.TpmKey.open(tpm.tcti, card))
    assert tpm_key.destroy(tpm.tcti) == (), "again: there is nothing left"

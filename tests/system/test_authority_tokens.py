"""The key of an authority in a TPM (swtpm) and in a PKCS#11 token (SoftHSM2); and shares of a passphrase (ssss)."""

from __future__ import annotations

import base64
import itertools
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.errors import Refused
from firmware.records import Mode
from provisioning.authority import folder as authority_folder
from provisioning.authority import issuing
from tests.authority_contract import NOW, AuthorityContract
from tests.offices import keep
from tests.system.software_tpm import SoftwareTpm

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
SHARES, ENOUGH = 5, 3

pytestmark = pytest.mark.system


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="no swtpm here")
class TestTpm(AuthorityContract):
    refusal = "key-tpm"

    @pytest.fixture
    def way(self, tmp_path: Path) -> Iterator[list[str]]:
        pytest.importorskip("tpm2_pytss")
        tpm = SoftwareTpm(tmp_path / "tpm")
        yield ["--key", "tpm", "--tcti", tpm.tcti]
        tpm.cut()


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token named kpu. SoftHSM2 reads where its tokens are once for each process."""
    pytest.importorskip("pkcs11")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    pin = AuthorityContract.passphrase.decode()
    command = ["softhsm2-util", "--init-token", "--free", "--label", "kpu", "--pin", pin, "--so-pin", "87654321"]
    subprocess.run(command, check=True, capture_output=True)
    yield
    del os.environ["SOFTHSM2_CONF"]


@pytest.mark.skipif(not Path(SOFTHSM).exists(), reason="no SoftHSM2 here")
class TestToken(AuthorityContract):
    refusal = "key-pkcs11"

    @pytest.fixture
    def way(self, tokens: None) -> list[str]:
        return ["--key", "pkcs11", "--module", SOFTHSM, "--token", "kpu"]

    def test_a_token_that_is_not_there(self, way: list[str], tmp_path: Path) -> None:
        arguments = ["root", str(tmp_path / "x"), "--organisation", "KPU", "--world", "real", *way[:-1], "lain"]
        assert "key-pkcs11" in self.typed(*arguments, code=1)
        assert not (tmp_path / "x").exists()


@pytest.mark.skipif(shutil.which("ssss-split") is None, reason="no ssss here")
def test_three_of_five_people_open_the_root_again(tmp_path: Path) -> None:
    """The backup of the ceremony: a copy of the folder, and shares of its passphrase."""
    secret = base64.b64encode(secrets.token_bytes(12)).decode()
    keep(tmp_path / "root", issuing.make_root("KPU", Mode.REAL, NOW), secret.encode())
    shutil.copytree(tmp_path / "root", tmp_path / "copy")
    split = ["ssss-split", "-t", str(ENOUGH), "-n", str(SHARES), "-q"]
    shares = subprocess.run(split, input=secret, text=True, capture_output=True, check=True).stdout.split()
    assert len(shares) == SHARES
    for some in itertools.combinations(shares, ENOUGH):
        assert authority_folder.load(tmp_path / "copy", combined(some).encode()).certificate
    with pytest.raises(Refused, match="authority-unreadable"):
        authority_folder.load(tmp_path / "copy", combined(shares[: ENOUGH - 1]).encode() or b"x")


def combined(shares: tuple[str, ...] | list[str]) -> str:
    """What so many shares give; ssss tells it on its standard error."""
    command = ["ssss-combine", "-t", str(len(shares)), "-q"]
    done = subprocess.run(
        command, input="\n".join(shares) + "\n", capture_output=True, check=False, text=True, errors="replace"
    )
    return done.stderr.strip()

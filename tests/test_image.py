"""What an image consists of is told wrongly, and what is judged after an update."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from firmware.selftest.plan import PLAN
from provisioning.image import contents, health
from provisioning.image.health import Health

IMAGE = Path("provisioning/image")
INSTALLED = "rauc 1.13-3 arm64 rauc 1.13-3\nbase-files 13.8 arm64 base-files 13.8\n"
DESCRIBED = """Package: base-files
Version: 13.8
Maintainer: Somebody
SHA256: aa

Package: rauc
Version: 1.13-3
Maintainer: Somebody else
SHA256: bb
"""


def test_a_package_comes_from_nowhere() -> None:
    assert [entry.sha256 for entry in contents.packages(INSTALLED, DESCRIBED)] == ["aa", "bb"]
    with pytest.raises(KeyError):
        contents.packages(INSTALLED + "evil 1 arm64 evil 1\n", DESCRIBED)


def test_a_wheel_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", "Name: a\nVersion: 1\nLicense-Expression: MIT\n\nText: 2\n")
    (found,) = contents.wheels(tmp_path)
    assert (found.name, found.version, found.license) == ("a", "1", "MIT")
    assert found.sha256 == contents.sha256(tmp_path / "a-1-py3-none-any.whl")


def test_a_file_with_a_space_in_its_name() -> None:
    tree = "etc\td\t755\t0:0\t4096\t\nusr/a b\tf\t644\t0:0\t3\t\nusr/c\tl\t777\t0:0\t3\ta b\n"
    folder, file, link = contents.files(tree, "cc  usr/a b\n")
    assert (folder.size, file.size, file.sha256, link.target) == (0, 3, "cc", "a b")


def test_an_update_makes_something_worse() -> None:
    before = Health(units=("a.service", "b.service"), checks=("model", "ledger"))
    assert health.worse(before, before) == ()
    assert health.worse(before, Health(("b.service",), ("model", "printer"))) == (
        "a.service is not active",
        "ledger fails",
    )


def test_the_place_is_not_what_it_was() -> None:
    """Without a network there is no time after the restart, and the chip is warm."""
    known = {entry.name for entry in PLAN}
    assert known >= health.SURROUNDINGS
    before = Health((), tuple(sorted(known)))
    assert health.worse(before, Health((), tuple(known - health.SURROUNDINGS))) == ()


def test_what_was_not_good_before_need_not_be_good_now() -> None:
    assert health.worse(Health((), ()), Health((), ())) == ()


@pytest.mark.parametrize("answer", ["import sys; sys.exit(3)", "print('{')", "print('{}')"])
def test_the_selftest_of_the_new_release_does_not_answer(answer: str) -> None:
    assert health.look((sys.executable, "-c", answer)).checks == ()
    assert health.look(("/nowhere/c1kiosk",)).checks == ()


def test_the_selftest_answers_not_ready() -> None:
    page = {
        "ready": False,
        "checks": [{"check": "model", "passed": True, "seen": "x"}, {"check": "key", "passed": False}],
    }
    program = f"import sys; print({json.dumps(json.dumps(page))}); sys.exit(1)"
    assert health.look((sys.executable, "-c", program)).checks == ("model",)


def test_compare_names_what_is_worse(tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text('{"units": ["c1kiosk-signer.service"], "checks": []}')
    command = [sys.executable, "-m", "provisioning.image.health", "compare", str(before)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "c1kiosk-signer.service is not active\n")


def test_a_slot_that_was_kept_is_taken_for_one_on_trial() -> None:
    """RAUC writes the number of tries in base sixteen, U-Boot and the shell read it in base ten."""
    where = {
        "rootfs/etc/rauc/system.conf": "boot-attempts=([0-9]+)",
        "rootfs/usr/lib/c1kiosk/healthy": "CONFIRMED=([0-9]+)",
        "rootfs/usr/lib/c1kiosk/may-install": "CONFIRMED=([0-9]+)",
        "boot/boot.cmd": "setenv confirmed ([0-9]+)",
        "stage.sh": "BOOT_A_LEFT=([0-9]+)",
    }
    found = {re.findall(pattern, (IMAGE / name).read_text(encoding="utf-8"))[0] for name, pattern in where.items()}
    assert len(found) == 1
    (tries,) = found
    assert format(int(tries), "x") == tries

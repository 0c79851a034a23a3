"""Installer and wheelhouse are used wrongly, or given something broken: refused by name, and nothing is changed."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "provisioning"


def run(script: str, *options: str) -> tuple[int, str]:
    """Exit status and what was said on stderr."""
    done = subprocess.run(["bash", SCRIPTS / script, *options], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    (folder / "release").write_text("version=0.1.0\npython=3.13\narch=arm64\n")
    digest = sha256((folder / "release").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  release\n")
    return folder


@pytest.mark.parametrize("script", ["install.sh", "wheelhouse.sh", "wheelhouse_tpm.sh"])
def test_nobody_is_told_how_it_is_used(script: str) -> None:
    done = subprocess.run(["bash", SCRIPTS / script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script}")


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("install.sh", ("--no-such-option",)),
        ("install.sh", ("--upgrade", "--rollback")),
        ("wheelhouse.sh", ()),
        ("wheelhouse.sh", ("--out", "x", "--python", "2.7")),
        ("wheelhouse.sh", ("--out", "x", "--arch", "m68k")),
    ],
)
def test_it_is_used_wrongly(script: str, options: tuple[str, ...]) -> None:
    assert run(script, *options)[0] == 2


def test_a_folder_that_is_no_wheelhouse(root: Path) -> None:
    status, said = run("install.sh", "--root", str(root), "--wheelhouse", str(root))
    assert (status, said.split(":")[0]) == (1, "install-wheelhouse")
    assert not (root / "opt").exists()


def test_a_wheelhouse_that_was_copied_badly(root: Path, wheelhouse: Path) -> None:
    (wheelhouse / "release").write_text("version=6.6.6\n")
    status, said = run("install.sh", "--root", str(root), "--wheelhouse", str(wheelhouse))
    assert status == 1
    assert "install-wheelhouse-damaged" in said
    assert not (root / "opt").exists()


def test_an_installation_that_was_cut_off_passes_for_whole(root: Path) -> None:
    assert run("install.sh", "--root", str(root), "--status")[1].startswith("install-nothing")
    releases = root / "opt" / "c1kiosk-releases"
    releases.mkdir(parents=True)
    assert run("install.sh", "--root", str(root), "--status")[1].startswith("install-unfinished")
    (releases / "unfinished").write_text("upgrade 0.1.1-0123456789ab\n")
    status, said = run("install.sh", "--root", str(root), "--status")
    assert status == 1
    assert "upgrade 0.1.1-0123456789ab" in said


def test_a_release_without_its_end_passes_for_whole(root: Path) -> None:
    release = root / "opt" / "c1kiosk-releases" / "0.1.0-0123456789ab"
    release.mkdir(parents=True)
    (root / "opt" / "c1kiosk").symlink_to("c1kiosk-releases/0.1.0-0123456789ab")
    assert run("install.sh", "--root", str(root), "--status")[1].startswith("install-damaged")

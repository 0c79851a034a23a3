"""A device against its release manifest: whatever was added, taken away or changed is found, and named."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing.authorities import Purpose
from firmware.signing.cose import MessageType, sign_bytes
from firmware.signing.key_file import FileKey
from provisioning import release
from provisioning.authority import issuing
from provisioning.release import Difference, Manifest

NOW = datetime.now(UTC)
PROGRAM = "opt/c1kiosk/firmware/cli.py"
UNIT = "etc/systemd/system/c1kiosk-signer.service"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    for name, text in {PROGRAM: "print(1)\n", UNIT: "[Service]\n", "etc/hostname": "kiosk\n"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "opt/c1kiosk/python").symlink_to("/usr/bin/python3")
    return tmp_path


@pytest.fixture
def manifest(device: Path) -> Manifest:
    return release.make_manifest(device, "0.1.0")


def found(device: Path, manifest: Manifest) -> list[tuple[str, str]]:
    listed = release.list_tree(device, (*manifest.trees, *manifest.watched))
    return [(str(entry.what), entry.path) for entry in release.compare(manifest, listed)]


def test_the_manifest_is_made_into_a_file_beside_it(device: Path, manifest: Manifest) -> None:
    (device / "opt/c1kiosk/release.json.new").write_bytes(b"")
    during = release.make_manifest(device, "0.1.0")
    (device / "opt/c1kiosk/release.json.new").rename(device / release.MANIFEST)
    assert during == manifest
    assert found(device, during) == []


def test_an_untouched_device_has_no_finding(device: Path, manifest: Manifest) -> None:
    assert {entry.path for entry in manifest.entries} >= {PROGRAM, UNIT, "opt/c1kiosk", "opt/c1kiosk/python"}
    assert found(device, manifest) == []
    assert release.decode(release.encode(manifest)) == manifest


CHANGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "one byte is another": (lambda root: (root / PROGRAM).write_text("print(2)\n"), "changed", PROGRAM),
    "a file is gone": (lambda root: (root / PROGRAM).unlink(), "missing", PROGRAM),
    "a module lies beside": (
        lambda root: (root / "opt/c1kiosk/firmware/cv2.py").write_text(""), "extra", "opt/c1kiosk/firmware/cv2.py",
    ),
    "a drop-in gives the signer more": (
        lambda root: _write(root / f"{UNIT}.d/more.conf", "[Service]\nUser=root\n"), "extra", f"{UNIT}.d/more.conf",
    ),
    "everybody may write": (lambda root: (root / PROGRAM).chmod(0o666), "mode", PROGRAM),
    "a file became a link": (lambda root: _relink(root / PROGRAM, "/tmp/cli.py"), "kind", PROGRAM),
    "a link leads elsewhere": (
        lambda root: _relink(root / "opt/c1kiosk/python", "/tmp/python"), "link", "opt/c1kiosk/python",
    ),
    "a pipe": (lambda root: os.mkfifo(root / "opt/c1kiosk/pipe"), "extra", "opt/c1kiosk/pipe"),
}  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("name", CHANGES)
def test_a_device_was_changed(device: Path, manifest: Manifest, name: str) -> None:
    change, what, path = CHANGES[name]
    change(device)
    assert (what, path) in found(device, manifest)


@pytest.mark.parametrize("target", ["c1kiosk-releases/0.1.0", "/opt/c1kiosk-releases/0.1.0"])
def test_the_release_in_use_is_behind_a_link(device: Path, target: str) -> None:
    (device / "opt/c1kiosk-releases").mkdir()
    (device / "opt/c1kiosk").rename(device / "opt/c1kiosk-releases/0.1.0")
    (device / "opt/c1kiosk").symlink_to(target)
    manifest = release.make_manifest(device, "0.1.0")
    assert PROGRAM in {entry.path for entry in manifest.entries}
    (device / "opt/c1kiosk-releases/0.1.0/firmware/cli.py").write_text("print(2)\n")
    assert found(device, manifest) == [("changed", PROGRAM)]
    _relink(device / "opt/c1kiosk", "c1kiosk-releases/older")
    assert ("link", "opt/c1kiosk") in found(device, manifest)
    assert ("missing", PROGRAM) in found(device, manifest)


def test_files_of_others_are_not_looked_at(device: Path, manifest: Manifest) -> None:
    (device / "etc/hostname").write_text("other\n")
    _write(device / "etc/systemd/system/cron.service", "[Service]\n")
    assert found(device, manifest) == []


def test_the_owner_is_another(manifest: Manifest, device: Path) -> None:
    listed = list(release.list_tree(device, (*manifest.trees, *manifest.watched)))
    stolen = [msgspec.structs.replace(e, owner="12345:12345") if e.path == PROGRAM else e for e in listed]
    assert [f.what for f in release.compare(manifest, stolen)] == [Difference.OWNER]


LOCAL = next(path for path in release.LOCAL if "signer" in path)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[Service]\n# a key\nLoadCredentialEncrypted=device-key:/etc/c1kiosk/device-key.cred\n", []),
        ("[Service]\nExecStart=/tmp/signer\n", ["ExecStart=/tmp/signer"]),
        ("[Unit]\n", ["[Unit]"]),
        ("[Service]\nIPAddressAllow=any\n", ["IPAddressAllow=any"]),
        ("[Service]\nIPAddressAllow=192.0.2.7\n", []),
    ],
)
def test_a_drop_in_of_this_device_says_more_than_it_may(device: Path, text: str, lines: list[str]) -> None:
    _write(device / LOCAL, text)
    listed = [e for e in release.list_tree(device, release.WATCHED) if e.path in release.LOCAL]
    entries = [msgspec.structs.replace(entry, owner="0:0") for entry in listed]
    assert [f.seen for f in release.compare_local(entries, lambda path: (device / path).read_bytes())] == lines


def test_somebody_else_is_root() -> None:
    good = "root:x:0:0::/root:/bin/bash\n" + "".join(f"{u}:x:99:77::/:/usr/sbin/nologin\n" for u in release.USERS)
    assert release.compare_users(good, "c1kiosk:x:77:\n") == []
    assert [f.seen for f in release.compare_users(good + "toor:x:0:0::/:/bin/sh\n", "c1kiosk:x:77:\n")] == ["is root"]
    (shell,) = release.compare_users(good.replace("nologin", "bash", 1), "c1kiosk:x:77:\n")
    assert shell.path == release.USERS[0]
    assert len(release.compare_users("root:x:0:0::/root:/bin/bash\n", "")) == len(release.USERS)


def test_a_manifest_is_signed_by_somebody_else(manifest: Manifest) -> None:
    root = issuing.make_root("KPU", Mode.REAL, NOW)
    signer, other = (issuing.make_authority(root, purpose, "pemilu-2029", NOW) for purpose in
                     (Purpose.RELEASE, Purpose.ELECTION))  # fmt: skip
    data = release.encode(manifest)

    def signed(by: issuing.Authority) -> bytes:
        key = FileKey(by.issuer.private_key, by.certificate.public_bytes(Encoding.DER))
        return sign_bytes(data, MessageType.RELEASE, key)

    assert release.open_release(signed(signer), root.certificate, signer.certificate) == data
    with pytest.raises(Refused, match="release-authority"):
        release.open_release(signed(other), root.certificate, signer.certificate)
    with pytest.raises(Refused, match="certificate-purpose"):
        release.open_release(signed(other), root.certificate, other.certificate)
    stranger = issuing.make_root("KPU", Mode.REAL, NOW)
    with pytest.raises(Refused, match="certificate-issuer"):
        release.open_release(signed(signer), stranger.certificate, signer.certificate)

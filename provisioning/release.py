"""The release manifest: every file that an installed kiosk consists of, byte for byte; and what differs from it.

    python -m provisioning.release make --version 0.1.0 > release.json      on a device that was just installed
    python -m provisioning.release sign RELEASE release.json release.cose   in the office, by the release authority
    python -m provisioning.audit ...                                        any device against release.cose

The manifest names what lies in TREES, whole, and what in WATCHED has the program's name in its path: units, udev rules,
users. A path, its kind, mode, owner (numbers), size and SHA-256, or where a link points, is a claim; anything in those
folders that is not named is a finding as well. `release.json` names all files but itself: an audit compares it with the
manifest that the laptop holds.

Drop-ins say what this one device has (its key, its printer's address). They are named in no manifest; each may hold
the lines of LOCAL and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

import click
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import VerificationRefused
from firmware.signing.authorities import Purpose, Scope, check_root, check_scope
from firmware.signing.cose import MessageType, parse, sign_bytes, verified_bytes
from firmware.signing.election import load_pem
from firmware.signing.key_file import FileKey
from firmware.signing.keys import key_id, public_key_of
from provisioning.authority import folder as authority_folder
from provisioning.authority.desk import Desk, passphrase
from provisioning.authority.issuing import ProvisioningRefused

TREES = ("opt/c1kiosk",)
"""Folders whose whole content is the release."""
WATCHED = (
    "etc/systemd",
    "usr/lib/systemd/system",
    "etc/udev/rules.d",
    "usr/lib/udev/rules.d",
    "etc/sysusers.d",
    "usr/lib/sysusers.d",
    "etc/tmpfiles.d",
    "usr/lib/tmpfiles.d",
    "etc/modprobe.d",
    "etc/modules-load.d",
)
"""Folders of which only what has NAME in its path is the release's."""
NAME = "c1kiosk"
MANIFEST = "opt/c1kiosk/release.json"
SIGNED_MANIFEST = "opt/c1kiosk/release.cose"
"""May lie beside the other; what it says is not believed because it lies there."""
USERS = ("c1kiosk-station", "c1kiosk-signer", "c1kiosk-endpoint", "c1kiosk-uplink")
GROUP = "c1kiosk"
MAX_BYTES = 64 * 1024 * 1024
"""Of a manifest: one of 10,000 files is about 2 MB, one of a whole image with 60,000 about 12 MB."""
BLOCK_BYTES = 1 << 20

_UNITS = "etc/systemd/system/c1kiosk"
_ADDRESS = re.compile(r"IPAddressAllow=[0-9a-f.:]+(/[0-9]{1,3})?")
LOCAL: Mapping[str, frozenset[str]] = {
    f"{_UNITS}-signer.service.d/key.conf": frozenset(
        {
            "LoadCredentialEncrypted=device-key:/etc/c1kiosk/device-key.cred",
            "PrivateDevices=no",
            "DeviceAllow=/dev/tpmrm0 rw",
            "SupplementaryGroups=tss",
        }
    ),
    f"{_UNITS}-station.service.d/printer.conf": frozenset(
        {"PrivateNetwork=no", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"}
    ),
    f"{_UNITS}-endpoint.service.d/lan.conf": frozenset(),
}
"""Drop-ins of one device and the lines they may hold, besides [Service], comments and IPAddressAllow=."""


class Kind(StrEnum):
    """What lies at a path; anything else has no place in a release."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A device, socket or pipe: always a finding."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One path."""

    path: str
    """From the root, without a slash in front."""
    kind: Kind
    mode: str
    """Octal, as chmod takes it; of a link always 0777."""
    owner: str
    """Numbers, user:group."""
    size: int = 0
    sha256: str = ""
    """Both of a file only."""
    target: str = ""
    """Of a link only, as it is written."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """release.json."""

    format: Literal[1]
    version: str
    trees: tuple[str, ...]
    watched: tuple[str, ...]
    entries: tuple[Entry, ...]

    def covers(self, path: str) -> bool:
        """Whether the manifest speaks of this path, if only by not naming it."""
        if path in _MANIFESTS or path in LOCAL or f"{path}/" in _LOCAL_FOLDERS:
            return False
        return _below(path, self.trees) or (NAME in path and _below(path, self.watched))


_MANIFESTS = (MANIFEST, f"{MANIFEST}.new", SIGNED_MANIFEST)
"""The manifest does not name itself, nor the file that it is being written into."""
_LOCAL_FOLDERS = frozenset(f"{Path(path).parent}/" for path in LOCAL)


class Difference(StrEnum):
    """In what a device differs from its manifest."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"
    """Other bytes."""
    KIND = "kind"
    MODE = "mode"
    OWNER = "owner"
    LINK = "link"
    """Points elsewhere."""
    USER = "user"
    LOCAL = "local"
    """A drop-in that says more than it may."""


class Finding(msgspec.Struct, frozen=True):
    """One difference."""

    what: Difference
    path: str
    seen: str = ""


# --- what is there ----------------------------------------------------------------------------------------------------


def list_tree(root: Path, folders: Iterable[str]) -> Iterator[Entry]:
    """Everything in `folders` below `root`; folders that are not there have nothing in them.

    A link is not followed, unless it is one of `folders` itself: /opt/c1kiosk links to the release that is in use.
    """
    for folder in folders:
        top = root / folder
        if os.path.lexists(top):
            yield _entry(folder, top)
        start = inside(root, top)
        for where, folders_in, files in os.walk(start):
            below = Path(folder) / Path(where).relative_to(start)
            for name in sorted([*folders_in, *files]):
                yield _entry((below / name).as_posix(), Path(where) / name)


def inside(root: Path, top: Path) -> Path:
    """Where a folder lies, its link followed as the device would, that is below `root`."""
    if not top.is_symlink():
        return top
    target = top.readlink()
    return root / target.relative_to("/") if target.is_absolute() else top.parent / target


def make_manifest(
    root: Path, version: str, trees: tuple[str, ...] = TREES, watched: tuple[str, ...] = WATCHED
) -> Manifest:
    """The manifest of what is installed below `root`."""
    empty = Manifest(1, version, trees, watched, ())
    entries = sorted(
        (entry for entry in list_tree(root, (*trees, *watched)) if empty.covers(entry.path)), key=lambda e: e.path
    )
    return msgspec.structs.replace(empty, entries=tuple(entries))


def _entry(name: str, path: Path) -> Entry:
    found = path.lstat()
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    owner = f"{found.st_uid}:{found.st_gid}"
    if stat.S_ISLNK(found.st_mode):
        return Entry(name, Kind.LINK, mode, owner, target=str(path.readlink()))
    if stat.S_ISDIR(found.st_mode):
        return Entry(name, Kind.FOLDER, mode, owner)
    if not stat.S_ISREG(found.st_mode):
        return Entry(name, Kind.OTHER, mode, owner)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Entry(name, Kind.FILE, mode, owner, found.st_size, digest.hexdigest())


# --- what differs: pure -----------------------------------------------------------------------------------------------


def compare(manifest: Manifest, found: Iterable[Entry]) -> list[Finding]:
    """Every difference between a manifest and what was listed, by path."""
    there = {entry.path: entry for entry in found if manifest.covers(entry.path)}
    findings = [Finding(Difference.EXTRA, path) for path in there.keys() - {entry.path for entry in manifest.entries}]
    for entry in manifest.entries:
        if entry.path not in there:
            findings.append(Finding(Difference.MISSING, entry.path))
        else:
            findings += _differences(entry, there[entry.path])
    return sorted(findings, key=lambda finding: (finding.path, finding.what))


def _differences(want: Entry, have: Entry) -> Iterator[Finding]:
    if want.kind is not have.kind:
        yield Finding(Difference.KIND, want.path, str(have.kind))
        return
    if (want.size, want.sha256) != (have.size, have.sha256):
        yield Finding(Difference.CHANGED, want.path, f"{have.size} bytes, sha256 {have.sha256[:16]}")
    if want.target != have.target:
        yield Finding(Difference.LINK, want.path, have.target)
    if want.mode != have.mode:
        yield Finding(Difference.MODE, want.path, f"{have.mode}, not {want.mode}")
    if want.owner != have.owner:
        yield Finding(Difference.OWNER, want.path, f"{have.owner}, not {want.owner}")


def compare_manifest_file(manifest: bytes, on_device: bytes | None) -> list[Finding]:
    """The device's own release.json: it must be the one that the laptop holds."""
    if on_device is None:
        return [Finding(Difference.MISSING, MANIFEST)]
    return [] if on_device == manifest else [Finding(Difference.CHANGED, MANIFEST)]


def compare_local(found: Iterable[Entry], read: Callable[[str], bytes | None]) -> list[Finding]:
    """The drop-ins of this device: lines that they must not hold, and files beside them."""
    findings = []
    for entry in found:
        if entry.path in LOCAL:
            lines = (read(entry.path) or b"").decode(errors="replace").splitlines()
            findings += [
                Finding(Difference.LOCAL, entry.path, line)
                for line in map(str.strip, lines)
                if not _may_stand(line, LOCAL[entry.path])
            ]
            if (entry.kind, entry.owner) != (Kind.FILE, "0:0") or int(entry.mode, 8) & 0o022:
                findings.append(Finding(Difference.OWNER, entry.path, f"{entry.owner} {entry.mode}"))
    return findings


def _may_stand(line: str, allowed: frozenset[str]) -> bool:
    return not line or line.startswith("#") or line == "[Service]" or line in allowed or bool(_ADDRESS.fullmatch(line))


def compare_users(passwd: str, group: str) -> list[Finding]:
    """The kiosk's users, who cannot log in; and nobody besides root is root."""
    users = {fields[0]: fields for line in passwd.splitlines() if len(fields := line.split(":")) == 7}
    gids = {fields[0]: fields[2] for line in group.splitlines() if len(fields := line.split(":")) == 4}
    findings = [Finding(Difference.USER, name, "not there") for name in USERS if name not in users]
    for name in USERS:
        if name in users and (users[name][3] != gids.get(GROUP) or not users[name][6].endswith(("nologin", "false"))):
            findings.append(Finding(Difference.USER, name, ":".join(users[name])))
    findings += [
        Finding(Difference.USER, name, "is root") for name in users if users[name][2] == "0" and name != "root"
    ]
    return findings


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


# --- signed -----------------------------------------------------------------------------------------------------------


def encode(manifest: Manifest) -> bytes:
    """release.json: the same manifest gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(data: bytes) -> Manifest:
    """The manifest in `data`. Raises ProvisioningRefused("release-unreadable")."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as problem:
        raise ProvisioningRefused("release-unreadable", problem=str(problem)) from problem


def open_release(cose: bytes, root: x509.Certificate, signer: x509.Certificate) -> bytes:
    """The bytes of release.json in `cose`, signed by a release authority of this root. Raises VerificationRefused."""
    scope = Scope.of(signer)
    check_scope(signer, root, Scope(Purpose.RELEASE, check_root(root).world, scope.election))
    envelope = parse(cose, MAX_BYTES)
    if envelope.kid != key_id(signer.public_bytes(Encoding.DER)):
        raise VerificationRefused("release-authority", kid=envelope.kid.hex())
    return verified_bytes(envelope, MessageType.RELEASE, public_key_of(signer))


# --- commands ---------------------------------------------------------------------------------------------------------

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passphrase-fd", type=int, help="File descriptor to read the passphrase from.")
@click.pass_context
def desk(ctx: click.Context, passphrase_fd: int | None) -> None:
    """Make, sign and show release manifests."""
    ctx.obj = None if passphrase_fd is None else os.fdopen(passphrase_fd, "rb", closefd=False)


@desk.command("make")
@click.option("--root", type=FOLDER, default="/", show_default=True, help="Where the device's file system is.")
@click.option("--version", required=True)
@click.option("--whole", is_flag=True, help="Of an image: everything but /etc, /var, /run, /proc, /sys, /dev, /tmp.")
def make_command(root: Path, version: str, whole: bool) -> None:
    """Print the manifest of what is installed."""
    trees = _whole(root) if whole else TREES
    sys.stdout.buffer.write(encode(make_manifest(root, version, trees)))


def _whole(root: Path) -> tuple[str, ...]:
    left_out = {"etc", "var", "run", "proc", "sys", "dev", "tmp", "home", "root", "mnt", "media", "lost+found"}
    return tuple(sorted(path.name for path in root.iterdir() if path.name not in left_out and not path.is_symlink()))


@desk.command("sign")
@click.argument("authority", type=FOLDER)
@click.argument("manifest", type=FILE)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def sign_command(ctx: click.Context, authority: Path, manifest: Path, out: Path) -> None:
    """Sign a manifest; AUTHORITY is the folder of a release authority (`ca authority --purpose release`)."""
    above = authority_folder.load(authority, passphrase(ctx, f"Passphrase of {authority}"))
    if above.scope.purpose is not Purpose.RELEASE:
        raise ProvisioningRefused("authority-purpose", purpose=str(above.scope.purpose))
    data = manifest.read_bytes()
    opened = decode(data)
    key = FileKey(above.issuer.private_key, above.certificate.public_bytes(Encoding.DER))
    out.write_bytes(sign_bytes(data, MessageType.RELEASE, key))
    click.echo(f"{out}: release {opened.version}, {len(opened.entries)} paths, signed")


@desk.command("show")
@click.argument("cose", type=FILE)
@click.option("--root", "root_pem", type=FILE, required=True, help="root.pem, believed.")
@click.option("--signer", type=FILE, required=True, help="Certificate of the release authority.")
def show_command(cose: Path, root_pem: Path, signer: Path) -> None:
    """Verify a signed manifest and print it."""
    sys.stdout.buffer.write(open_release(cose.read_bytes(), load_pem(root_pem), load_pem(signer)))


if __name__ == "__main__":
    desk()

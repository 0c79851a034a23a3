"""What an image consists of, read from what its build left behind: packages, wheels, the model, and every file.

Pure but for reading; the same image gives the same values in the same order.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser, HeaderParser
from pathlib import Path

import msgspec

MODEL = "models/digits.onnx"
BLOCK_BYTES = 1 << 20


class Package(msgspec.Struct, frozen=True):
    """A Debian package, as its archive describes it."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    sha256: str
    """Of the .deb, as the archive's signed list has it."""
    supplier: str


class Wheel(msgspec.Struct, frozen=True):
    """A Python wheel of the wheelhouse."""

    name: str
    version: str
    sha256: str
    license: str
    """SPDX expression; empty when the wheel does not say one."""


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path of the root slot."""

    path: str
    kind: str
    """f, d, l as find(1) has them."""
    mode: str
    owner: str
    size: int = 0
    sha256: str = ""
    target: str = ""


class Artifact(msgspec.Struct, frozen=True):
    """A file that the build makes."""

    name: str
    size: int
    sha256: str


class Image(msgspec.Struct, frozen=True):
    """manifest.json."""

    version: str
    epoch: int
    """SOURCE_DATE_EPOCH: the time that everything in the image carries."""
    commit: str
    artifacts: tuple[Artifact, ...]
    packages: tuple[Package, ...]
    wheels: tuple[Wheel, ...]
    model: Artifact
    files: tuple[File, ...]


def packages(installed: str, described: str) -> tuple[Package, ...]:
    """From `dpkg-query` (name, version, architecture, source, its version) and `apt-cache show`. Raises KeyError for a
    package that no archive describes."""
    known = {}
    for text in filter(None, described.split("\n\n")):
        entry = HeaderParser().parsestr(text)
        known[entry["Package"], entry["Version"]] = entry
    found = []
    for line in installed.splitlines():
        name, version, architecture, source, source_version = line.split(" ")
        entry = known[name, version]
        found.append(Package(name, version, architecture, source, source_version, entry["SHA256"], entry["Maintainer"]))
    return tuple(sorted(found, key=lambda package: package.name))


def wheels(folder: Path) -> Iterator[Wheel]:
    """Every wheel in `folder`, by name."""
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
            said = BytesParser().parsebytes(archive.read(name), headersonly=True)
        yield Wheel(said["Name"], said["Version"], sha256(path), said.get("License-Expression", ""))


def files(tree: str, sums: str) -> tuple[File, ...]:
    """From `find -printf` (path, kind, mode, owner, size, target) and `sha256sum`."""
    hashes = {path: digest for digest, path in (line.split("  ", 1) for line in sums.splitlines())}
    found = []
    for line in tree.splitlines():
        path, kind, mode, owner, size, target = line.split("\t")
        bytes_ = int(size) if kind == "f" else 0  # of a folder it is the file system's, not the image's
        found.append(File(path, kind, mode, owner, bytes_, hashes.get(path, ""), target))
    return tuple(found)


def artifact(path: Path, name: str = "") -> Artifact:
    """A file's name, size and hash."""
    return Artifact(name or path.name, path.stat().st_size, sha256(path))


def sha256(path: Path) -> str:
    """Of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()

"""Step 7, audit: a device against the release that the laptop holds, byte for byte.

    python -m provisioning.audit release.cose --root-pem root.pem --signer release.pem --card /media/card
    python -m provisioning.audit release.cose --root-pem root.pem --signer release.pem --ssh 10.0.0.7 --serial C1-0007 \
        --known-hosts batch/known_hosts

Looked at: every path of the release (bytes, mode, owner, where links point), what lies beside it, units and drop-ins,
udev rules, the kiosk's users, who else is root. Exit 0: nothing differs. 1: something does, each thing on a line.

What it proves. With the card in the laptop: that its files are those of the release; the laptop reads them itself.
Over ssh the device is asked, with its own find and sha256sum: that finds mistakes, half an upgrade, and whoever
changed a file and nothing else. It does not prove that the device tells the truth: a kernel, sshd or sha256sum that
was made to lie answers as it likes. Neither looks at Debian's own files (`--debian` has dpkg compare them with its own
list, which lies on the same card), at memory, or at the boot loader of the board. When it matters, take the card out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from firmware.signing.election import load_pem
from provisioning import release
from provisioning.batch.place import Place, Ssh, ask
from provisioning.batch.shown import Errand, page
from provisioning.release import Difference, Entry, Finding, Kind, Manifest

AUDIT_S = 600.0
"""Hashing 600 MB from a slow card, 20 MB/s, takes half a minute."""
SHOWN = 60
"""Findings on the page; --json has all."""
_KINDS = {"f": Kind.FILE, "d": Kind.FOLDER, "l": Kind.LINK}
_FORMAT = r"%y\0%#m\0%U:%G\0%s\0%l\0%p\0"
_FIELDS = 6


class Looked(Protocol):
    """A file system that is audited."""

    def entries(self, folders: Iterable[str]) -> list[Entry]:
        """Everything in these folders; raises Refused."""

    def read(self, path: str) -> bytes | None:
        """A file, None when it is not there."""

    def debian(self) -> list[str]:
        """Lines of `dpkg --verify`: Debian's files that differ from dpkg's own list."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card, image or root that is mounted here."""

    root: Path

    def entries(self, folders: Iterable[str]) -> list[Entry]:
        """As Looked."""
        return list(release.list_tree(self.root, folders))

    def read(self, path: str) -> bytes | None:
        """As Looked."""
        top = self.root / path
        if path.startswith("opt/c1kiosk/"):
            top = release.inside(self.root, self.root / "opt/c1kiosk") / path.removeprefix("opt/c1kiosk/")
        return top.read_bytes() if top.is_file() else None

    def debian(self) -> list[str]:
        """As Looked; by the laptop's dpkg."""
        done = subprocess.run(  # noqa: S603
            ["dpkg", f"--root={self.root}", "--verify"],  # noqa: S607
            capture_output=True,
            check=False,
            text=True,
        )
        return _configuration_aside(done.stdout)


@dataclass(frozen=True, slots=True)
class Asked:
    """A device that is asked, with Debian's own tools on it."""

    place: Place

    def entries(self, folders: Iterable[str]) -> list[Entry]:
        """As Looked."""
        tops = [f"/{folder}" for folder in folders]
        listed = self._find(tops, ["-maxdepth", "0"]) + self._find([f"{top}/" for top in tops], ["-mindepth", "1"])
        hashes = self._hashes([f"{top}/" for top in tops])
        return [_entry(fields, hashes) for fields in listed]

    def read(self, path: str) -> bytes | None:
        """As Looked."""
        ran = self.place.run(["cat", f"/{path}"])
        return ran.out if ran.status == 0 else None

    def debian(self) -> list[str]:
        """As Looked."""
        return _configuration_aside(self.place.run(["dpkg", "--verify"], within_s=AUDIT_S).out.decode(errors="replace"))

    def _find(self, tops: list[str], words: list[str]) -> list[list[str]]:
        command = ["find", *tops, *words, "-printf", _FORMAT]
        fields = self.place.run(command, within_s=AUDIT_S).out.decode(errors="surrogateescape").split("\0")[:-1]
        return [fields[start : start + _FIELDS] for start in range(0, len(fields), _FIELDS)]

    def _hashes(self, tops: list[str]) -> dict[str, str]:
        quoted = " ".join(tops)
        script = f"find {quoted} -type f -print0 2>/dev/null | xargs -0r sha256sum -z"
        lines = ask(self.place, ["bash", "-c", script], within_s=AUDIT_S).decode(errors="surrogateescape").split("\0")
        return {line[66:]: line[:64] for line in lines if line}


def audit(manifest: Manifest, data: bytes, looked: Looked) -> list[Finding]:
    """Every finding. Raises Refused when the device cannot be looked at."""
    found = looked.entries((*manifest.trees, *manifest.watched))
    findings = release.compare_manifest_file(data, looked.read(release.MANIFEST))
    findings += release.compare(manifest, found)
    findings += release.compare_local(found, looked.read)
    passwd, group = looked.read("etc/passwd") or b"", looked.read("etc/group") or b""
    return findings + release.compare_users(passwd.decode(errors="replace"), group.decode(errors="replace"))


def _entry(fields: list[str], hashes: dict[str, str]) -> Entry:
    letter, mode, owner, size, target, path = fields
    kind, name = _KINDS.get(letter, Kind.OTHER), path.strip("/")
    if kind is Kind.FILE:
        return Entry(name, kind, _mode(mode), owner, int(size), hashes.get(path, ""))
    return Entry(name, kind, _mode(mode), owner, target=target if kind is Kind.LINK else "")


def _mode(text: str) -> str:
    return f"{int(text, 8):04o}"


def _configuration_aside(text: str) -> list[str]:
    """Lines of dpkg but for configuration files, which an administrator may change."""
    return [line for line in text.splitlines() if line and " c /" not in line]


# --- command ----------------------------------------------------------------------------------------------------------

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(cls=Errand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cose", type=FILE)
@click.option("--root-pem", type=FILE, required=True, help="The root, believed.")
@click.option("--signer", type=FILE, required=True, help="Certificate of the release authority.")
@click.option(
    "--card", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where the card is mounted."
)
@click.option("--ssh", "host", help="Or a device on the network: [user@]host.")
@click.option("--serial", help="Of that device, as in known_hosts.")
@click.option("--known-hosts", type=FILE, help="Of the batch.")
@click.option("--ssh-option", multiple=True, help="A word more for ssh; may be given several times.")
@click.option("--debian", is_flag=True, help="Have dpkg compare Debian's files too.")
@click.option("--json", "as_json", is_flag=True, help="Machine output.")
def main(
    cose: Path, root_pem: Path, signer: Path, card: Path | None, host: str | None, serial: str | None,
    known_hosts: Path | None, ssh_option: tuple[str, ...], debian: bool, as_json: bool,
) -> None:  # fmt: skip
    """Compare a device with a signed release manifest (COSE), byte for byte."""
    looked = _looked(card, host, serial, known_hosts, ssh_option)
    data = release.open_release(cose.read_bytes(), load_pem(root_pem), load_pem(signer))
    manifest, begun = release.decode(data), time.monotonic()
    findings = audit(manifest, data, looked)
    findings += [
        Finding(Difference.CHANGED, line.split(maxsplit=1)[-1], "Debian's") for line in _debian(looked, debian)
    ]
    seconds = time.monotonic() - begun
    if as_json:
        click.echo(json.dumps(_document(manifest, findings, card is not None, seconds), indent=1))
    else:
        _print(manifest, findings, card is not None, seconds)
    sys.exit(1 if findings else 0)


def _looked(
    card: Path | None, host: str | None, serial: str | None, known_hosts: Path | None, options: tuple[str, ...]
) -> Looked:
    if card is not None and host is None:
        return Card(card)
    if card is None and host and serial and known_hosts:
        return Asked(Ssh(host, serial, known_hosts, options))
    raise click.UsageError("either --card, or --ssh with --serial and --known-hosts")


def _debian(looked: Looked, wanted: bool) -> list[str]:
    return looked.debian() if wanted else []


def _document(manifest: Manifest, findings: list[Finding], card: bool, seconds: float) -> dict[str, object]:
    rows = [{"what": str(entry.what), "path": entry.path, "seen": entry.seen} for entry in findings]
    looked = "card" if card else "asked"
    return {"release": manifest.version, "looked": looked, "seconds": round(seconds, 1), "findings": rows}


def _print(manifest: Manifest, findings: list[Finding], card: bool, seconds: float) -> None:
    files = sum(entry.kind is Kind.FILE for entry in manifest.entries)
    size = sum(entry.size for entry in manifest.entries)
    for entry in findings[:SHOWN]:
        click.echo(f"[x] {entry.what:<8} /{entry.path}{'  ' + entry.seen if entry.seen else ''}")
    rows = [
        ("release", manifest.version),
        ("looked at", f"{files} files, {size / 1e6:.0f} MB, {len(manifest.entries)} paths in {seconds:.1f} s"),
        ("how", "the card, read here" if card else "the device was asked: it could have lied"),
        ("findings", str(len(findings)) + (f", {SHOWN} of them above" if len(findings) > SHOWN else "")),
    ]
    page("audit", rows, "DIFFERS: do not use this device." if findings else "SAME: nothing differs from the release.")


if __name__ == "__main__":
    main()

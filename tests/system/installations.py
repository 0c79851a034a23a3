"""A machine with the kiosk on it: wheelhouses as a laptop builds them, a kiosk without camera and printer."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from tests.system.nspawn import Machine
from tests.vectors import parts

ROOT = Path(__file__).parents[2]
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
SERVICES = ("signer", "station", "endpoint", "uplink")
EVIDENCE = "/var/lib/c1kiosk"

ELECTION = {
    "version": 1,
    "name": "Pemilu uji",
    "mode": "development",
    "contests": [{"id": "ppwp", "form": "c.hasil-ppwp-2024", "candidates": []}],
    "polling_stations": [{"code": parts.TPS, "place": "Desa Uji TPS 1", "voters": 300}],
    "collectors": [{"id": "kota-bandung", "url": "http://127.0.0.1:9"}],
}
KIOSK = f"""
tps = "{parts.TPS}"
election = "election.json"
state = "{EVIDENCE}"
run = "/run/c1kiosk"
[camera]
driver = "picamera2"
[printer]
driver = "escpos-serial"
device = "/dev/ttyUSB0"
[key]
driver = "development-file"
"""


def build_wheelhouse(suite: str, out: Path, arch: str = "amd64") -> Path:
    """A wheelhouse of this tree."""
    options = ["--out", str(out), "--python", PYTHONS[suite], "--arch", arch]
    subprocess.run(["bash", ROOT / "provisioning" / "wheelhouse.sh", *options], check=True)
    return out


def other_release(wheelhouse: Path, out: Path, version: str) -> Path:
    """The same program under another version, which makes another release of it."""
    shutil.copytree(wheelhouse, out)
    release = (out / "release").read_text()
    (out / "release").write_text(release.replace(release.splitlines()[0], f"version={version}"))
    sums(out)
    return out


def sums(wheelhouse: Path) -> None:
    """SHA256SUMS of what is there."""
    files = sorted(path for path in wheelhouse.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(wheelhouse)}\n" for path in files]
    (wheelhouse / "SHA256SUMS").write_text("".join(lines))


def set_up(machine: Machine) -> None:
    """Configuration, key and trust folder; the services run afterwards."""
    folder = machine.folder / "etc" / "c1kiosk"
    (folder / "kiosk.toml").write_text(KIOSK)
    (folder / "election.json").write_text(json.dumps(ELECTION))
    (folder / "collector.pem").write_text(parts.pem(parts.COLLECTOR.certificate))
    python = "/opt/c1kiosk/.venv/bin/python"
    machine.run("chgrp -R c1kiosk /etc/c1kiosk && chmod -R g+rX /etc/c1kiosk && systemctl start c1kiosk-signer")
    machine.run(f"cd /etc/c1kiosk && {python} -m provisioning.gather_trust --collector collector.pem")
    machine.run(f"cd /etc/c1kiosk && {python} -m provisioning.set_pin .")
    machine.run("systemctl start c1kiosk.target")
    wait_for_services(machine)


def wait_for_services(machine: Machine) -> None:
    """Until each is active."""
    for name in SERVICES:
        unit = f"c1kiosk-{name}.service"
        machine.run(f"for try in $(seq 120); do systemctl -q is-active {unit} && exit 0; sleep 1; done; exit 1")


def units() -> str:
    """The names of the four services."""
    return " ".join(f"c1kiosk-{name}.service" for name in SERVICES)


def evidence(machine: Machine) -> dict[str, str]:
    """SHA-256 of what must never change: pictures, records, keys, configuration; and every event of the ledger."""
    said = machine.run(
        f"find {EVIDENCE}/signer {EVIDENCE}/ledger /etc/c1kiosk -type f ! -name '*.sqlite*' ! -name 'journal*'"
        " -exec sha256sum {} +"
    )
    return {line.split()[1]: line.split()[0] for line in said.splitlines()}

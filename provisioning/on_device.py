"""The device's part of the ceremony. A technician's laptop runs it over ssh, or a technician here with a stick:

    python -m provisioning.on_device look | request | enrol | assign | units | wipe

Each reads and writes one JSON document (words.py) and may be cut off anywhere and run again. A refusal is a document
too, with exit 1. Runs as root; what it writes belongs to whom the units expect.

    request   makes the device key, and keys for TLS; the same requests are given back as long as nothing replaces them
    enrol     takes certificates, when they are of these keys, of this election and valid now; pins the root
    assign    takes kiosk.toml, PIN, trust folder and assignment, when together they make a kiosk of this device; the
              assignment comes last, so that a kiosk without it is an unfinished one. The one before is kept
    units     writes the drop-ins that kiosk.toml asks for: at every start where the root is read-only
    wipe      destroys the keys, when the ledger holds nothing that was not exported
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import KeyDriver, KioskConfig, PrinterDriver, load_config, parse_election
from firmware.errors import Refused, VerificationRefused
from firmware.signing import assignment, durable, enrolment
from firmware.signing.election import AUTHORITY, ROOT, load_pem, only_certificate, open_election
from firmware.signing.enrol import KeyPlace, request
from firmware.signing.key_file import CERTIFICATE_NAME, KEY_NAME
from firmware.signing.keys import claims_of
from firmware.signing.officers import OfficerTrust
from provisioning.authority import key_folder
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.judging import judge_connection, judge_device
from provisioning.batch.place import RefusedThere
from provisioning.batch.words import Certificates, Evidence, Provision, Requests, Seen, Wish
from provisioning.device.found import check_free, device_of, look, request_of
from provisioning.device.ground import CREDENTIAL, PIN, TLS_KEYS, Ground, share, systemd, write
from provisioning.device.wiping import wipe

KEY_OF_SERVICE = 0o400
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Of what a laptop sends: a definition is at most 4 MB."""
MAKING = "making"
"""There while a key is being made: until its request is kept, nobody can have a certificate for it."""


# --- request ----------------------------------------------------------------------------------------------------------


def make_requests(ground: Ground, wish: Wish) -> Requests:
    """Requests of keys that are made now, or were before. Raises Refused."""
    there = request_of(ground)
    if there is None:
        _make_key(ground, wish)
        there = request_of(ground)
        assert there is not None
    claims = claims_of(there)
    if claims.serial != wish.serial:
        raise ProvisioningRefused("enrol-other-serial", serial=wish.serial, found=claims.serial)
    if claims.world is not wish.world:
        raise ProvisioningRefused("enrol-other-world", said=str(claims.world), expected=str(wish.world))
    return Requests(
        device=there.public_bytes(Encoding.PEM).decode(),
        uplink=_tls_request(ground, "uplink", wish.serial),
        lan=_tls_request(ground, "lan", wish.serial) if wish.lan else "",
    )


def _make_key(ground: Ground, wish: Wish) -> None:
    """The device key and its request; one that was made without a request being kept is made again."""
    ground.signer.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
    os.chown(ground.signer, *ground.owner("c1kiosk-signer"))
    cut_off = (ground.signer / MAKING).exists()
    (ground.signer / MAKING).write_text(wish.serial, encoding="ascii")
    durable.sync_folder(ground.signer)
    place = KeyPlace(ground.key, wish.driver, wish.tcti, wish.world)
    request(place, wish.serial, seal=wish.seal, credential=ground.etc / CREDENTIAL, replace=cut_off)
    (ground.signer / MAKING).unlink()


def _tls_request(ground: Ground, name: str, serial: str) -> str:
    folder = ground.etc / "tls" / name
    path = key_folder.make(folder, serial, None)
    user, group = ground.owner(TLS_KEYS[name])
    folder.chmod(0o750)
    os.chown(folder, 0 if os.getuid() == 0 else -1, group)
    key = folder / KEY_NAME
    os.chown(key, user, group)
    key.chmod(KEY_OF_SERVICE)
    return path.read_text(encoding="ascii")


# --- enrol ------------------------------------------------------------------------------------------------------------


def enrol(ground: Ground, given: Certificates, now: datetime) -> Seen:
    """Takes certificates, or refuses all of them. Raises Refused."""
    wished = request_of(ground)
    if wished is None:
        raise ProvisioningRefused("step-order", serial="?", state="installed", first="enrol request")
    serial = claims_of(wished).serial
    issuers = _believed(ground, given, serial)
    judge_device(given.device.encode(), wished, issuers, now)
    tls = only_certificate(given.tls.encode(), "tls authority")
    for name, pem in (("uplink", given.uplink), ("lan", given.lan)):
        if pem:
            asked = x509.load_pem_x509_csr((ground.etc / "tls" / name / key_folder.REQUEST_NAME).read_bytes())
            judge_connection(pem.encode(), asked, serial, tls, now)
    _install_certificates(ground, given)
    return look(ground)


def _believed(ground: Ground, given: Certificates, serial: str) -> list[x509.Certificate]:
    """The issuers that the signed election names; the root is the one that was believed before, if any was."""
    root, pinned = only_certificate(given.root.encode(), ROOT), ground.etc / "trust" / ROOT
    if pinned.exists() and load_pem(pinned) != root:
        raise ProvisioningRefused("enrol-other-root", serial=serial)
    signed = open_election(given.election, root, only_certificate(given.authority.encode(), AUTHORITY))
    trust = parse_election(signed.data).election.trust
    if trust is None:
        raise VerificationRefused("election-trust", problem="trust")
    return [only_certificate(pem.encode(), "election") for pem in trust.issuers]


def _install_certificates(ground: Ground, given: Certificates) -> None:
    issued = ground.key / enrolment.ISSUED_NAME
    if not issued.exists():
        enrolment.install(ground.key, given.device.encode())
    elif issued.read_bytes() != given.device.encode():
        raise ProvisioningRefused("already-issued", name=claims_of(enrolment.load(ground.key).certificate).serial)
    files = {"tls/collectors.pem": given.tls, f"trust/{ROOT}": given.root, f"trust/{AUTHORITY}": given.authority}
    for name, pem in (("uplink", given.uplink), ("lan", given.lan)):
        if pem:
            key_folder.install(ground.etc / "tls" / name, pem.encode())
            share(ground, ground.etc / "tls" / name / CERTIFICATE_NAME)
    if given.lan:
        files["tls/operators.pem"] = given.operators
    for path, text in files.items():
        write(ground, ground.etc / path, text.encode())


# --- assign -----------------------------------------------------------------------------------------------------------


def assign(ground: Ground, given: Provision) -> Seen:
    """Makes the device the kiosk of a TPS, or changes nothing. Raises Refused."""
    incoming = ground.etc / ".incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        config = _staged(ground, incoming, given)
        new = assignment.check_assignment(given.assignment, OfficerTrust.of_device(config), device_of(ground, config))
        _keep_earlier(ground, given, new, config)
        _take(ground, given, config)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return look(ground)


def _staged(ground: Ground, folder: Path, given: Provision) -> KioskConfig:
    """The configuration as it will be, read from a folder of its own."""
    for name, data in {
        "kiosk.toml": given.kiosk,
        **{f"trust/{name}": data for name, data in given.trust.items()},
    }.items():
        write(ground, folder / name, data)
    write(ground, folder / "election.cose", given.trust["election.cose"])
    root = ground.etc / "trust" / ROOT
    if root.exists() and load_pem(root) != load_pem(folder / "trust" / ROOT):
        raise ProvisioningRefused("enrol-other-root", serial=look(ground).serial)
    return load_config(folder / "kiosk.toml")


def _keep_earlier(ground: Ground, given: Provision, new: assignment.Assignment, config: KioskConfig) -> None:
    path = ground.etc / assignment.NAME
    if not path.exists():
        if new.edition != 1:
            raise VerificationRefused("assignment-edition", said=new.edition, expected=1)
        return
    data = path.read_bytes()
    if data == given.assignment:
        return
    old = assignment.open_assignment(data, OfficerTrust.of_device(config))
    assignment.check_follows(new, old)
    check_free(ground, new.device.serial, given.evidence)
    kept = ground.etc / assignment.EARLIER / f"{old.edition}.cose"
    write(ground, kept, data)


def _take(ground: Ground, given: Provision, config: KioskConfig) -> None:
    """The files in their places; the assignment last."""
    for name, data in given.trust.items():
        write(ground, ground.etc / "trust" / name, data)
    write(ground, ground.etc / "election.cose", given.trust["election.cose"])
    write(ground, ground.etc / "kiosk.toml", given.kiosk)
    if given.pin:
        write(ground, ground.etc / PIN, given.pin)
    write_units(ground, config)
    write(ground, ground.etc / assignment.NAME, given.assignment)
    systemd("restart")


def _around(address: str) -> str:
    """The network of a switch in an office: /24."""
    return str(ipaddress.ip_network(f"{address}/24", strict=False))


def write_units(ground: Ground, config: KioskConfig) -> None:
    """The drop-ins of this device, and no others of those names."""
    for path, text in drop_ins(config, ground.program / "systemd").items():
        target = ground.units / path
        if text:
            write(ground, target, text.encode(), mode=0o644)
        else:
            target.unlink(missing_ok=True)
    systemd("reload")


def drop_ins(config: KioskConfig, templates: Path) -> dict[str, str]:
    """What the units of this one device need, by path; empty: nothing. release.py says what may stand in them."""
    key = {KeyDriver.SEALED_CREDENTIAL: "signer-sealed.conf", KeyDriver.TPM: "signer-tpm.conf"}
    template = key.get(config.file.key.driver)
    printer, lan = config.file.printer, config.file.lan
    networked = printer.driver is PrinterDriver.ESCPOS_NETWORK
    addressed = "PrivateNetwork=no\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\nIPAddressAllow={}\n"
    return {
        "c1kiosk-signer.service.d/key.conf": (templates / template).read_text(encoding="utf-8") if template else "",
        "c1kiosk-station.service.d/printer.conf": (
            "[Service]\n" + addressed.format(printer.address[0]) if networked else ""
        ),
        "c1kiosk-endpoint.service.d/lan.conf": f"[Service]\nIPAddressAllow={_around(lan.address)}\n" if lan else "",
    }


# --- command ----------------------------------------------------------------------------------------------------------


def answer(ground: Ground, verb: str, document: bytes) -> msgspec.Struct:
    """What `verb` says to a document. Raises Refused."""
    match verb:
        case "look":
            return look(ground)
        case "request":
            return make_requests(ground, msgspec.json.decode(document, type=Wish))
        case "enrol":
            return enrol(ground, msgspec.json.decode(document, type=Certificates), datetime.now(UTC))
        case "assign":
            return assign(ground, msgspec.json.decode(document, type=Provision))
        case "units":
            write_units(ground, load_config(ground.etc / "kiosk.toml"))
            return look(ground)
    return wipe(ground, msgspec.json.decode(document, type=Evidence))


def respond(ground: Ground, verb: str, document: bytes) -> tuple[int, bytes]:
    """Exit status and what is written."""
    try:
        return 0, msgspec.json.encode(answer(ground, verb, document)) + b"\n"
    except Refused as refusal:
        refused = RefusedThere(refusal.code, {name: _plain(value) for name, value in refusal.details.items()})
    except OSError as error:
        refused = RefusedThere("device-disk", {"problem": error.strerror or "", "file": str(error.filename or "")})
    return 1, msgspec.json.encode(refused) + b"\n"


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("verb", type=click.Choice(["look", "request", "enrol", "assign", "units", "wipe"]))
def main(verb: str) -> None:
    """The device's part of the ceremony: reads one JSON document, writes one."""
    document = b"" if verb in ("look", "units") else sys.stdin.buffer.read(MAX_DOCUMENT_BYTES)
    status, data = respond(Ground(), verb, document)
    sys.stdout.buffer.write(data)
    sys.exit(status)


if __name__ == "__main__":
    main()

"""The authorities' desk: makes authorities, issues certificates, signs and revises election definitions. Offline.

    python -m provisioning.ca root ROOT --organisation KPU --world real
    python -m provisioning.ca authority ROOT ISSUING --purpose issuing --election pemilu-2029
    python -m provisioning.ca authority ROOT SIGNING --purpose election --election pemilu-2029
    python -m provisioning.ca device ISSUING C1-0001.csr --serial C1-0001 --protection tpm > C1-0001.pem
    python -m provisioning.ca collector ISSUING kota.csr --name kota-bandung --host c1.example > kota.pem
    python -m provisioning.ca officer ISSUING siti.csr --name "Siti Aminah" --role pps > siti.pem
    python -m provisioning.ca authority ROOT TLS --purpose tls --election pemilu-2029
    python -m provisioning.ca tls TLS C1-0001-tls.csr --party kiosk --name C1-0001 > C1-0001-tls.pem
    python -m provisioning.ca trust election.json --issuer ISSUING/certificate.pem --collector kota-bandung=kota.pem
    python -m provisioning.ca sign SIGNING election.json election.cose
    python -m provisioning.ca revoke election.json --certificate C1-0001.pem --since 2029-02-14T12:00 --reason stolen
    python -m provisioning.ca publish TRUST --root ... --authority ... --election election.cose --devices ISSUING/issued

Keys lie encrypted in their folders; with `--key tpm` or `--key pkcs11` they are made in the machine's TPM or in a
token, and never leave it. The passphrase is asked for, or read from file descriptor N with
`--passphrase-fd N` before the command, a line for each.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import parse_election
from firmware.forms.loader import shipped_layouts
from firmware.records import Mode
from firmware.signing import durable
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import load_certificates
from firmware.signing.election import only_certificate, open_election, sign_election
from firmware.signing.key_file import CERTIFICATE_NAME, FileKey
from firmware.signing.keys import EXTENSION_OID, Protection, key_id
from firmware.signing.officers import Role
from firmware.signing.trust import TrustRoots, write_signed_trust
from provisioning.authority import definitions, issuing
from provisioning.authority import folder as authority_folder
from provisioning.authority import key as authority_key
from provisioning.authority.connections import Party, issue_connection
from provisioning.authority.desk import Desk, passphrase
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.authority.key import FILE as FILE_KEY
from provisioning.authority.key import Kind, Way

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Of a request or definition."""
READABLE = 0o644
"""Definitions are public."""
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
EITHER = click.Path(path_type=Path, exists=True)
NEW = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passphrase-fd", type=int, help="File descriptor to read passphrases from, a line each.")
@click.pass_context
def desk(ctx: click.Context, passphrase_fd: int | None) -> None:
    """Authorities, certificates, signed election definitions."""
    ctx.obj = None if passphrase_fd is None else os.fdopen(passphrase_fd, "rb", closefd=False)


def _key_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--token", default="", help="Label of the token, with --key pkcs11."),
        click.option("--module", default="/usr/lib/softhsm/libsofthsm2.so", help="The token maker's PKCS#11 library."),
        click.option("--tcti", default="device:/dev/tpmrm0", help="The way to the TPM, with --key tpm."),
        click.option("--key", "kind", type=click.Choice([str(kind) for kind in Kind]), default="file"),
    ):
        command = option(command)
    return command


@desk.command("root")
@click.argument("folder", type=FOLDER)
@click.option("--organisation", required=True)
@click.option("--world", type=click.Choice([str(mode) for mode in Mode]), required=True)
@_key_options
@click.pass_context
def root_command(ctx: click.Context, /, folder: Path, organisation: str, world: str, **key: str) -> None:
    """Make the root of one world."""
    _keep(ctx, folder, _way(key), lambda made: issuing.make_root(organisation, Mode(world), _now(), made).certificate)


@desk.command("authority")
@click.argument("root", type=FOLDER)
@click.argument("folder", type=FOLDER)
@click.option("--purpose", type=click.Choice([str(entry) for entry in issuing.AUTHORITIES]), required=True)
@click.option("--election", required=True, help="Id of the election, as in its definition.")
@_key_options
@click.pass_context
def authority_command(ctx: click.Context, /, root: Path, folder: Path, purpose: str, election: str, **key: str) -> None:
    """Make an authority of one election below the root."""
    above = _load(ctx, root)

    def make(made: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        certificate = issuing.make_authority(above, Purpose(purpose), election, _now(), made).certificate
        return authority_folder.register(root, f"{purpose}-{election}", certificate)

    _keep(ctx, folder, _way(key), make)


@desk.command("device")
@click.argument("authority", type=FOLDER)
@click.argument("request", type=FILE)
@click.option("--serial", required=True, help="As it stands on the device in your hand.")
@click.option("--protection", type=click.Choice([str(entry) for entry in Protection]), required=True)
@click.pass_context
def device_command(ctx: click.Context, authority: Path, request: Path, serial: str, protection: str) -> None:
    """Issue the certificate of a device: it and its issuer's are printed."""
    above = _load(ctx, authority)
    made = issuing.issue_device(above, _request(request), serial, Protection(protection), _now())
    made = authority_folder.register(authority, serial, made)
    click.echo(_pem(made) + _pem(above.certificate), nl=False)


@desk.command("collector")
@click.argument("authority", type=FOLDER)
@click.argument("request", type=FILE)
@click.option("--name", required=True, help="The collector's id in the definition.")
@click.option("--host", "hosts", multiple=True, help="A DNS name it is reached by.")
@click.pass_context
def collector_command(ctx: click.Context, authority: Path, request: Path, name: str, hosts: tuple[str, ...]) -> None:
    """Issue the certificate of a collector: it is printed."""
    made = issuing.issue_collector(_load(ctx, authority), _request(request), name, hosts, _now())
    made = authority_folder.register(authority, f"collector-{name}", made)
    click.echo(_pem(made), nl=False)


@desk.command("officer")
@click.argument("authority", type=FOLDER)
@click.argument("request", type=FILE)
@click.option("--name", required=True, help="As on the identity card in your hand.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True, help="As appointed.")
@click.pass_context
def officer_command(ctx: click.Context, authority: Path, request: Path, name: str, role: str) -> None:
    """Issue the certificate of an officer: it is printed."""
    made = issuing.issue_officer(_load(ctx, authority), _request(request), name, Role(role), _now())
    made = authority_folder.register(authority, f"officer-{key_id(made.public_bytes(Encoding.DER)).hex()}", made)
    click.echo(_pem(made), nl=False)


@desk.command("tls")
@click.argument("authority", type=FOLDER)
@click.argument("request", type=FILE)
@click.option("--party", type=click.Choice([str(party) for party in Party]), required=True)
@click.option("--name", required=True, help="Serial of the kiosk, or a name.")
@click.option("--host", "hosts", multiple=True, help="DNS name or address it serves on; of a kiosk: its LAN side.")
@click.pass_context
def tls_command(
    ctx: click.Context, authority: Path, request: Path, party: str, name: str, hosts: tuple[str, ...]
) -> None:
    """Issue a TLS certificate (kiosk and collector: by a tls authority; laptop: by an operators authority)."""
    made = issue_connection(_load(ctx, authority), _request(request), Party(party), name, hosts, _now())
    authority_folder.register(authority, f"{party}-{name}-{made.serial_number:x}", made)
    click.echo(_pem(made), nl=False)


@desk.command("trust")
@click.argument("definition", type=EITHER)
@click.option("--issuer", "issuers", type=FILE, multiple=True, required=True)
@click.option("--collector", "collectors", multiple=True, help="ID=CERTIFICATE; may be given several times.")
def trust_command(definition: Path, issuers: tuple[Path, ...], collectors: tuple[str, ...]) -> None:
    """Put into a definition, or all of a folder, whom its verifiers believe; in place, to be signed then."""
    named: dict[str, list[x509.Certificate]] = defaultdict(list)
    for entry in collectors:
        name, _, file = entry.partition("=")
        named[name].append(_certificate(Path(file)))
    issued, layouts = [_certificate(path) for path in issuers], shipped_layouts()
    made = {path: definitions.with_trust(_read(path), issued, named, layouts) for path in _definitions(definition)}
    for path, data in made.items():
        durable.replace(path, data, READABLE)


@desk.command("sign")
@click.argument("authority", type=FOLDER)
@click.argument("definition", type=EITHER)
@click.argument("out", type=click.Path(path_type=Path))
@click.pass_context
def sign_command(ctx: click.Context, authority: Path, definition: Path, out: Path) -> None:
    """Sign an election definition, or all of a folder into a folder OUT."""
    above = _load(ctx, authority)
    if above.scope.purpose is not Purpose.ELECTION:
        raise ProvisioningRefused("authority-purpose", purpose=str(above.scope.purpose))
    key = FileKey(above.issuer.private_key, above.certificate.public_bytes(Encoding.DER))
    if not definition.is_dir():
        out.write_bytes(sign_election(_read(definition), key))
        return
    signed = {path.stem: sign_election(_read(path), key) for path in _definitions(definition)}
    out.mkdir(parents=True, exist_ok=True)
    for name, cose in signed.items():
        durable.replace(out / f"{name}.cose", cose, READABLE)
    click.echo(f"{len(signed)} definitions signed in {out}")


@desk.command("revoke")
@click.argument("definition", type=FILE)
@click.option("--certificate", type=FILE, required=True, help="The device's or officer's, as it was issued.")
@click.option("--since", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="UTC; without it no record is believed.")
@click.option("--reason", required=True)
def revoke_command(definition: Path, certificate: Path, since: datetime | None, reason: str) -> None:
    """Write the next edition of a definition, in which it is revoked; it must be signed and published."""
    device = load_certificates(_read(certificate), str(certificate))[0]
    unix = int(since.replace(tzinfo=UTC).timestamp()) if since else 0
    kid = key_id(device.public_bytes(Encoding.DER))
    definition.write_bytes(definitions.revoked(_read(definition), kid, unix, reason))


@desk.command("publish")
@click.argument("folder", type=FOLDER)
@click.option("--root", type=FILE, required=True)
@click.option("--authority", type=FILE, required=True)
@click.option("--election", type=FILE, required=True)
@click.option("--devices", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
def publish_command(folder: Path, root: Path, authority: Path, election: Path, devices: Path) -> None:
    """Write the trust folder that everybody verifies with, and open it again."""
    above, signer, cose = _certificate(root), _certificate(authority), _read(election)
    forms = parse_election(open_election(cose, above, signer).data).election.contests
    known, names = shipped_layouts(), sorted({contest.form for contest in forms})
    issued = [_certificate(path) for path in sorted(devices.glob("*.pem"))]
    write_signed_trust(
        folder,
        root=above.public_bytes(Encoding.DER),
        authority=signer.public_bytes(Encoding.DER),
        election=cose,
        layouts=[known[name] for name in names],
        devices=[entry.public_bytes(Encoding.DER) for entry in issued if _is_device(entry)],
    )
    opened = TrustRoots.load(folder)
    click.echo(f"root           {opened.root}")
    click.echo(f"trust folder   {opened.fingerprint}")
    click.echo(f"devices        {len(opened.devices)}, revoked {len(opened.revoked)}")


def _is_device(certificate: x509.Certificate) -> bool:
    return any(extension.oid == EXTENSION_OID for extension in certificate.extensions)


def _way(key: Mapping[str, str]) -> Way:
    match Kind(key["kind"]):
        case Kind.TPM:
            return Way(Kind.TPM, tcti=key["tcti"])
        case Kind.PKCS11:
            return Way(Kind.PKCS11, module=key["module"], token=key["token"])
    return FILE_KEY


def _keep(
    ctx: click.Context, folder: Path, way: Way, make: Callable[[ec.EllipticCurvePrivateKey], x509.Certificate]
) -> None:
    """Makes a key, and of it an authority, where nothing is yet."""
    if folder.exists():
        raise ProvisioningRefused("authority-exists", folder=str(folder))
    secret = passphrase(ctx, f"New passphrase for {folder}", least=authority_key.least(way))
    certificate = make(authority_folder.begin(folder, way, secret))
    authority_folder.finish(folder, certificate)
    click.echo(f"{folder / CERTIFICATE_NAME}: {certificate.fingerprint(hashes.SHA256()).hex()}")


def _load(ctx: click.Context, folder: Path) -> issuing.Authority:
    return authority_folder.load(folder, passphrase(ctx, f"Passphrase of {folder}"))


def _definitions(path: Path) -> list[Path]:
    """The file itself, or the definitions in a folder."""
    found = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not found:
        raise ProvisioningRefused("definition-files", pattern="*.json", folder=str(path))
    return found


def _request(path: Path) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(_read(path))
    except (ValueError, x509.InvalidVersion) as error:
        raise ProvisioningRefused("request-unreadable", file=str(path)) from error


def _certificate(path: Path) -> x509.Certificate:
    return only_certificate(_read(path), str(path))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise ProvisioningRefused("request-unreadable", file=str(path)) from error


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    desk()

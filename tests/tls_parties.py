"""Keys and certificates for TLS between test programs; none of them signs a record."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
LOOPBACKS = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Party:
    """Somebody with a key and a certificate."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Certificate and key as PEM files."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        pem = serialization.Encoding.PEM
        certificate.write_bytes(self.certificate.public_bytes(pem))
        key.write_bytes(self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, key


def authority(name: str = "KPU Kota Contoh") -> Party:
    """Somebody who issues certificates."""
    return _party(name, None, (), datetime.now(UTC) - DAY)


def party(issuer: Party, *names: str, begins: timedelta = -DAY, key: ec.EllipticCurvePrivateKey | None = None) -> Party:
    """Somebody whose certificate is valid for ten days from `begins` (from now), for these host names and addresses;
    with a new key, or this one."""
    return _party("party", issuer, names or LOOPBACKS, datetime.now(UTC) + begins, key)


def _party(
    name: str,
    issuer: Party | None,
    names: tuple[str, ...],
    begins: datetime,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Party:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + 10 * DAY)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(entry) for entry in names]), critical=False)
    return Party(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _name(entry: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(entry))
    except ValueError:
        return x509.DNSName(entry)


def server_context(folder: Path, who: Party, clients: Party) -> ssl.SSLContext:
    """A server's context that asks for a certificate which `clients` issued."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*who.write(folder, f"server-{who.certificate.serial_number}"))
    context.load_verify_locations(clients.write(folder, f"ca-{clients.certificate.serial_number}")[0])
    context.verify_mode = ssl.CERT_REQUIRED
    return context

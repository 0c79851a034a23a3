"""The API on a network: who gets in, over real TLS, and what a slow or rude client can do."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware.config import LanFiles, load_config
from firmware.endpoint import cheroot_server, lan
from firmware.endpoint.cheroot_server import TlsServer, mutual_tls
from firmware.endpoint.lan import create_lan_app, refuse_signing_key, serve
from firmware.errors import LayoutRefused
from firmware.http import LOOPBACK
from tests.apis import SealedRoom
from tests.test_config import KIOSK, write

PATIENCE_S = 20.0
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Party:
    """Somebody with a key and a certificate."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Both as PEM files."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key


def key_usage(authority: bool) -> x509.KeyUsage:
    """Certificates, or handshakes."""
    unused = ("crl_sign", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **never)


def party(name: str, issuer: Party | None = None, until: datetime = NOW + DAY) -> Party:
    """A new certificate: an authority of its own unless somebody issues it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - 10 * DAY)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))]), critical=False)
        # From here on what a client of Python 3.13 asks for as well.
        .add_extension(key_usage(authority=issuer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    above = issuer.key if issuer else key
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), False)
    return Party(builder.sign(above, hashes.SHA256()), key)


AUTHORITY, STRANGER = party("KPU Kota Contoh"), party("KPU Kota Contoh")
KIOSK_TLS = party("kiosk", AUTHORITY)
LAPTOP = party("laptop", AUTHORITY)


class Network:
    """A kiosk's API on a port, and clients of it."""

    def __init__(self, folder: Path, room: SealedRoom) -> None:
        self.folder = folder
        self.room = room
        certificate, key = KIOSK_TLS.write(folder, "kiosk")
        self.authority, _ = AUTHORITY.write(folder, "authority")
        self.files = LanFiles(LOOPBACK, 0, certificate, key, self.authority)
        self.server = TlsServer(create_lan_app(room.sources), LOOPBACK, 0, mutual_tls(certificate, key, self.authority))

    def context(self, who: Party | None, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """A client's."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, most
        if who is not None:
            context.load_cert_chain(*who.write(self.folder, f"client-{who.certificate.serial_number}"))
        return context

    def client(self, who: Party | None = LAPTOP, **more: Any) -> httpx.Client:
        """A client with this certificate."""
        base = f"https://{LOOPBACK}:{self.port}"
        return httpx.Client(base_url=base, verify=self.context(who, **more), timeout=PATIENCE_S, trust_env=False)

    @property
    def port(self) -> int:
        return int(self.server.bind_addr[1])

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((LOOPBACK, self.port), PATIENCE_S)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("lan")
    network = Network(folder, SealedRoom(folder / "kiosk", 2))
    network.server.prepare()
    thread = threading.Thread(target=network.server.serve)
    thread.start()
    yield network
    network.server.stop()
    thread.join()


def refused(client: httpx.Client) -> bool:
    """Whether the server ends the connection instead of answering."""
    try:
        client.get("/v1/status")
    except httpx.TransportError:
        return True
    return False


# --- who gets in


def test_an_operators_laptop_pulls_a_record_and_its_pictures(network: Network) -> None:
    with network.client() as client:
        assert client.get("/v1/status").json()["records"] == 2
        assert client.get(f"/v1/records/{network.room.name(1)}").content == network.room.sealed[0].cose
        whole = client.get(f"/v1/records/{network.room.name(1)}/images/1")
        rest = client.get(f"/v1/records/{network.room.name(1)}/images/1", headers={"Range": "bytes=500-"})
        assert (rest.status_code, whole.content[500:]) == (206, rest.content)
        assert client.head("/v1/records").content == b""


@pytest.mark.parametrize(
    "who",
    [
        None,
        party("laptop", STRANGER),
        STRANGER,
        party("laptop", AUTHORITY, until=NOW - DAY),
        party("laptop", AUTHORITY, until=NOW + 12 * DAY),
        party("laptop", LAPTOP),
    ],
    ids=["no certificate", "another authority", "by its own word", "expired", "not yet valid", "issued by a laptop"],
)
def test_a_stranger_connects(network: Network, who: Party | None) -> None:
    with network.client(who) as client:
        assert refused(client)
    with network.client() as client:
        assert not refused(client)


def test_an_old_program_speaks_an_old_tls(network: Network) -> None:
    with network.client(most=ssl.TLSVersion.TLSv1_2) as client:
        assert refused(client)


def test_a_browser_speaks_http_without_tls(network: Network) -> None:
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client, pytest.raises(httpx.TransportError):
        client.get(f"http://{LOOPBACK}:{network.port}/v1/status")


@pytest.mark.parametrize("path", ["/", "/press", "/static/screen.css", "/progress", "/seal", "/v1/../press"])
def test_the_screen_is_looked_for_on_the_network(network: Network, path: str) -> None:
    with network.client() as client:
        assert client.get(path).status_code == 404
        assert client.post(path, data={"token": "x"}).status_code in {405, 413}


# --- slow and rude clients


def test_slow_clients_hold_every_place_and_let_it_go(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that say nothing lose their place; one with a certificate is served in the end."""
    monkeypatch.setattr(cheroot_server, "HANDSHAKE_SECONDS", 2.0)
    slow = [network.connect() for _ in range(cheroot_server.THREADS)]
    with network.client() as client:
        assert not refused(client)
    for connection in slow:
        assert connection.recv(1) == b"", "closed by the kiosk"
        connection.close()


def test_more_clients_than_places_are_sent_away_at_once(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cheroot_server, "HANDSHAKE_SECONDS", 10 * PATIENCE_S)
    places = cheroot_server.THREADS + cheroot_server.WAITING
    crowd = [network.connect() for _ in range(places + 20)]
    ended = _wait_until_ended(crowd, 20)
    assert ended >= 20
    for connection in crowd:
        connection.close()


def _wait_until_ended(crowd: list[socket.socket], wanted: int) -> int:
    """How many connections the kiosk has closed, once it is as many as wanted, or patience ends."""
    until = time.monotonic() + PATIENCE_S
    still = set(crowd)
    while len(crowd) - len(still) < wanted and time.monotonic() < until:
        readable, _, _ = select.select(list(still), [], [], 1.0)
        still -= {connection for connection in readable if _ended(connection)}
    return len(crowd) - len(still)


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_laptop_sends_headers_without_end(network: Network) -> None:
    with network.client() as client:
        answer = client.get("/v1/status", headers={"X-Long": "x" * 2 * cheroot_server.HEADER_BYTES_MAX})
        assert answer.status_code == 413
        assert not refused(client)


def test_a_laptop_sends_a_body(network: Network) -> None:
    with network.client() as client:
        answer = client.request("GET", "/v1/status", content=b"x" * 100_000)
        assert answer.status_code == 413
        assert not refused(client)


# --- what must not start


def test_the_key_that_signs_records_is_given_to_tls(network: Network, tmp_path: Path) -> None:
    device = tmp_path / "device.pem"
    der = x509.load_der_x509_certificate(network.room.world.device_key.certificate)
    device.write_bytes(der.public_bytes(serialization.Encoding.PEM))
    refuse_signing_key(network.files, network.room.sources)
    stolen = LanFiles(LOOPBACK, 0, device, network.files.key, network.authority)
    with pytest.raises(LayoutRefused, match="lan-signing-key"):
        refuse_signing_key(stolen, network.room.sources)


@pytest.mark.parametrize("broken", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_a_file_of_tls_is_missing_or_broken(
    network: Network, tmp_path: Path, broken: str, content: bytes | None
) -> None:
    bad = tmp_path / "bad.pem"
    if content is not None:
        bad.write_bytes(content)
    files = {name: getattr(network.files, name) for name in ("certificate", "key", "client_ca")} | {broken: bad}
    with pytest.raises(LayoutRefused, match="lan-certificate"):
        mutual_tls(files["certificate"], files["key"], files["client_ca"])


def test_the_network_comes_after_the_kiosk_was_switched_on(network: Network) -> None:
    """Binding fails, and is tried again until the address is there."""
    stop, tried = threading.Event(), []
    with socket.create_server((LOOPBACK, 0)) as taken:

        def make() -> TlsServer:
            tried.append(1)
            if len(tried) == 3:
                stop.set()
            app = create_lan_app(network.room.sources)
            return TlsServer(app, LOOPBACK, taken.getsockname()[1], network.server.ssl_adapter.context)

        serve(make, stop, retry_s=0.01)
    assert len(tried) == 3


def test_nothing_listens_on_a_network_unless_provisioning_says_so(tmp_path: Path) -> None:
    assert load_config(write(tmp_path)).lan is None
    told = '[lan]\naddress = "192.168.4.1"\ncertificate = "tls/kiosk.pem"\n'
    told += 'key = "tls/kiosk.key"\nclient_ca = "tls/ca.pem"\n'
    found = load_config(write(tmp_path, KIOSK + told)).lan
    assert found == LanFiles(
        "192.168.4.1", 8443, *(tmp_path / "tls" / name for name in ("kiosk.pem", "kiosk.key", "ca.pem"))
    )


@pytest.mark.parametrize("address", ["", "kiosk.local", "::1", "192.168.4.1/24", "999.1.1.1"])
def test_the_lan_address_is_not_one(tmp_path: Path, address: str) -> None:
    told = f'[lan]\naddress = "{address}"\ncertificate = "c"\nkey = "k"\nclient_ca = "a"\n'
    with pytest.raises(LayoutRefused, match="config-invalid"):
        load_config(write(tmp_path, KIOSK + told))


def test_the_screen_stays_up_while_the_network_is_started(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start_lan` comes back at once, and its threads end with the process."""
    released = threading.Event()
    monkeypatch.setattr(lan, "serve", lambda _make, _stop: released.wait(PATIENCE_S))
    thread = lan.start_lan(network.files, network.room.sources)
    assert thread.is_alive()
    assert thread.daemon
    released.set()
    thread.join()

"""Between a kiosk and its collector: wrong certificates and clocks, proxies, portals; each has its name."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpcore
import pytest

from firmware.errors import LayoutRefused
from firmware.messages import sentence
from firmware.records import DeliveryState
from firmware.uplink import transport
from firmware.uplink.faults import outcome_of
from firmware.uplink.outcome import Outcome
from firmware.uplink.tls import client_context
from tests.tls_parties import DAY, Party, authority, party, server_context
from tests.tus_collector import TusCollector
from tests.uplinks import Answer, Kiosk, dead_port, opened, reply, somebody

CA, STRANGER = authority(), authority()
SERVER, DEVICE = party(CA), party(CA)
YEARS = timedelta(days=20_000)


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        kiosk.store(1)
        yield kiosk


@pytest.fixture
def answer(kiosk: Kiosk) -> Answer:
    return TusCollector(kiosk.world.collector_key).answer


def device_context(folder: Path, who: Party = DEVICE, ca: Party = CA) -> ssl.SSLContext:
    return client_context(*who.write(folder, "device"), ca.write(folder, "ca")[0])


def outcome(kiosk: Kiosk, url: str, who: Party = DEVICE, proxy: str | None = None) -> Outcome:
    (attempt,) = kiosk.round(url, tls=device_context(kiosk.folder, who), proxy=proxy)
    return attempt.outcome


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_record_arrives_over_tls(kiosk: Kiosk, answer: Answer, host: str) -> None:
    with somebody(answer, server_context(kiosk.folder, SERVER, CA), host) as url:
        assert outcome(kiosk, url) is Outcome.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("server", "wanted"),
    [
        (party(CA, begins=YEARS), Outcome.CLOCK),  # as it looks from 1970
        (party(CA, begins=-20 * DAY), Outcome.CERTIFICATE_EXPIRED),
        (party(CA, "kota-lain.example"), Outcome.CERTIFICATE_NAME),
        (party(CA, "192.0.2.1"), Outcome.CERTIFICATE_NAME),
        (party(STRANGER), Outcome.CERTIFICATE_UNKNOWN),
        (STRANGER, Outcome.CERTIFICATE_UNKNOWN),
    ],
)
def test_collectors_certificate_is_not_believed(kiosk: Kiosk, answer: Answer, server: Party, wanted: Outcome) -> None:
    with somebody(answer, server_context(kiosk.folder, server, CA)) as url:
        assert outcome(kiosk, url) is wanted
    (delivery,) = kiosk.outbox.deliveries()
    assert (delivery.state, delivery.problem) == (DeliveryState.WAITING, str(wanted))


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("who", [party(STRANGER), party(CA, begins=-20 * DAY)])
def test_collector_does_not_accept_our_certificate(
    kiosk: Kiosk, answer: Answer, who: Party, most: ssl.TLSVersion
) -> None:
    context = server_context(kiosk.folder, SERVER, CA)
    context.maximum_version = most
    with somebody(answer, context) as url:
        assert outcome(kiosk, url, who) is Outcome.CERTIFICATE_OURS


def test_collector_speaks_only_an_old_tls(kiosk: Kiosk, answer: Answer) -> None:
    context = server_context(kiosk.folder, SERVER, CA)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with somebody(answer, context) as url:
        assert outcome(kiosk, url) is Outcome.TLS


def test_portal_answers_without_tls(kiosk: Kiosk) -> None:
    with somebody(reply(200, b"<html>Wi-Fi Gratis</html>")) as url:
        assert outcome(kiosk, url.replace("http", "https")) is Outcome.NOT_A_COLLECTOR


@contextmanager
def listener(hang_up: bool) -> Iterator[str]:
    """Accepts, and then says nothing or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            connection.recv(64)
            if hang_up:
                connection.close()
            kept.append(connection)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()
        for connection in kept:
            connection.close()


def test_server_accepts_and_never_speaks_tls(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.3)
    with listener(hang_up=False) as url:
        assert outcome(kiosk, url) is Outcome.TIMEOUT


def test_connection_breaks_while_tls_begins(kiosk: Kiosk) -> None:
    with listener(hang_up=True) as url:
        assert outcome(kiosk, url) is Outcome.BROKEN


@contextmanager
def proxy_to_anywhere(asked: list[str], status: int = 200) -> Iterator[str]:
    """An HTTP proxy that knows CONNECT."""

    def connect(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        asked.append(handler.path)
        handler.send_response(status)
        handler.end_headers()
        if status == 200:
            host, _, port = handler.path.rpartition(":")
            with socket.create_connection((host, int(port))) as far:
                pipes = [(handler.connection, far), (far, handler.connection)]
                threads = [threading.Thread(target=pump, args=ends, daemon=True) for ends in pipes]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        handler.close_connection = True

    with somebody(connect) as url:
        yield url


def pump(near: socket.socket, far: socket.socket) -> None:
    try:
        while data := near.recv(65536):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_record_goes_through_a_proxy(kiosk: Kiosk, answer: Answer) -> None:
    asked: list[str] = []
    with somebody(answer, server_context(kiosk.folder, SERVER, CA)) as url, proxy_to_anywhere(asked) as proxy:
        assert outcome(kiosk, url, proxy=proxy) is Outcome.ACKNOWLEDGED
        assert asked == [url.removeprefix("https://")]


def test_proxy_wants_a_password(kiosk: Kiosk) -> None:
    with proxy_to_anywhere([], status=407) as proxy:
        assert outcome(kiosk, "https://127.0.0.1:1", proxy=proxy) is Outcome.PROXY


def test_proxy_of_the_environment_is_not_asked(kiosk: Kiosk, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, dead_port())
    with somebody(answer) as url:
        (attempt,) = kiosk.round(url)
    assert attempt.outcome is Outcome.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("cause", "reached", "wanted"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False, Outcome.NO_NAME),
        (socket.gaierror(socket.EAI_AGAIN, "no name server"), False, Outcome.NO_NETWORK),
        (OSError(errno.ENETUNREACH, "no route"), False, Outcome.NO_NETWORK),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False, Outcome.NO_SERVER),
        (ConnectionResetError(errno.ECONNRESET, "reset"), True, Outcome.BROKEN),
        (OSError(errno.ETIMEDOUT, "nothing heard"), True, Outcome.BROKEN),
    ],
)
def test_faults_of_the_network_have_their_names(cause: OSError, reached: bool, wanted: Outcome) -> None:
    error = httpcore.ConnectError("x")
    error.__cause__ = RuntimeError("of a library between")
    error.__cause__.__context__ = cause
    assert outcome_of(error, reached) is wanted


def test_files_of_tls_cannot_be_used(tmp_path: Path) -> None:
    certificate, key = DEVICE.write(tmp_path, "device")
    ca, other_key = CA.write(tmp_path, "ca")
    for files in ((certificate, other_key, ca), (certificate, tmp_path / "none", ca), (certificate, key, key)):
        with pytest.raises(LayoutRefused) as refusal:
            client_context(*files)
        assert refusal.value.code == "uplink-certificate"
        assert sentence("error.uplink-certificate", **refusal.value.details)
